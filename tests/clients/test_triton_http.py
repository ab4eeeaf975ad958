"""Does the unmodified Triton client work through the inference plane, on a model that MLflow saved to our bucket?"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from inference_plane import ROUTE, TOKEN, Plane, running_plane, unix_get, until
from model_server import Replica, Saved, model_server, save
from s3_plane import S3Plane, running_s3
from tritonclient.utils import InferenceServerException

SOURCE = "s3://digits-lake/models/digits/3"
TWIN = ("--source", SOURCE, "--name", "twin", "--version", "1", "--of=twin:batch-rows=1")
"""A second model in the same replica, whose requests are computed each alone."""
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Served:
    """A plane, a replica behind it, and what the model that it serves says by itself."""

    plane: Plane
    replica: Replica
    saved: Saved
    s3: S3Plane

    @property
    def pixels(self) -> Any:
        return self.saved.inputs

    def client(self, **options: Any) -> Any:
        return triton.InferenceServerClient(f"127.0.0.1:{self.plane.port}/{ROUTE}", **options)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    saved = save(folder / "model", "digits")
    with ExitStack() as stack:
        s3 = stack.enter_context(running_s3(folder / "s3"))
        upload(s3, folder / "model")
        plane = stack.enter_context(running_plane())
        plane.route({}, hold_s=60)
        environment = {key: value for key, value in s3.environment().items() if key.startswith("AWS_")}
        replica = stack.enter_context(model_server(plane.home, SOURCE, *TWIN, **environment))
        plane.route({"3": replica.path}, hold_s=60)
        yield Served(plane, replica, saved, s3)


def upload(s3: S3Plane, folder: Path) -> None:
    bucket, _, prefix = SOURCE.removeprefix("s3://").partition("/")
    client = s3.client()
    client.create_bucket(Bucket=bucket)
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder)}")


def tensor(values: Any, is_binary: bool = True, datatype: str = "FP64") -> Any:
    made = triton.InferInput("input", list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=is_binary)
    return made


def test_the_server_and_its_model_introduce_themselves(served: Served) -> None:
    """What every client of the protocol asks first."""
    client = served.client()
    assert client.is_server_live(headers=HEADERS)
    assert client.is_server_ready(headers=HEADERS)
    assert client.is_model_ready("digits", headers=HEADERS)
    assert client.is_model_ready("digits", "3", headers=HEADERS)
    assert "binary_tensor_data" in client.get_server_metadata(headers=HEADERS)["extensions"]
    assert client.get_model_metadata("digits", headers=HEADERS) == {
        "name": "digits",
        "versions": ["3"],
        "platform": "sklearn",
        "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, 64]}],
        "outputs": [
            {"name": "predict", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, 10]},
        ],
    }


@pytest.mark.parametrize("is_binary", [True, False], ids=["binary", "json"])
def test_answers_are_what_the_model_itself_says(served: Served, is_binary: bool) -> None:
    """The client's default is binary in both directions; people write JSON. Both are exact to the last bit."""
    pixels = served.pixels
    wanted = [triton.InferRequestedOutput(name, binary_data=is_binary) for name in ("predict", "probabilities")]
    result = served.client().infer(
        "digits", [tensor(pixels[:7], is_binary)], "3", wanted, request_id="mine", headers=dict(HEADERS)
    )
    assert np.array_equal(result.as_numpy("predict"), served.saved.predicted[:7])
    assert np.array_equal(result.as_numpy("probabilities"), served.saved.probabilities)
    answer = result.get_response()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("mine", "digits", "3")


def test_only_the_outputs_asked_for_are_computed_and_sent(served: Served) -> None:
    """Probabilities cost a second pass through the model; who does not want them does not pay for them."""
    pixels = served.pixels
    result = served.client().infer(
        "digits", [tensor(pixels[:2])], outputs=[triton.InferRequestedOutput("predict")], headers=dict(HEADERS)
    )
    assert [output["name"] for output in result.get_response()["outputs"]] == ["predict"]
    everything = served.client().infer("digits", [tensor(pixels[:2])], headers=dict(HEADERS))
    assert [output["name"] for output in everything.get_response()["outputs"]] == ["predict", "probabilities"]


def test_narrower_numbers_and_compressed_bodies_are_taken(served: Served) -> None:
    """Clients send 32 bits because cameras do; what loses nothing is widened."""
    pixels = served.pixels
    given = tensor(pixels[:3].astype(np.float32), datatype="FP32")
    for compression in (None, "gzip", "deflate"):
        result = served.client().infer(
            "digits", [given], headers=dict(HEADERS), request_compression_algorithm=compression
        )
        assert np.array_equal(result.as_numpy("predict"), served.saved.predicted[:3])


