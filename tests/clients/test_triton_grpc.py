"""Do Triton's gRPC clients, blocking, async and streaming, work through the gRPC door, on a replica and the plane?"""

import asyncio
import json
import queue
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from inference_plane import ROUTE, TOKEN, Plane, Process, running_plane, until
from served_models import Identity, rows, served
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from weyr.runtime.serve.model import Model
from weyr.runtime.serve.tensor import DTYPES, TensorSpec

HEADERS = {"authorization": f"Bearer {TOKEN}", "weyr-endpoint": ROUTE}


def typed(datatype: str) -> Model:
    specs = (TensorSpec("x", datatype, (-1, -1)),), (TensorSpec("y", datatype, (-1, -1)),)
    return Model(datatype.lower(), "7", Identity(*specs))


class Doors:
    """A replica's models behind two gRPC doors: one before the replica itself, one before the plane."""

    def __init__(self, direct: int, through: int, plane: Plane) -> None:
        self.direct, self.through, self.plane = direct, through, plane


def door(stack: ExitStack, folder: Path, name: str, *arguments: str) -> int:
    info = folder / f"{name}.json"
    stack.enter_context(Process("-m", "weyr.gateway.grpc", *arguments, "--info", str(info)))
    until(info.exists, "the gRPC door opens")
    return int(json.loads(info.read_text())["port"])


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("grpc")
    models = [*(typed(datatype) for datatype in DTYPES), Model("echo", "1", Identity()), Model("echo", "2", Identity())]
    with ExitStack() as stack:
        plane = stack.enter_context(running_plane())
        socket = plane.home / "replica.sock"
        stack.enter_context(served(models, socket=socket))
        plane.route({"1": socket}, hold_s=20)
        direct = door(stack, folder, "direct", "--replica", str(socket))
        through = door(stack, folder, "through", "--plane", f"127.0.0.1:{plane.port}")
        yield Doors(direct, through, plane)


@pytest.fixture(scope="module")
def client(doors: Doors) -> Iterator[Any]:
    with triton.InferenceServerClient(f"127.0.0.1:{doors.direct}") as client:
        yield client


