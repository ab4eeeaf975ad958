"""What does a request cost the model server, by protocol, model and number of callers? Beside FastAPI in the same run.

`python bench/protocols.py` prints a table in about a minute. CPU is that of the server's process per request, as the
kernel counts it; 1,000,000 divided by it is what one core could do. The load is made by this process, on those cores.
"""

import contextlib
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from grpc_load import measure_grpc
from http_load import Load, measure
from ports import answers, free_port
from serving_bench import Bench, post

from weyr.gateway.grpc.messages import classes

CONNECTIONS = (1, 16, 64)
SECONDS = 1.2
WIDTH = 8

SERVER = """
    import asyncio, sys, uvloop
    from pathlib import Path
    from weyr.runtime.serve.app import App
    from weyr.runtime.serve.batch import Batching
    from weyr.runtime.serve.desk import Desk
    from weyr.runtime.serve.formats.trust import Loading
    from weyr.runtime.serve.load import load
    from weyr.runtime.serve.model import Model
    from weyr.runtime.serve.shelf import Shelf, Source
    from weyr.runtime.serve.tensor import TensorSpec
    from weyr.wire.process import stop_signal
    from weyr.wire.server import HttpServer

    class Echo:
        platform, is_rowwise = "echo", True
        inputs, outputs = (TensorSpec("x", "FP32", (-1, -1)),), (TensorSpec("y", "FP32", (-1, -1)),)
        def warm_up(self): pass
        def predict(self, inputs, outputs): return {"y": inputs["x"]}

    class Loader:
        def fetch(self, source): return Path(source.place), 0
        def load(self, source, folder):
            if source.name == "echo":
                return Model("echo", "1", Echo())
            return load(folder, source.name, source.version, Loading(1, False, ""))

    async def main():
        port, rows_max, *models = sys.argv[1:]
        sources = [Source(*model.split("=", 1)[:1], "1", model.split("=", 1)[1]) for model in models]
        shelf = Shelf([Source("echo", "1", "/"), *sources], Loader(), Batching(rows_max=int(rows_max)))
        desk = Desk(shelf)
        await shelf.fill()
        desk.is_filled = True
        server = HttpServer(App(desk))
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", int(port))
        await stop_signal()
        await server.drain([listener], 1)
    uvloop.run(main())
"""
FASTAPI = """
    from fastapi import FastAPI
    from pydantic import BaseModel
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
        given = ask.inputs[0]
        output = {"name": "y", "shape": given.shape, "datatype": "FP32", "data": given.data}
        return {"model_name": "echo", "outputs": [output]}
"""
SAVE = """
    import pathlib, sys
    import numpy as np, onnx, skops.io
    from onnx import TensorProto, helper, numpy_helper
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    pixels, labels = load_digits(return_X_y=True)
    folder = pathlib.Path(sys.argv[1])
    (folder / "digits").mkdir()
    (folder / "net").mkdir()
    skops.io.dump(LogisticRegression(max_iter=300).fit(pixels / 16, labels), folder / "digits" / "model.skops")
    saved = "flavors: {sklearn: {pickled_model: model.skops, serialization_format: skops}}"
    (folder / "digits" / "MLmodel").write_text(saved)
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.normal(size=size).astype("f4"), name) for name, size in
               (("a", (64, 512)), ("b", (512, 512)), ("c", (512, 10)))]
    steps, at = [], "input"
    for n, name in enumerate("abc"):
        steps += [helper.make_node("MatMul", [at, name], [f"m{n}"]),
                  helper.make_node("Relu", [f"m{n}"], ["output" if n == 2 else f"r{n}"])]
        at = f"r{n}"
    shape = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
    graph = helper.make_graph(steps, "net", [shape("input", 64)], [shape("output", 10)], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, folder / "net" / "model.onnx")
"""


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weyr-bench")))
        bench = Bench(folder, stack)
        subprocess.run([sys.executable, str(bench.script("save", SAVE)), str(folder)], check=True)
        port, pid = _server(bench, 512, f"digits={folder / 'digits'}", f"net={folder / 'net'}")
        alone_port, alone = _server(bench, 1, f"net={folder / 'net'}", f"digits={folder / 'digits'}")
        door_port, door = _door(bench, port)
        peer_port, peer = bench.uvicorn("fastapi_echo_v2", FASTAPI)
        print(f"{'':34}" + "".join(f"{n:>8} conn. µs    req/s   p50 ms" for n in CONNECTIONS))
        echo = _row("echo, v2 JSON", port, "/v2/models/echo/infer", _tensor("x", WIDTH), pid)
        _row("echo, v2 binary", port, "/v2/models/echo/infer", *_binary(), pid)
        both = _grpc_row("echo, gRPC, door and server", door_port, [door, pid])
        _grpc_row("echo, gRPC, the door alone", door_port, [door])
        _row("echo, V1 :predict", port, "/v1/models/echo:predict", {"instances": [[0.5] * WIDTH]}, pid)
        _row("echo, plain JSON", port, "/predict/echo", [[0.5] * WIDTH], pid)
        theirs = _row("echo, v2 JSON, FastAPI", peer_port, "/infer", _tensor("x", WIDTH), peer)
        digits = _row("digits (scikit-learn), v2 JSON", port, "/v2/models/digits/infer", _digits(), pid)
        single = _row("digits, batches of 1", alone_port, "/v2/models/digits/infer", _digits(), alone)
        together = _row("net (ONNX), v2 JSON", port, "/v2/models/net/infer", _tensor("input", 64), pid)
        apart = _row("net (ONNX), batches of 1", alone_port, "/v2/models/net/infer", _tensor("input", 64), alone)
    print(f"\necho, v2 JSON, per core: {1e6 / echo[-1].cpu_us:8.0f} requests per second   (aim: 10,000)")
    print(f"FastAPI / ours, CPU, echo at 64:  {theirs[-1].cpu_us / echo[-1].cpu_us:6.2f}")
    print(f"gRPC / HTTP JSON, CPU, at 64:     {both[-1].cpu_us / echo[-1].cpu_us:6.2f}")
    for name, batched, apart_ in (("scikit-learn", digits, single), ("ONNX", together, apart)):
        print(f"batching gain, {name}, req/s and CPU at 64:  {_gain(batched[-1], apart_[-1])}, at 1: "
              f"{_gain(batched[0], apart_[0])}")  # fmt: skip
    assert sum(load.failures for loads in (echo, theirs, together, apart, both) for load in loads) == 0