def test_requests_computed_together_get_their_own_rows(served: Served) -> None:
    """Batching is ours to gain from and nobody's to notice."""
    pixels, expected = served.pixels, served.saved.predicted
    calls, batched = served.replica.metric("calls_total"), served.replica.metric("batched_calls_total")
    client = served.client(concurrency=64)
    # Two large requests keep both threads busy, so that the small ones have to wait, and go together.
    large = [client.async_infer("digits", [tensor(np.tile(pixels, (40, 1)))], headers=dict(HEADERS)) for _ in range(2)]
    starts = range(0, 180, 3)
    asked = [
        client.async_infer("digits", [tensor(pixels[at : at + 1 + at % 4])], headers=dict(HEADERS)) for at in starts
    ]
    for at, one in zip(starts, asked, strict=True):
        assert np.array_equal(one.get_result().as_numpy("predict"), expected[at : at + 1 + at % 4])
    assert all(np.array_equal(one.get_result().as_numpy("predict"), np.tile(expected, 40)) for one in large)
    assert served.replica.metric("batched_calls_total") > batched
    assert served.replica.metric("calls_total") - calls < 2 + len(starts)


def test_a_second_model_of_the_replica_is_batched_as_is_said_of_it_alone(served: Served) -> None:
    """One that must not be batched stands beside one that gains by it."""
    pixels = served.pixels
    client = served.client(concurrency=16)
    asked = [client.async_infer("twin", [tensor(pixels[at : at + 1])], headers=dict(HEADERS)) for at in range(40)]
    told = [one.get_result().as_numpy("predict")[0] for one in asked]
    assert told == list(served.saved.predicted[:40])
    assert served.replica.metric('calls_total{model="twin"') == len(asked)


def test_one_callers_bad_row_is_nobody_elses_error(served: Served) -> None:
    """NaN in one request of a batch must not fail the others in it."""
    pixels = served.pixels
    bad = pixels[:1].copy()
    bad[0, 5] = np.nan
    client = served.client(concurrency=32)
    asked = [
        client.async_infer("digits", [tensor(bad if n % 5 == 0 else pixels[n : n + 1])], headers=dict(HEADERS))
        for n in range(60)
    ]
    for n, one in enumerate(asked):
        if n % 5:
            assert one.get_result().as_numpy("predict")[0] == served.saved.predicted[n]
            continue
        with pytest.raises(InferenceServerException, match="NaN") as raised:
            one.get_result()
        assert raised.value.status() == "400"


def test_what_is_not_served_here_is_not_found(served: Served) -> None:
    """A wrong name is the caller's mistake, and reads like it."""
    pixels = served.pixels
    for name, version in (("nobody", ""), ("digits", "4")):
        with pytest.raises(InferenceServerException, match="not served here") as raised:
            served.client().infer(name, [tensor(pixels[:1])], version, headers=dict(HEADERS))
        assert raised.value.status() == "404"
    assert not served.client().is_model_ready("nobody", headers=HEADERS)


