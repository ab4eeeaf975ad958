"""Replicas in threads of the test, each of a version of its own, and a plane that sends to them."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

from inference_plane import ROUTE, Plane, running_plane

from weyr.core.route_limits import UNLIMITED, RouteLimits
from weyr.core.routes import RouteBody, RouteVersion, Traffic, VersionCounts


@dataclass
class Got:
    """One request as a replica got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, bytes]
PLAIN = Traffic()


@dataclass
class Variant:
    """A replica that answers as `answers` says, by default with its name, and keeps what it got. A status of 0 breaks
    the connection off."""

    name: str
    path: Path
    answers: Callable[[Got], Answer] = lambda got: (200, b"")
    got: list[Got] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers = lambda got: (200, json.dumps({"by": self.name}).encode())


class _Server(ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    variant: Variant


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        while "content-length" not in self.headers and self.command == "POST":
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        got = Got(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.variant.got.append(got)
        with contextlib.suppress(OSError):
            status, answer = self.server.variant.answers(got)
            if not status:
                self.close_connection = True  # as a process that is killed
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer)

    do_GET = do_POST = _answer  # noqa: N815 - the names that the library calls

    def address_string(self) -> str:
        return "plane"

    def log_message(self, format: str, *args: object) -> None:
        return None


@contextlib.contextmanager
def serving(variant: Variant) -> Iterator[Variant]:
    """Lets it listen."""
    with _Server(str(variant.path), Handler) as server:
        server.variant = variant
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield variant
        finally:
            server.shutdown()
            thread.join(10)


class Trial:
    """A plane, and variants `a`, `b` and `c` of one endpoint."""

    def __init__(self, plane: Plane, variants: dict[str, Variant]) -> None:
        self.plane, self.variants = plane, variants

    def tell(
        self,
        traffic: Traffic = PLAIN,
        absent: str = "",
        hold_s: float = 60.0,
        limits: RouteLimits = UNLIMITED,
        **weights: int,
    ) -> None:
        """Routes with these weights; the variants in `absent` have no replica."""
        versions = tuple(
            RouteVersion(name, "m", weight, () if name in absent else ((name, str(self.variants[name].path)),))
            for name, weight in weights.items()
        )
        for variant in self.variants.values():
            variant.__post_init__()
            variant.got.clear()
        self.plane.tell(RouteBody(ROUTE, versions, hold_s, traffic, limits))

    def ask(self, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> tuple[int, bytes]:
        """One request; with a body it is a POST."""
        return self.plane.ask(f"/{ROUTE}/x", "POST" if body is not None else "GET", body, **(headers or {}))

    def by(self, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> str:
        """Who answered."""
        status, answer = self.ask(headers, body)
        assert status == 200, answer
        return str(json.loads(answer)["by"])

    def counts(self) -> dict[str, VersionCounts]:
        """What the plane has counted so far."""
        from_plane = self.plane.facts().versions
        return {counts.name: counts for counts in from_plane}


@contextlib.contextmanager
def running_trial(*arguments: str) -> Iterator[Trial]:
    with running_plane(*arguments) as plane, contextlib.ExitStack() as held:
        variants = {name: held.enter_context(serving(Variant(name, plane.home / f"{name}.sock"))) for name in "abc"}
        yield Trial(plane, variants)


def raw(plane: Plane, *pieces: bytes, waits: bool = False) -> bytes:
    """A request as bytes, each piece in a packet of its own, and all that comes back until the plane closes.

    With `waits` the second piece is sent only once something came back.
    """
    with socket.create_connection(("127.0.0.1", plane.port), timeout=60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(pieces[0])
        first = client.recv(65536) if waits else b""
        for piece in pieces[1:]:
            client.sendall(piece)
        return first + b"".join(iter(lambda: client.recv(65536), b""))
