"""A service as its callers see it: balanced, updated and broken under them, without a failed request."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import requests
from one_user import User, until
from websockets.sync.client import connect

PROGRAM = Path(__file__).with_name("web_service.py")


def web(version: str, *faults: str) -> str:
    words = ", ".join((str(PROGRAM), version, *faults))
    return f"""\
stack: shop
services:
  web:
    run: [python, {words}]
    replicas: 2
    resources: {{cpu: 0.2, memory: 256MiB}}
    health: {{http: /health, every: 200ms, timeout: 2s, failures: 2, ready_within: 60s}}
"""


@dataclass
class Callers:
    """Two who ask without pause until they are told to stop."""

    user: User
    answers: list[tuple[int, str]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> tuple[int, str]:
        answer = requests.get(
            f"{self.user.url('inference')}/shop/web/hi", headers={"Authorization": f"Bearer {self.user.token}"},
            timeout=60,
        )  # fmt: skip
        return answer.status_code, answer.text

    def _keep_asking(self) -> None:
        while not self.stopping.wait(0.01):
            self.answers.append(self.ask())

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._keep_asking) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join(90)


def test_a_service_is_updated_broken_and_hurt_and_answers_every_request(user: User) -> None:
    """Two callers ask all the time: through a rolling update, a version that dies, a hung replica and a kill -9."""
    user.up(web("one"))
    callers = Callers(user)
    with callers.asking():
        until(lambda: len(callers.answers) > 20, "answers of the first version")
        user.up(web("two"))
        until(lambda: callers.answers[-1][1].startswith("two"), "the second version to answer")

        user.write(web("three", "dies"))
        user.weyr("up", "--yes", "--detach")
        until(lambda: user.events("replica.ended"), "the third version to die")
        assert callers.ask()[1].startswith("two")

        user.up(web("two"))
        pid = int(callers.ask()[1].split()[1])
        (user.folder / f"ill-{pid}").touch()
        until(lambda: user.events("replica.unhealthy"), "the ill replica to be given up")
        user.until_phase("service/web", "ready")

    assert {status for status, _ in callers.answers} == {200}
    assert all(text.endswith("/hi /shop/web") for _, text in callers.answers)

    pid = int(callers.ask()[1].split()[1])
    os.kill(pid, signal.SIGKILL)
    until(lambda: any("SIGKILL" in event["message"] for event in user.events("replica.ended")), "its death to be seen")
    assert until(lambda: callers.ask()[0] == 200, "the other replica to answer")
    _speaks_websocket_and_tcp(user)
    user.weyr("down", "--yes")
    assert user.remains() == []


def test_a_service_follows_a_metric_of_its_own_and_says_so(user: User) -> None:
    """Work that comes by no request: a gauge asks for replicas, and is missed without harm."""
    plain = web("one").replace("replicas: 2", "scale: {max: 3, target_metric: {name: jobs, per_replica: 10}}")
    gauge = user.folder / "gauge"
    user.up(plain)
    until(lambda: "/metrics answers 404" in user.weyr("why", "service/web").out, "its missing page to be named")
    gauge.write_text("25")
    until(lambda: len(user.row("service/web")["outputs"]["addresses"].split(",")) == 3, "three replicas")
    asked = "jobs is 25 in the mean of a replica and should be 10"
    until(lambda: asked in user.weyr("why", "service/web").out, "why to say what they are for")
    gauge.unlink()
    until(lambda: "none is let go of" in user.weyr("why", "service/web").out, "why to say that nothing is known")
    assert len(user.row("service/web")["outputs"]["addresses"].split(",")) == 3
    user.weyr("down", "--yes")


def _speaks_websocket_and_tcp(user: User) -> None:
    user.until_phase("service/web", "ready")
    headers = {"Authorization": f"Bearer {user.token}"}
    address = user.url("inference").replace("http", "ws")
    with connect(f"{address}/shop/web/ws", additional_headers=headers) as line:
        for message in ("hello", "x" * 100_000):
            line.send(message)
            assert line.recv(timeout=60) == f"two {message}"
    with contextlib.suppress(Exception), connect(f"{address}/shop/web/hi", additional_headers=headers):
        raise AssertionError("what is answered with a page is no WebSocket")
    assert requests.get(f"{user.url('inference')}/shop/web/ws", timeout=60).status_code == 401
    host, port = user.row("service/web")["outputs"]["addresses"].split(",")[0].split(":")
    with socket.create_connection((host, int(port)), timeout=60) as door:
        door.sendall(b"GET /direct HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"/direct" in door.recv(4096)