FLAT = {"name": "input", "shape": [1, 64], "datatype": "FP64", "data": [0.0] * 64}
BAD_INPUTS: dict[str, tuple[Any, str]] = {
    "no input": ({"inputs": []}, '"inputs" is missing'),
    "not an object": ([1], "not a JSON object"),
    "an unknown input": ({"inputs": [FLAT | {"name": "x"}]}, 'no input "x"'),
    "an input twice": ({"inputs": [FLAT, FLAT]}, "twice"),
    "too few columns": ({"inputs": [FLAT | {"shape": [1, 63], "data": [0.0] * 63}]}, r"the model takes \[-1, 64\]"),
    "too many dimensions": ({"inputs": [FLAT | {"shape": [1, 1, 64]}]}, r"the model takes \[-1, 64\]"),
    "no row": ({"inputs": [FLAT | {"shape": [0, 64], "data": []}]}, "empty"),
    "fewer values than the shape": ({"inputs": [FLAT | {"data": [0.0] * 63}]}, "63 elements"),
    "nested otherwise than the shape": ({"inputs": [FLAT | {"data": [[0.0] * 32, [0.0] * 32]}]}, "rows"),
    "ragged": ({"inputs": [FLAT | {"shape": [2, 2], "data": [[0.0, 1.0], [2.0]]}]}, "nesting"),
    "a huge shape": ({"inputs": [FLAT | {"shape": [10**9, 10**9]}]}, "at most"),
    "a negative shape": ({"inputs": [FLAT | {"shape": [-1, 64]}]}, "not a list of sizes"),
    "a shape of text": ({"inputs": [FLAT | {"shape": ["1", "64"]}]}, "not a list of sizes"),
    "text for numbers": ({"inputs": [FLAT | {"data": ["0"] * 64}]}, "holds text"),
    "null for numbers": ({"inputs": [FLAT | {"data": [None] * 64}]}, "holds null"),
    "a number out of range": ({"inputs": [FLAT | {"datatype": "UINT8", "data": [256] * 64}]}, "out of range"),
    "a fraction for an integer": ({"inputs": [FLAT | {"datatype": "INT32", "data": [0.5] * 64}]}, "a fraction"),
    "an unknown datatype": ({"inputs": [FLAT | {"datatype": "FP128"}]}, "datatype"),
    "text where numbers go": ({"inputs": [FLAT | {"datatype": "BYTES", "data": ["a"] * 64}]}, "the model takes FP64"),
    "an unknown output": ({"inputs": [FLAT], "outputs": [{"name": "y"}]}, 'no output "y"'),
    "an id that is no text": ({"inputs": [FLAT], "id": 7}, "id"),
    "binary without bytes": ({"inputs": [FLAT | {"parameters": {"binary_data_size": 512}}]}, "both data and"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_a_bad_input_is_a_400_that_says_what_is_wrong(served: Served, case: str) -> None:
    """Never a 500, never a guess: the caller can mend it from the message alone."""
    body, words = BAD_INPUTS[case]
    status, answer = served.plane.ask(f"/{ROUTE}/v2/models/digits/infer", "POST", json.dumps(body).encode())
    assert status == 400, answer
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(json.loads(answer)["error"])


BAD_BODIES = {
    "nothing": (b"", {}),
    "not JSON": (b"{", {}),
    "not UTF-8": (b'{"inputs": "\xff"}', {}),
    "NaN as JSON": (json.dumps({"inputs": [FLAT | {"data": [float("nan")] * 64}]}).encode(), {}),
    "infinity by a large exponent": (json.dumps({"inputs": [FLAT]}).replace("0.0]", "1e999]").encode(), {}),
    "deep nesting": (b'{"inputs": ' + b"[" * 100_000, {}),
    "a head longer than the body": (b"{}", {"Inference-Header-Content-Length": "100"}),
    "a head that is no number": (b"{}", {"Inference-Header-Content-Length": "-1"}),
    "bytes that belong to nothing": (b'{"inputs": []}12345678', {"Inference-Header-Content-Length": "14"}),
    "not gzip": (b"{}", {"Content-Encoding": "gzip"}),
    "an unknown encoding": (b"{}", {"Content-Encoding": "br"}),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_a_400(served: Served, case: str) -> None:
    """Whatever comes over the wire, the server answers and goes on."""
    body, headers = BAD_BODIES[case]
    status, answer = served.plane.ask(f"/{ROUTE}/v2/models/digits/infer", "POST", body, **headers)
    assert status == 400, answer
    assert json.loads(answer)["error"]
    assert served.client().is_server_ready(headers=HEADERS)


def test_health_answers_while_a_large_request_is_computed(served: Served) -> None:
    """A server that is busy is not a server that is dead: the loop would restart it."""
    pixels = served.pixels
    large = np.tile(pixels, (60, 1))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(served.client().infer, "digits", [tensor(large)], headers=dict(HEADERS))
        answers = 0
        while not asked.done():
            assert served.replica.is_ready
            answers += 1
        assert answers > 3
        assert len(asked.result().as_numpy("predict")) == len(large)


def test_the_model_is_fetched_once_and_checked_each_time(served: Served) -> None:
    """A damaged copy is fetched again, not served."""
    cache = served.plane.home / "cache"
    (copy,) = [path for path in cache.iterdir() if not path.name.startswith(".")]
    (copy / "model.skops").write_bytes(b"damaged")
    environment = {key: value for key, value in served.s3.environment().items() if key.startswith("AWS_")}
    (served.plane.home / "again").mkdir()
    (served.plane.home / "again" / "cache").symlink_to(cache)
    with model_server(served.plane.home / "again", SOURCE, **environment) as replica:
        assert (copy / "model.skops").read_bytes() != b"damaged"
        assert replica.process.stop() == 0
    assert not replica.path.exists()


def test_a_replica_that_is_told_to_stop_ends_what_it_began(served: Served) -> None:
    """Requests on their way when a replica is replaced get their answers."""
    pixels = served.pixels
    (served.plane.home / "brief").mkdir()
    environment = {key: value for key, value in served.s3.environment().items() if key.startswith("AWS_")}
    with model_server(served.plane.home / "brief", SOURCE, **environment) as replica, ThreadPoolExecutor(1) as pool:
        served.plane.route({"brief": replica.path})
        large = np.tile(pixels, (60, 1))
        asked = pool.submit(served.client().infer, "digits", [tensor(large)], headers=dict(HEADERS))
        until(lambda: served.plane.stats()["replicas"]["brief"]["requests"] == 1, "it was sent")
        assert replica.process.stop() == 0
        assert len(asked.result().as_numpy("predict")) == len(large)
        served.plane.route({"3": served.replica.path}, hold_s=60)


def test_metrics_are_prometheus_text(served: Served) -> None:
    """What a replica computes can be watched."""
    text = unix_get(served.replica.path, "/metrics").decode()
    assert "# TYPE weyr_replica_rows_total counter" in text
    assert "weyr_replica_ready 1" in text