def _gain(batched: Load, apart: Load) -> str:
    return f"{batched.per_s / apart.per_s:5.2f} {apart.cpu_us / batched.cpu_us:5.2f}"


def _door(bench: Bench, replica: int) -> tuple[int, int]:
    """The gRPC door before our server. Gives port and pid."""
    port = free_port()
    info = bench.folder / "grpc.json"
    words = ("-m", "weyr.gateway.grpc", "--replica", f"127.0.0.1:{replica}", "--port", str(port), "--info", str(info))
    return port, bench.start(*words, ready=info.exists)


def _grpc_row(name: str, port: int, pids: list[int]) -> list[Load]:
    """The echo with raw tensors, by gRPC."""
    made = classes()["ModelInferRequest"](
        model_name="echo", raw_input_contents=[struct.pack(f"<{WIDTH}f", *[0.5] * WIDTH)]
    )
    made.inputs.add(name="x", datatype="FP32", shape=[1, WIDTH])
    return _told(name, [measure_grpc(port, made.SerializeToString(), n, SECONDS, pids) for n in CONNECTIONS])


def _server(bench: Bench, rows_max: int, *models: str) -> tuple[int, int]:
    """Our server with batches of up to `rows_max`. Gives port and pid."""
    port = free_port()
    script = bench.script("server", SERVER)
    return port, bench.start(str(script), str(port), str(rows_max), *models, ready=lambda: answers(port))


def _row(name: str, port: int, path: str, body: object, *more: object) -> list[Load]:
    """Measures one row and prints it. `more` is the pid, after a header's line where there is one."""
    *lines, pid = more
    request = post(path, body if isinstance(body, bytes) else json.dumps(body).encode(), *map(str, lines))
    assert isinstance(pid, int)
    return _told(name, [measure(port, request, n, SECONDS, [pid]) for n in CONNECTIONS])


def _told(name: str, loads: list[Load]) -> list[Load]:
    cells = "".join(f"{load.cpu_us:17.0f} {load.per_s:8.0f} {load.p50_ms:8.2f}" for load in loads)
    print(f"{name:34}{cells}", flush=True)
    assert all(load.per_s and not load.failures for load in loads), name
    return loads


def _tensor(name: str, width: int) -> dict[str, object]:
    return {"inputs": [{"name": name, "shape": [1, width], "datatype": "FP32", "data": [0.5] * width}]}


def _digits() -> dict[str, object]:
    return {**_tensor("input", 64), "outputs": [{"name": "predict"}]}


def _binary() -> tuple[bytes, str]:
    """Raw tensors both ways."""
    described = {"name": "x", "shape": [1, WIDTH], "datatype": "FP32", "parameters": {"binary_data_size": 4 * WIDTH}}
    head = json.dumps({"inputs": [described], "parameters": {"binary_data_output": True}}).encode()
    return head + struct.pack(f"<{WIDTH}f", *[0.5] * WIDTH), f"Inference-Header-Content-Length: {len(head)}"


if __name__ == "__main__":
    main()
