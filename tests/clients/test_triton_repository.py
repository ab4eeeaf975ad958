"""Do all calls of the unmodified Triton HTTP clients, blocking and async, work on a replica of several models?"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from served_models import Identity, rows, served
from tritonclient.utils import InferenceServerException

from weyr.runtime.serve.model import Model
from weyr.runtime.serve.tensor import DTYPES, TensorSpec


def typed(datatype: str) -> Model:
    specs = (TensorSpec("x", datatype, (-1, -1)),), (TensorSpec("y", datatype, (-1, -1)),)
    return Model(datatype.lower(), "7", Identity(*specs))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    models = [typed(datatype) for datatype in DTYPES]
    with served([*models, Model("echo", "1", Identity()), Model("echo", "2", Identity())]) as port:
        yield port


@pytest.fixture(scope="module")
def client(port: int) -> Iterator[Any]:
    client = triton.InferenceServerClient(f"127.0.0.1:{port}")
    yield client
    client.close()


def tensor(values: Any, datatype: str = "FP32", is_binary: bool = True) -> Any:
    made = triton.InferInput("x", list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=is_binary)
    return made


VALUES: dict[str, Any] = {"BYTES": [["a", "wörd"], ["", "b"]], "BOOL": [[True, False], [False, True]]}


@pytest.mark.parametrize("is_binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("datatype", DTYPES)
def test_every_datatype_goes_through_the_client_and_back(client: Any, datatype: str, is_binary: bool) -> None:
    """Text and half precision too, which the client itself writes only one way."""
    values = np.array(VALUES.get(datatype, [[0, 1], [2, 100]]), dtype=DTYPES[datatype])
    # The client refuses to write FP16 as JSON.
    sent = tensor(values, datatype, is_binary or datatype == "FP16")
    wanted = [triton.InferRequestedOutput("y", binary_data=is_binary)]
    given = client.infer(datatype.lower(), [sent], outputs=wanted).as_numpy("y")
    if datatype == "BYTES":
        given = np.array([[text.decode() if isinstance(text, bytes) else text for text in row] for row in given])
    assert given.tolist() == values.tolist()


def test_brain_floats_become_the_floats_that_hold_them(client: Any) -> None:
    """BF16 exists on the wire only; no bit of it is lost in FP32."""
    values = np.array([[1.5, -2.0], [3.0e38, 0.0078125]], dtype=ml_dtypes.bfloat16)
    sent = triton.InferInput("x", [2, 2], "BF16")
    sent.set_data_from_numpy(values)
    assert np.array_equal(client.infer("fp32", [sent]).as_numpy("y"), values.astype(np.float32))


def test_the_repository_lists_loads_and_unloads(client: Any) -> None:
    """What a tool that manages a Triton server does; an unloaded model is back with the next request for it."""
    index = {(of["name"], of["version"]): of["state"] for of in client.get_model_repository_index()}
    assert index["echo", "1"] == index["echo", "2"] == index["fp32", "7"] == "READY"
    client.unload_model("fp64")
    assert not client.is_model_ready("fp64")
    assert client.is_server_ready()
    state = {of["name"]: (of["state"], of["reason"]) for of in client.get_model_repository_index()}
    assert state["fp64"] == ("UNAVAILABLE", "unloaded")
    client.load_model("fp64")
    assert client.is_model_ready("fp64")
    client.unload_model("fp64")
    values = rows(2, dtype="float64")
    assert np.array_equal(client.infer("fp64", [tensor(values, "FP64")]).as_numpy("y"), values)
    with pytest.raises(InferenceServerException, match="not served here"):
        client.load_model("nobody")
    with pytest.raises(InferenceServerException, match="registry"):
        client.load_model("fp64", config='{"backend": "python"}')


def test_the_newest_version_answers_where_none_is_asked_for(client: Any) -> None:
    """Both are there; a caller who cares says which."""
    sent = [tensor(rows(1))]
    assert client.infer("echo", sent).get_response()["model_version"] == "2"
    assert client.infer("echo", sent, model_version="1").get_response()["model_version"] == "1"


def test_statistics_and_configuration_are_told(client: Any) -> None:
    """perf_analyzer and dashboards read them."""
    before = client.get_inference_statistics("echo", "1")["model_stats"][0]
    for _ in range(3):
        client.infer("echo", [tensor(rows(4))], model_version="1")
    after = client.get_inference_statistics("echo", "1")["model_stats"][0]
    assert after["inference_count"] - before["inference_count"] == 12
    assert after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"] == 3
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
    config = client.get_model_config("echo")
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, -1]}]


def test_what_is_not_offered_is_refused(client: Any) -> None:
    """A caller that is not told would wait for a file that nobody reads."""
    refused: list[Callable[[], Any]] = [
        lambda: client.register_system_shared_memory("a", "/a", 8),
        lambda: client.update_trace_settings("echo", {"trace_level": ["TIMESTAMPS"]}),
        lambda: client.update_log_settings({"log_info": True}),
        lambda: client.infer("echo", [tensor(rows(1))], outputs=[triton.InferRequestedOutput("y", class_count=2)]),
        lambda: client.infer("echo", [tensor(rows(1))], sequence_id=7, sequence_start=True),
        lambda: client.infer("echo", [tensor(rows(1))], priority=1),
    ]
    for call in refused:
        with pytest.raises(InferenceServerException, match=r"not offered|not the model server's"):
            call()


def test_the_async_client_works_as_the_blocking_one(port: int) -> None:
    """It is another implementation of the same wire."""

    async def told() -> list[Any]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{port}") as client:
            assert await client.is_server_ready()
            assert await client.is_model_ready("echo")
            assert (await client.get_model_metadata("echo"))["platform"] == "identity"
            assert len(await client.get_model_repository_index()) == len(DTYPES) + 2
            answers = [
                await client.infer("echo", [tensor(rows(3))], request_compression_algorithm=way, **more)
                for way in (None, "gzip", "deflate")
                for more in ({}, {"response_compression_algorithm": "gzip"}, {"timeout": 5_000_000})
            ]
            return [answer.as_numpy("y") for answer in answers]

    assert all(np.array_equal(given, rows(3)) for given in asyncio.run(told()))
