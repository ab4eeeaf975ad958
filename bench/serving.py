"""What does a request cost through the inference plane and in the model server, next to peers in the same run?

`python bench/serving.py` prints a table in under a minute. CPU is that of the named processes, per request, as the
kernel counts it; the load comes from this process, so on two cores req/s is that of a contended machine.
"""

import contextlib
import hashlib
import json
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from http_load import Load, measure

from weyr.core.plain import plain_of
from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.watch import Watch

TOKEN = "bench"
SECONDS = 1.2
CONNECTIONS = (1, 16, 64)
BODY = b"x" * 300
DIGIT = json.dumps(
    {
        "inputs": [{"name": "input", "shape": [1, 64], "datatype": "FP64", "data": [0.5] * 64}],
        "outputs": [{"name": "predict"}],
    }
).encode()

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
ASGI = """
    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        length = str(len(body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": body})
"""
FASTAPI = """
    from fastapi import FastAPI, Request, Response
    app = FastAPI()
    @app.post("/{path:path}")
    async def echo(path: str, request: Request):
        return Response(await request.body())
"""
FASTAPI_MODEL = """
    import sys, numpy as np, skops.io
    from fastapi import FastAPI
    from pydantic import BaseModel
    model = skops.io.load(MODEL)
    class Tensor(BaseModel):
        name: str
        shape: list[int]
        datatype: str
        data: list[float]
    class Ask(BaseModel):
        inputs: list[Tensor]
    app = FastAPI()
    @app.post("/{path:path}")
    def infer(path: str, ask: Ask):
        rows = np.array(ask.inputs[0].data).reshape(ask.inputs[0].shape)
        given = model.predict(rows)
        output = {"name": "predict", "shape": list(given.shape), "datatype": "INT64", "data": given.tolist()}
        return {"outputs": [output]}
"""
SAVE = """
    import sys
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    import skops.io, pathlib
    pixels, labels = load_digits(return_X_y=True)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir()
    skops.io.dump(LogisticRegression(max_iter=300).fit(pixels / 16, labels), folder / "model.skops")
    (folder / "MLmodel").write_text("flavors: {sklearn: {pickled_model: model.skops, serialization_format: skops}}")
"""


@dataclass(frozen=True)
class Case:
    """One row of the table: where to send what, and whose CPU counts."""

    name: str
    port: int
    request: bytes
    pids: list[int]


