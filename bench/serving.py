"""What does a request cost through the inference plane and in the model server, next to peers in the same run?

`python bench/serving.py` prints a table in about two minutes. CPU is that of the named processes, per request, as the
kernel counts it; the load comes from this process, so on two cores req/s is that of a contended machine.
"""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from http_load import Load, measure
from serving_bench import BODY, CHUNKS, Bench, post
from serving_peers import PEERS

SECONDS = 1.2
CONNECTIONS = (1, 16, 64)
STREAMS = 16
PLAIN, ALL = "plane, nothing configured", "plane, routing and limits on"
"""Authentication and metrics are always on."""
Way = Callable[[Path], tuple[int, int] | None]
"""Starts a proxy before a replica. Gives its port and its pid; None where it is not installed."""
DIGIT = json.dumps(
    {
        "inputs": [{"name": "input", "shape": [1, 64], "datatype": "FP64", "data": [0.5] * 64}],
        "outputs": [{"name": "predict"}],
    }
).encode()

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


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weyr-bench")))
        bench = Bench(folder, stack)
        print(f"{'':34}" + "".join(f"{n:>6} conn. µs   req/s  p50 ms  p99 ms" for n in CONNECTIONS) + "  µs/chunk")
        path, port, echo = bench.echo()
        direct = _measured(Case("echo, direct", port, post("/echo", BODY), [echo]))
        proxies = {row.name: row for row in _proxies(bench, path)}
        servers = [_measured(case) for case in _servers(bench)]
        models = [_measured(case) for case in _model_cases(bench)]
    _compared(direct, proxies)
    asgi, fastapi = (loads[-1] for loads in servers)
    plane = proxies[ALL].loads[-1]
    print(f"plane / bare ASGI, CPU:          {plane.cpu_us / asgi.cpu_us:5.2f}")
    print(f"plane / FastAPI, CPU:            {plane.cpu_us / fastapi.cpu_us:5.2f}")
    ours, through, theirs = (loads[-1] for loads in models)
    print(f"model server / FastAPI, CPU:     {ours.cpu_us / theirs.cpu_us:5.2f}")
    print(f"model server / FastAPI, req/s:   {ours.per_s / theirs.per_s:5.2f}")
    print(f"plane and model server together: {through.cpu_us:.0f} µs")
    everything = (direct, *(row.loads for row in proxies.values()), *servers, *models)
    failures = sum(load.failures for loads in everything for load in loads)
    print(f"failures: {failures}")
    assert failures == 0
    assert all(load.per_s for loads in everything for load in loads)


@dataclass(frozen=True)
class Row:
    """What a proxy before the echo cost at each number of connections, and for each chunk of a stream."""

    name: str
    loads: list[Load]
    chunk_us: float


def _proxies(bench: Bench, echo: Path) -> Iterator[Row]:
    stream = bench.stream()
    ways: dict[str, Way] = {
        PLAIN: lambda replica: bench.plane(replica),
        ALL: lambda replica: bench.plane(replica, has_all=True),
        **{name: partial(peer, bench) for name, peer in PEERS.items()},
    }
    for name, way in ways.items():
        before_echo, before_stream = way(echo), way(stream)
        if before_echo is None or before_stream is None:
            print(f"{name:34}is not installed here: not measured")
            continue
        loads = _measured(Case(name, before_echo[0], post("/bench/model/echo", BODY), [before_echo[1]]), ends="")
        asked = post("/bench/model/v1/chat/completions", BODY)
        streamed = measure(before_stream[0], asked, STREAMS, SECONDS * 2, [before_stream[1]])
        assert streamed.failures == 0
        yield Row(name, loads, streamed.cpu_us / CHUNKS)
        print(f"{streamed.cpu_us / CHUNKS:10.1f}", flush=True)


def _compared(direct: list[Load], proxies: dict[str, Row]) -> None:
    everything = proxies[ALL]
    worst_us = max(load.cpu_us for load in everything.loads[1:])
    print(f"\n{ALL}: {worst_us:.1f} µs a request at most at {CONNECTIONS[1]} connections and more (aim 40)")
    print(f"{'':34}{everything.chunk_us:.1f} µs a chunk (aim 20)")
    for name, row in proxies.items():
        added_ms = row.loads[0].p50_ms - direct[0].p50_ms
        print(f"{name:34}{added_ms:6.2f} ms added to p50 at 1 connection" + (" (aim 0.3)" if name == ALL else ""))
    for name in PEERS:
        if name in proxies:
            peer = proxies[name]
            cpu, chunk = everything.loads[-1].cpu_us / peer.loads[-1].cpu_us, everything.chunk_us / peer.chunk_us
            print(f"plane with all / {name:17}{cpu:6.2f} of its CPU per request, {chunk:5.2f} per chunk")


def _servers(bench: Bench) -> Iterator[Case]:
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


def _measured(case: Case, ends: str = "\n") -> list[Load]:
    loads = [measure(case.port, case.request, n, SECONDS, case.pids) for n in CONNECTIONS]
    cells = "".join(f"{load.cpu_us:15.1f} {load.per_s:7.0f} {load.p50_ms:7.2f} {load.p99_ms:7.2f}" for load in loads)
    print(f"{case.name:34}{cells}", end=ends, flush=True)
    return loads


def _is_ready(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        return client.recv(1000).startswith(b"HTTP/1.1 200")
    return False


if __name__ == "__main__":
    main()
