"""The processes that the serving benches measure: replicas that echo and that stream, and the plane before them."""

import contextlib
import hashlib
import json
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ports import answers, free_port

from weyr.core.limits import Limits
from weyr.core.plain import plain_of
from weyr.core.route_limits import RouteLimits
from weyr.core.routes import RouteBody, RouteVersion, Rule, Traffic
from weyr.core.watch import Watch

TOKEN = "bench"
BODY = b"x" * 300
CHUNKS = 200
"""What `STREAM` answers with, one every two milliseconds."""
MANY = Limits(requests_per_second=1e6, burst=10**6, tokens_per_minute=10**9, concurrency=10_000, body_bytes=10**9)
"""Limits that are never reached: what they cost is what it costs to count."""

ECHO = """
    import asyncio, sys, uvloop
    from pathlib import Path
    from weyr.wire.message import Response
    from weyr.wire.process import listen_unix, stop_signal
    from weyr.wire.server import HttpServer
    async def main():
        server = HttpServer(lambda request: Response(200, request.body))
        inside = await listen_unix(server, Path(sys.argv[1]))
        outside = await asyncio.get_running_loop().create_server(server, "127.0.0.1", int(sys.argv[2]))
        await stop_signal()
        await server.drain([inside, outside], 1)
    uvloop.run(main())
"""
STREAM = f"""
    import asyncio, sys, uvloop
    HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n"
    EVENT = b'data: {{"choices":[{{"index":0,"delta":{{"content":"word"}},"finish_reason":null}}]}}\\n\\n'
    CHUNK = b"%x\\r\\n%b\\r\\n" % (len(EVENT), EVENT)
    async def answer(reader, writer):
        try:
            while await reader.readuntil(b"\\r\\n\\r\\n"):
                await reader.readexactly({len(BODY)})
                writer.write(HEAD)
                for _ in range({CHUNKS}):
                    writer.write(CHUNK)
                    await asyncio.sleep(0.002)
                writer.write(b"0\\r\\n\\r\\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
    async def main():
        server = await asyncio.start_unix_server(answer, sys.argv[1])
        await server.serve_forever()
    uvloop.run(main())
"""


class Bench:
    """The processes of one run, and the folder they share."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._planes = 0

    def start(self, *arguments: str, ready: Callable[[], bool]) -> int:
        """Starts a Python process and waits for it. Gives its pid."""
        return self.run(sys.executable, *arguments, ready=ready)

    def run(self, *command: str, ready: Callable[[], bool]) -> int:
        """Starts a process and waits for it. Gives its pid."""
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=self.folder, stdout=quiet, stderr=quiet)
        self._stack.callback(_stop, process)
        deadline = time.monotonic() + 60
        while not ready():
            assert process.poll() is None, f"{command[:3]} ended"
            assert time.monotonic() < deadline, f"{command[:3]} did not start"
            threading.Event().wait(0.02)
        return process.pid

    def script(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.py"
        path.write_text(textwrap.dedent(text))
        return path

    def uvicorn(self, name: str, text: str) -> tuple[int, int]:
        """An ASGI application on uvicorn with uvloop and httptools. Gives port and pid."""
        self.script(name, text)
        port = free_port()
        arguments = ("--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log")
        pid = self.start(
            "-m", "uvicorn", f"{name}:app", "--log-level", "error", *arguments, ready=lambda: answers(port)
        )
        return port, pid

    def echo(self) -> tuple[Path, int, int]:
        """A replica that answers with what it is sent. Gives its socket, its port and its pid."""
        path, port = self.folder / "echo.sock", free_port()
        pid = self.start(str(self.script("echo", ECHO)), str(path), str(port), ready=lambda: answers(port))
        return path, port, pid

    def stream(self) -> Path:
        """A replica that answers with `CHUNKS` events. Gives its socket."""
        path = self.folder / "stream.sock"
        self.start(str(self.script("stream", STREAM)), str(path), ready=path.exists)
        return path

    def plane(
        self, replica: Path, watch: Watch | None = None, *more: str, has_all: bool = False,
        program: Sequence[str] = ("-m", "weyr.gateway.inference"),
    ) -> tuple[int, int]:  # fmt: skip
        """The inference plane before one replica, which is told what to note. Gives port and pid.

        `has_all`: it chooses between two versions by a rule and by weight, and counts limits of callers and of all.
        """
        self._planes += 1
        name = f"{replica.stem}-{self._planes}"
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        grants = {"bench": {"grants": ["inference:call:bench/*"]}}
        (self.folder / "credentials.json").write_text(json.dumps({"principals": grants, "tokens": {digest: "bench"}}))
        replicas = (("1", str(replica)),)
        body = RouteBody("bench/model", (RouteVersion("1", "digits", replicas=replicas),), 60.0, watch=watch or Watch())
        if has_all:
            versions = RouteVersion("1", "digits", 90, replicas), RouteVersion("2", "digits", 10, replicas)
            traffic = Traffic(rules=(Rule("2", headers=(("x-beta", "1"),)),))
            body = replace(body, versions=versions, traffic=traffic, limits=RouteLimits(per_caller=MANY, total=MANY))
            more = (*more, "--limits", str(self.folder / f"{name}.limits"))
        routes = self.folder / f"{name}.routes.json"
        entry = {"generation": 1, "route": plain_of(body)}
        routes.write_text(json.dumps({"generation": 1, "endpoints": {"bench/model": entry}}))
        # A folder for each: planes whose control sockets lie together share one port, and each other's requests.
        own = self.folder / name
        own.mkdir()
        info = own / "info.json"
        arguments = ("--routes", str(routes), "--credentials", "credentials.json", "--audit", "audit.jsonl", *more)
        control = str(own / "inference.control")
        pid = self.start(*program, *arguments, "--control", control, "--info", str(info), ready=info.exists)
        return int(json.loads(info.read_text())["port"]), pid


def post(path: str, body: bytes, *more: str) -> bytes:
    """A request with the bench's token, and `more` lines in its head."""
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", "Accept: */*", f"Authorization: Bearer {TOKEN}", *more)
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "", "")
    return "\r\n".join((*lines, *fields)).encode() + body


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
