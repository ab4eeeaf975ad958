"""Starts the real inference plane, and replicas for it, for the tests of every folder."""

import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from weyr.core.capability import Wanted
from weyr.core.ref import ThingId
from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.seen import Present, RouteFacts
from weyr.engines.local.router import LocalRouter

TOKEN = "tell-nobody"
ROUTE = "digits/digits"
THING = ThingId.parse("digits:endpoint/digits#route")
SHORT_BYTES = 2**16


def until(check: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Polls until it holds. Raises: AssertionError once the time is up."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not check():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        pause.wait(0.01)


class Process:
    """A process of ours that is stopped by its own pid."""

    def __init__(self, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        environment = {**os.environ, **(env or {})}
        self.output = ""
        self.arguments = arguments
        self.popen = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )

    def stop(self, timeout_s: float = 90.0) -> int:
        """Asks it to end, and gives its exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        self.popen.kill()
        self.wait()

    def wait(self, timeout_s: float = 90.0) -> int:
        """Its exit status; `output` is then all that it printed."""
        status = self.popen.wait(timeout_s)
        if self.popen.stdout and not self.popen.stdout.closed:
            self.output = self.popen.stdout.read().decode()
            self.popen.stdout.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class Plane(Process):
    """The inference plane with one token, and a router to tell it where to send."""

    def __init__(self, home: Path, *arguments: str, grants: tuple[str, ...] = ("*",)) -> None:
        self.home = home
        self.control = home / "inference.sock"
        self.info = home / "inference.json"
        self.audit = home / "audit.jsonl"
        self.credentials = home / "credentials.json"
        self.allow(TOKEN, grants)
        paths = {"routes": home / "routes.json", "credentials": self.credentials, "audit": self.audit}
        paths |= {"control": self.control, "info": self.info}
        options = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
        super().__init__("-m", "weyr.gateway.inference", *options, *arguments)
        uses = Path(arguments[arguments.index("--uses") + 1]) if "--uses" in arguments else None
        self.router = LocalRouter(
            home / "routes.json", self.control, lambda: self.url, uses=uses, show_every_s=0.0
        )  # fmt: skip
        self.generation = 0
        until(lambda: self.info.exists() or self.popen.poll() is not None, "the plane listens")
        if self.popen.poll() is not None:
            self.wait()
            raise AssertionError(self.output)

    @property
    def port(self) -> int:
        return int(json.loads(self.info.read_text())["port"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def allow(self, token: str, grants: tuple[str, ...]) -> None:
        """Makes this the one token."""
        tokens = {hashlib.sha256(token.encode()).hexdigest(): "tester"}
        text = json.dumps({"generation": 1, "principals": {"tester": {"grants": grants}}, "tokens": tokens})
        draft = self.credentials.with_suffix(".tmp")
        draft.write_text(text)
        draft.replace(self.credentials)

    def route(self, replicas: Mapping[str, Path], hold_s: float = 60.0, model: str = "digits") -> None:
        """Sends the route's requests to these from now on."""
        pairs = tuple((key, str(path)) for key, path in replicas.items())
        self.tell(RouteBody(ROUTE, (RouteVersion("1", model, replicas=pairs),), hold_s))

    def tell(self, body: RouteBody) -> None:
        """Routes so from now on."""
        self.generation += 1
        assert self.router.ensure([Wanted(THING, self.generation, body)]) == {}

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """One request with the token, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def facts(self) -> RouteFacts:
        """What the router says of the route."""
        seen = self.router.observe([THING])[THING]
        assert isinstance(seen, Present), seen
        assert isinstance(seen.facts, RouteFacts)
        return seen.facts

    def stats(self) -> dict[str, Any]:
        """What the plane counts for the route; empty where it does not know it."""
        answer = unix_get(self.control, "/stats")
        return dict(json.loads(answer)["endpoints"].get(ROUTE, {}))


def unix_get(path: Path, target: str) -> bytes:
    """The body of one GET over a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target.encode())
        whole = b"".join(iter(lambda: client.recv(65536), b""))
    return whole.partition(b"\r\n\r\n")[2]


def echo_replica(path: Path, name: str) -> Process:
    """A replica in a process of its own that answers with its name and what it was sent."""
    process = Process(str(Path(__file__).parent / "echo_replica.py"), str(path), name)
    until(lambda: _listens(path), f"{name} listens")  # its path is there before it does
    return process


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as door:
        return path.exists() and door.connect_ex(str(path)) == 0


class Script:
    """A replica in a thread that reads one request per connection and answers with fixed bytes, then closes.

    Takes: `pieces`, sent in order; a number among them waits so many seconds, or until the other side closes, and a
    path until there is such a file.
    """

    def __init__(self, path: Path, *pieces: bytes | float | Path) -> None:
        self._pieces = pieces
        self.requests: list[bytes] = []
        self.closed_early = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(60)
                self.requests.append(_request(client))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self._play(client)

    def _play(self, client: socket.socket) -> None:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                client.sendall(piece)
                continue
            if isinstance(piece, Path):
                until(piece.exists, f"{piece} is there")
                continue
            client.settimeout(piece)
            with contextlib.suppress(TimeoutError):
                # The rest of a body may come meanwhile: only the other side's end ends the wait.
                while client.recv(2**16):
                    pass
                self.closed_early.set()
                return


def _request(client: socket.socket) -> bytes:
    """A request with its body, where that is a short one: who closes with a part unread breaks the connection."""
    got = client.recv(2**20)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)\r\n", got)
    whole = got.find(b"\r\n\r\n") + 4 + int(length[1]) if length else 0
    while len(got) < whole <= SHORT_BYTES and (more := client.recv(2**16)):
        got += more
    return got


def exchange(port: int, *pieces: bytes, timeout_s: float = 60.0) -> bytes:
    """Sends bytes as they are and gives everything that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as client:
        for piece in pieces:
            client.sendall(piece)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := client.recv(65536):
                answer += chunk
        return answer


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name (a socket path has at most 107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="weyr") as folder:
        yield Path(folder)


@contextlib.contextmanager
def running_plane(*arguments: str, grants: tuple[str, ...] = ("*",)) -> Iterator[Plane]:
    """A plane in a folder of its own, that knows no route yet."""
    with short_folder() as home, Plane(home, *arguments, grants=grants) as plane:
        yield plane


@contextlib.contextmanager
def plane_and_echo(*arguments: str) -> Iterator[tuple[Plane, Process]]:
    """A plane whose route has one replica, called `a`."""
    with running_plane(*arguments) as plane, echo_replica(plane.home / "a.sock", "a") as replica:
        plane.route({"a": plane.home / "a.sock"})
        yield plane, replica


def head(method: str, path: str, *fields: str, token: str = TOKEN) -> bytes:
    """A request's head as bytes. A field `-` leaves everything away that is not given."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()