class Bench:
    """The processes of one run, and the folder they share."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._planes = 0

    def start(self, *arguments: str, ready: Callable[[], bool]) -> int:
        """Starts a Python process and waits for it. Gives its pid."""
        quiet = subprocess.DEVNULL
        process = subprocess.Popen([sys.executable, *arguments], cwd=self.folder, stdout=quiet, stderr=quiet)
        self._stack.callback(_stop, process)
        deadline = time.monotonic() + 60
        while not ready():
            assert process.poll() is None, f"{arguments[:2]} ended"
            assert time.monotonic() < deadline, f"{arguments[:2]} did not start"
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

    def plane(self, replica: Path, watch: Watch | None = None, *more: str) -> tuple[int, int]:
        """The inference plane before one replica, which is told what to note. Gives port and pid."""
        self._planes += 1
        name = f"{replica.stem}-{self._planes}"
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        grants = {"bench": {"grants": ["inference:call:bench/*"]}}
        (self.folder / "credentials.json").write_text(json.dumps({"principals": grants, "tokens": {digest: "bench"}}))
        version = RouteVersion("1", "digits", replicas=(("1", str(replica)),))
        body = RouteBody("bench/model", (version,), 60.0, watch=watch or Watch())
        routes = self.folder / f"{name}.routes.json"
        entry = {"generation": 1, "route": plain_of(body)}
        routes.write_text(json.dumps({"generation": 1, "endpoints": {"bench/model": entry}}))
        info = self.folder / f"{name}.info.json"
        arguments = ("--routes", str(routes), "--credentials", "credentials.json", "--audit", "audit.jsonl", *more)
        control = str(self.folder / f"{name}.control")
        pid = self.start(
            "-m", "weyr.gateway.inference", *arguments, "--control", control, "--info", str(info), ready=info.exists
        )
        return int(json.loads(info.read_text())["port"]), pid


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weyr-bench")))
        bench = Bench(folder, stack)
        print(f"{'':34}" + "".join(f"{n:>8} conn. µs    req/s   p50 ms" for n in CONNECTIONS))
        echo = [_measured(case) for case in _echo_cases(bench)]
        models = [_measured(case) for case in _model_cases(bench)]
    _, plane, both, asgi, fastapi = (loads[-1] for loads in echo)
    print(f"\nplane / bare ASGI, CPU:          {plane.cpu_us / asgi.cpu_us:5.2f}   (aim: the plane at most 40 µs)")
    print(f"plane / FastAPI, CPU:            {plane.cpu_us / fastapi.cpu_us:5.2f}")
    print(f"plane adds to p50 at 1 conn.:    {echo[1][0].p50_ms - echo[0][0].p50_ms:5.2f} ms   (aim: at most 0.3)")
    ours, through, theirs = (loads[-1] for loads in models)
    print(f"model server / FastAPI, CPU:     {ours.cpu_us / theirs.cpu_us:5.2f}")
    print(f"model server / FastAPI, req/s:   {ours.per_s / theirs.per_s:5.2f}")
    failures = sum(load.failures for loads in (*echo, *models) for load in loads)
    print(f"plane and echo together: {both.cpu_us:.0f} µs; plane and model server: {through.cpu_us:.0f} µs")
    print(f"failures: {failures}")
    assert failures == 0
    assert all(load.per_s for loads in (*echo, *models) for load in loads)


def _echo_cases(bench: Bench) -> Iterator[Case]:
    path, port = bench.folder / "echo.sock", free_port()
    echo = bench.start(str(bench.script("echo", ECHO)), str(path), str(port), ready=lambda: answers(port))
    yield Case("echo, direct", port, post("/echo", BODY), [echo])
    plane_port, plane = bench.plane(path)
    yield Case("echo through the plane: plane only", plane_port, post("/bench/model/echo", BODY), [plane])
    yield Case("echo through the plane: both", plane_port, post("/bench/model/echo", BODY), [plane, echo])
    asgi_port, asgi = bench.uvicorn("bare_asgi", ASGI)
    yield Case("echo, bare ASGI on uvicorn", asgi_port, post("/echo", BODY), [asgi])
    fastapi_port, fastapi = bench.uvicorn("fastapi_echo", FASTAPI)
    yield Case("echo, FastAPI on uvicorn", fastapi_port, post("/echo", BODY), [fastapi])


def _model_cases(bench: Bench) -> Iterator[Case]:
    replica, path = served_digits(bench)
    port, plane = bench.plane(path)
    request = post("/bench/model/v2/models/digits/infer", DIGIT)
    yield Case("digits, model server only", port, request, [replica])
    yield Case("digits, plane and model server", port, request, [plane, replica])
    text = FASTAPI_MODEL.replace("MODEL", repr(str(bench.folder / "model" / "model.skops")), 1)
    peer_port, peer = bench.uvicorn("fastapi_model", text)
    yield Case("digits, FastAPI on uvicorn", peer_port, post("/infer", DIGIT), [peer])


def served_digits(bench: Bench) -> tuple[int, Path]:
    """The model server with the digits model. Gives its pid and its socket."""
    model, path = bench.folder / "model", bench.folder / "model.sock"
    subprocess.run([sys.executable, str(bench.script("save", SAVE)), str(model)], check=True)
    options = ("--source", model.as_uri(), "--cache", "cache", "--name", "digits", "--version", "1")
    return bench.start("-m", "weyr.runtime.serve", *options, "--socket", str(path), ready=lambda: _is_ready(path)), path


def _measured(case: Case) -> list[Load]:
    loads = [measure(case.port, case.request, n, SECONDS, case.pids) for n in CONNECTIONS]
    cells = "".join(f"{load.cpu_us:17.0f} {load.per_s:8.0f} {load.p50_ms:8.2f}" for load in loads)
    print(f"{case.name:34}{cells}", flush=True)
    return loads


def post(path: str, body: bytes, *more: str) -> bytes:
    """A request with the bench's token, and `more` lines in its head."""
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", "Accept: */*", f"Authorization: Bearer {TOKEN}", *more)
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "", "")
    return "\r\n".join((*lines, *fields)).encode() + body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_ready(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        return client.recv(1000).startswith(b"HTTP/1.1 200")
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