def tensor(values: Any, datatype: str = "FP32") -> Any:
    made = triton.InferInput("x", list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


VALUES: dict[str, Any] = {"BYTES": [["a", "wörd"], ["", "b"]], "BOOL": [[True, False], [False, True]]}


@pytest.mark.parametrize("datatype", DTYPES)
def test_every_datatype_goes_through_and_back(client: Any, datatype: str) -> None:
    """The raw bytes are those of the HTTP protocol; nothing is converted on the way."""
    values = np.array(VALUES.get(datatype, [[0, 1], [2, 100]]), dtype=DTYPES[datatype])
    given = client.infer(datatype.lower(), [tensor(values, datatype)], request_id="mine")
    assert given.get_response().id == "mine"
    told = given.as_numpy("y")
    if datatype == "BYTES":
        told = np.array([[text.decode() for text in row] for row in told])
    assert told.tolist() == values.tolist()


def test_brain_floats_are_taken(client: Any) -> None:
    """They become the FP32 that hold them."""
    values = np.array([[1.5, -2.0]], dtype=ml_dtypes.bfloat16)
    assert np.array_equal(client.infer("fp32", [tensor(values, "BF16")]).as_numpy("y"), values.astype(np.float32))


TYPED: dict[str, tuple[str, list[Any]]] = {
    "BOOL": ("bool_contents", [True, False]), "INT8": ("int_contents", [-128, 127]), "INT16": ("int_contents", [-1, 2]),
    "INT32": ("int_contents", [-1, 2]), "INT64": ("int64_contents", [-(2**63), 2]),
    "UINT8": ("uint_contents", [0, 255]), "UINT16": ("uint_contents", [1, 2]), "UINT32": ("uint_contents", [1, 2]),
    "UINT64": ("uint64_contents", [1, 2**64 - 1]), "FP32": ("fp32_contents", [0.5, -1.0]),
    "FP64": ("fp64_contents", [0.1, -1.0]),
    "BYTES": ("bytes_contents", [b"a", b""]),
}  # fmt: skip


def stub(port: int, stack: ExitStack) -> Any:
    import grpc

    return service_pb2_grpc.GRPCInferenceServiceStub(stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}")))


def typed_request(datatype: str, field: str, values: list[Any]) -> Any:
    request = service_pb2.ModelInferRequest(model_name=datatype.lower())
    given = request.inputs.add(name="x", datatype=datatype, shape=[1, 2])
    getattr(given.contents, field).extend(values)
    return request


def test_typed_contents_are_taken_too(doors: Doors) -> None:
    """People who write clients by hand use them; a number beyond its datatype is refused as in JSON."""
    with ExitStack() as stack:
        calls = stub(doors.direct, stack)
        for datatype, (field, values) in TYPED.items():
            answer = calls.ModelInfer(typed_request(datatype, field, values))
            raw = typed_request(datatype, field, values)
            assert answer.outputs[0].shape == raw.inputs[0].shape
            width = len(answer.raw_output_contents[0])
            assert width == (9 if datatype == "BYTES" else 2 * np.dtype(DTYPES[datatype]).itemsize)
        wrong: list[tuple[str, str, list[Any]]] = [
            ("INT8", "int_contents", [0, 128]),
            ("UINT8", "uint_contents", [0, 256]),
            ("FP16", "fp32_contents", [1.0]),
            ("FP32", "fp64_contents", [1.0, 2.0]),
            ("FP32", "fp32_contents", [1.0]),
        ]
        for datatype, field, values in wrong:
            with pytest.raises(Exception, match="INVALID_ARGUMENT"):
                calls.ModelInfer(typed_request(datatype, field, values))


def test_everything_that_is_told_over_http_is_told_here(client: Any) -> None:
    """Metadata, readiness, configuration, statistics and the repository."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("echo", "2")
    assert not client.is_model_ready("nobody")
    assert "model_repository" in client.get_server_metadata().extensions
    metadata = client.get_model_metadata("echo")
    assert (metadata.platform, list(metadata.inputs[0].shape)) == ("identity", [-1, -1])
    config = client.get_model_config("fp32", as_json=True)["config"]
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": ["-1", "-1"]}]
    client.infer("echo", [tensor(rows(4))], "1")
    assert client.get_inference_statistics("echo", "1").model_stats[0].inference_count >= 4
    client.unload_model("fp64")
    states = {model.name: model.state for model in client.get_model_repository_index().models}
    assert (states["fp64"], states["fp32"]) == ("UNAVAILABLE", "READY")
    client.load_model("fp64")
    assert client.is_model_ready("fp64")


def test_failures_have_the_status_that_belongs_to_them(client: Any) -> None:
    """A client decides by it whether to come again."""
    wrong: list[tuple[Callable[[], Any], str]] = [
        (lambda: client.infer("nobody", [tensor(rows(1))]), "NOT_FOUND"),
        (lambda: client.infer("echo", [tensor(rows(1), "FP32")], "9"), "NOT_FOUND"),
        (lambda: client.infer("fp64", [tensor(np.array([["a"]], dtype=object), "BYTES")]), "INVALID_ARGUMENT"),
        (lambda: client.infer("echo", [tensor(rows(1))], priority=3), "INVALID_ARGUMENT"),
        (lambda: client.infer("echo", [tensor(rows(1))], outputs=[triton.InferRequestedOutput("y", 2)]), "INVALID"),
        (lambda: client.load_model("echo", config="{}"), "INVALID_ARGUMENT"),
        (lambda: client.register_system_shared_memory("a", "/a", 8), "UNIMPLEMENTED"),
        (lambda: client.update_log_settings({"log_info": True}), "UNIMPLEMENTED"),
    ]
    for call, status in wrong:
        with pytest.raises(InferenceServerException) as raised:
            call()
        assert status in str(raised.value.status())


def test_a_stream_answers_each_request_in_its_turn(client: Any) -> None:
    """An error in one is that one's answer."""
    answers: queue.Queue[Any] = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    for n in range(1, 4):
        client.async_stream_infer("echo" if n != 2 else "nobody", [tensor(rows(n))])
    given = [answers.get(timeout=60) for _ in range(3)]
    client.stop_stream()
    assert np.array_equal(given[0][0].as_numpy("y"), rows(1))
    assert "not served here" in str(given[1][1])
    assert np.array_equal(given[2][0].as_numpy("y"), rows(3))


def test_the_async_client_works_through_the_plane(doors: Doors) -> None:
    """The plane asks who calls and counts it, as for HTTP; compressed calls too."""

    async def told() -> list[Any]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{doors.through}") as client:
            assert await client.is_model_ready("echo", headers=HEADERS)
            made = [
                client.infer("echo", [tensor(rows(n))], headers=HEADERS, compression_algorithm=way)
                for n in range(1, 9)
                for way in (None, "gzip")
            ]
            return [given.as_numpy("y") for given in await asyncio.gather(*made)]

    before = doors.plane.stats()["requests"]
    given = asyncio.run(told())
    assert [len(array) for array in given] == [n for n in range(1, 9) for _ in range(2)]
    assert doors.plane.stats()["requests"] - before == 17


def test_the_plane_says_who_may_call(doors: Doors) -> None:
    """The door itself knows nobody: whom the plane refuses is refused."""
    with triton.InferenceServerClient(f"127.0.0.1:{doors.through}") as client:
        for headers, status in (
            ({"weyr-endpoint": ROUTE}, "UNAUTHENTICATED"),
            ({**HEADERS, "weyr-endpoint": "digits/elsewhere"}, "NOT_FOUND"),
            ({"authorization": HEADERS["authorization"]}, "INVALID_ARGUMENT"),
        ):
            with pytest.raises(InferenceServerException) as raised:
                client.infer("echo", [tensor(rows(1))], headers=headers)
            assert status in str(raised.value.status()), raised.value
