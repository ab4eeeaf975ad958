"""What do callers notice of it that several processes share a port, and that they are replaced? Nothing."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from inference_plane import ROUTE, TOKEN, Plane, echo_replica, exchange, head, plane_and_echo, short_folder, until
from loopback import free_port
from prometheus_client.parser import text_string_to_metric_families

from weyr.access.api_keys import KeyRing
from weyr.core.limits import Limits
from weyr.engines.local.planes import Plane as Process


@contextlib.contextmanager
def processes(home: Path, count: int) -> Iterator[list[Process]]:
    """So many processes of the plane on one port, kept as the supervisor keeps them."""
    port = str(free_port())
    with Plane(home) as first:
        options = ["--routes", home / "routes.json", "--credentials", home / "credentials.json", "--limits",
                   home / "limits", "--api-keys", home / "api-keys.json", "--audit", home / "audit.jsonl"]  # fmt: skip
        first.route({"a": home / "a.sock"})
        first.stop()
    planes = []
    try:
        for name in ["inference", *(f"inference-{n}" for n in range(1, count))]:
            own = ["--control", home / f"{name}.sock", "--info", home / f"{name}.json", "--port", port]
            arguments = ["weyr.gateway.inference", *map(str, options + own)]
            planes.append(Process(name, arguments, home / f"{name}.json", home / f"{name}.log"))
        for plane in planes:
            plane.begin()
        for plane in planes:
            plane.start()
        yield planes
    finally:
        for plane in planes:
            plane.stop()


class Callers:
    """Clients that keep their connections and count what becomes of each request, by its cause."""

    def __init__(self, port: int, count: int, words: tuple[str, ...] = (TOKEN,)) -> None:
        self.outcomes: Counter[str] = Counter()
        self._port, self._stop, self._lock = port, threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(words[n % len(words)],)) for n in range(count)]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    def _run(self, word: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._stop.is_set():
            try:
                connection.request("POST", f"/{ROUTE}/x", b"{}", {"Authorization": f"Bearer {word}"})
                answer = connection.getresponse()
                answer.read()
                outcome = str(answer.status)
            except (OSError, http.client.HTTPException) as e:
                outcome = type(e).__name__
                connection.close()
            with self._lock:
                self.outcomes[outcome] += 1
        connection.close()


def test_nothing_fails_while_everything_is_changed() -> None:
    """Rollouts, fewer replicas, none and one again, a plane that is renewed: callers notice nothing. `make zero-failed`
    asks 100,000 times."""
    bench = Path(__file__).parents[2] / "bench" / "zero_failed.py"
    ran = subprocess.run(
        [sys.executable, str(bench), "--requests", "2500"], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("0 of 25")


def test_a_single_process_is_replaced_without_a_failed_request() -> None:
    """The usual installation has one; its successor has the door before it lets go."""
    with short_folder() as home, echo_replica(home / "a.sock", "a"), processes(home, 1) as (plane,):
        info = plane.running()
        assert info
        with Callers(info.port, 4) as callers:
            until(lambda: callers.total > 100, "there is load")
            plane.replace()
            seen = callers.total
            until(lambda: callers.total > seen + 200, "they go on")
        assert set(callers.outcomes) == {"200"}


def test_a_killed_process_takes_only_what_it_had_in_hand() -> None:
    """kill -9 breaks the connections of one process off, which a client sees and may repeat; the other serves on, and
    new callers never meet a closed door."""
    with short_folder() as home, echo_replica(home / "a.sock", "a"), processes(home, 2) as planes:
        info = planes[0].running()
        assert info
        with Callers(info.port, 6) as callers:
            until(lambda: callers.total > 200, "there is load")
            os.kill(info.pid, signal.SIGKILL)
            until(lambda: planes[0].running() is None, "it is gone")
            again = planes[0].start()
            seen = callers.total
            until(lambda: callers.total > seen + 200, "they go on")
        assert again.port == info.port
        broken = sum(count for outcome, count in callers.outcomes.items() if outcome != "200")
        assert broken <= 6  # at most the one that each caller had under way
        assert not callers.outcomes["ConnectionRefusedError"]


def test_limits_hold_over_all_processes_together() -> None:
    """A caller with ten requests has ten, however many processes answer them."""
    with short_folder() as home, echo_replica(home / "a.sock", "a"), processes(home, 3) as planes:
        _, word = KeyRing(home / "api-keys.json", home / "audit").create(
            ("*",), ("infer",), Limits(requests_per_second=0.001, burst=25)
        )
        info = planes[0].running()
        assert info
        with Callers(info.port, 9, (word,)) as callers:
            until(lambda: callers.total > 300, "all have asked")
        assert callers.outcomes["200"] == 25
        assert set(callers.outcomes) == {"200", "429"}


def test_each_process_is_scraped_at_the_port_they_share_and_renewal_takes_nothing_back() -> None:
    """A counter that goes backwards looks to Prometheus like a burst of requests that nobody made."""
    with short_folder() as home, echo_replica(home / "a.sock", "a"), processes(home, 2) as planes:
        info = planes[0].running()
        assert info

        def shown(name: str) -> int:
            text = exchange(info.port, head("GET", f"/-/metrics/{name}", "Connection: close")).decode()
            assert text.startswith("HTTP/1.1 200"), text[:500]
            families = text_string_to_metric_families(text.partition("\r\n\r\n")[2])
            samples = [sample for family in families for sample in family.samples]
            (count,) = [s.value for s in samples if s.name == "weyr_inference_request_duration_seconds_count"] or [0]
            return int(count)

        def is_above(count: int) -> bool:
            return sum(map(shown, seen)) > count

        seen = {"inference": [0], "inference-1": [0]}
        with Callers(info.port, 6) as callers:
            for plane in (*planes, *planes):
                enough = sum(counts[-1] for counts in seen.values()) + 50
                until(partial(is_above, enough), "there is load")
                plane.replace()
                for name, counts in seen.items():
                    counts += [shown(name) for _ in range(5)]
        assert callers.outcomes.keys() == {"200"}
        for counts in seen.values():
            assert counts == sorted(counts)
        until(lambda: sum(map(shown, seen)) == callers.total, "every request is counted once")
        assert exchange(info.port, head("GET", "/-/metrics/inference-7", "Connection: close"))[9:12] == b"503"
        assert exchange(info.port, head("GET", "/-/metrics/credentials", "Connection: close"))[9:12] == b"404"


def test_it_serves_and_revokes_while_nobody_else_is_alive() -> None:
    """Without server, store or router the plane goes on from its files."""
    with plane_and_echo() as (plane, _):
        text = exchange(plane.port, head("GET", f"/{ROUTE}/x", "Connection: close"))
        assert text.startswith(b"HTTP/1.1 200")
        plane.allow("another", ("*",))
        until(lambda: plane.ask(f"/{ROUTE}/x")[0] == 401, "the old token is worth nothing")
