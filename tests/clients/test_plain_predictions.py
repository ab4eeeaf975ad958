"""Can a model be asked without a client library? The V1 protocol, plain JSON, and the schemas that describe both."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest
from served_models import Identity, ask, served

from weyr.runtime.serve.model import Model
from weyr.runtime.serve.tensor import TensorSpec

TABLE = Identity(
    (TensorSpec("width", "FP64", (-1,)), TensorSpec("kind", "BYTES", (-1,))),
    (TensorSpec("area", "FP64", (-1,)), TensorSpec("label", "BYTES", (-1,))),
)
NAMED = Identity((TensorSpec("inputs", "FP64", (-1, -1)),), (TensorSpec("y", "FP64", (-1, -1)),))
WHOLE = Identity((TensorSpec("x", "INT32", (2, 2)),), (TensorSpec("y", "INT32", (2, 2)),))


class Counting:
    """A class of the user's that counts to a number, all at once or piece by piece."""

    takes: Mapping[str, object] = {"type": "object", "properties": {"to": {"type": "integer"}}, "required": ["to"]}
    gives: Mapping[str, object] = {"type": "integer"}

    def __init__(self, is_streaming: bool) -> None:
        self.is_streaming = is_streaming

    def call(self, arguments: Mapping[str, object]) -> object:
        return list(self.stream(arguments))

    def stream(self, arguments: Mapping[str, object]) -> Iterator[object]:
        to = arguments["to"]
        assert isinstance(to, int)
        for n in range(to):
            if n == 7:
                raise RuntimeError("seven is too many")
            yield n


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    models = [Model("vectors", "1", Identity()), Model("table", "1", TABLE), Model("whole", "1", WHOLE)]
    models.append(Model("named", "1", NAMED))
    for is_streaming in (False, True):
        name = "stream" if is_streaming else "count"
        models.append(Model(name, "1", Identity((), ()), program=Counting(is_streaming)))
    with served(models) as port:
        yield port


def post(port: int, path: str, value: Any) -> tuple[int, Any]:
    status, body = ask(port, path, json.dumps(value).encode())
    return status, json.loads(body)


def test_v1_takes_rows_and_columns(port: int) -> None:
    """As TensorFlow Serving and KServe do: instances give predictions, inputs give outputs."""
    at = "/v1/models/table:predict"
    rows = [{"width": 1.5, "kind": "a"}, {"width": 2, "kind": "b"}]
    expected = [{"area": 1.5, "label": "a"}, {"area": 2.0, "label": "b"}]
    assert post(port, at, {"instances": rows}) == (200, {"predictions": expected})
    assert post(port, "/v1/models/table/versions/1:predict", {"instances": rows})[0] == 200
    columns = {"width": [1.5, 2], "kind": ["a", "b"]}
    assert post(port, at, {"inputs": columns}) == (200, {"outputs": {"area": [1.5, 2.0], "label": ["a", "b"]}})
    vectors = {"instances": [[1, 2], [3, 4]]}
    assert post(port, "/v1/models/vectors:predict", vectors) == (200, {"predictions": [[1.0, 2.0], [3.0, 4.0]]})
    assert post(port, "/v1/models/vectors:predict", {"inputs": [[1, 2]]}) == (200, {"outputs": [[1.0, 2.0]]})


def test_v1_tells_a_models_state(port: int) -> None:
    """KServe's and TensorFlow Serving's clients look for different words; both are there."""
    status, body = ask(port, "/v1/models/table")
    told = json.loads(body)
    assert (status, told["ready"], told["model_version_status"][0]["state"]) == (200, True, "AVAILABLE")
    assert "table" in json.loads(ask(port, "/v1/models")[1])["models"]


def test_plain_json_is_answered_as_it_was_asked(port: int) -> None:
    """One row gives one row, rows give rows, columns give columns."""
    assert post(port, "/predict/table", {"width": 2, "kind": "b"}) == (200, {"area": 2.0, "label": "b"})
    rows = [{"width": 1, "kind": "a"}, {"width": 2, "kind": "b"}]
    assert post(port, "/predict/table", rows) == (200, [{"area": 1.0, "label": "a"}, {"area": 2.0, "label": "b"}])
    assert post(port, "/predict/table", {"width": [1, 2], "kind": ["a", "b"]}) == (
        200, {"area": [1.0, 2.0], "label": ["a", "b"]},
    )  # fmt: skip
    assert post(port, "/predict/vectors", [[1, 2]]) == (200, [[1.0, 2.0]])
    assert post(port, "/predict/whole", {"x": [[1, 2], [3, 4]]}) == (200, {"y": [[1, 2], [3, 4]]})


def test_plain_json_takes_what_other_servers_callers_send(port: int) -> None:
    """Whoever comes from Vertex AI, TensorFlow Serving or MLflow sends `instances` or `inputs` to /predict."""
    assert post(port, "/predict/vectors", {"instances": [[1, 2]]}) == (200, {"predictions": [[1.0, 2.0]]})
    assert post(port, "/predict/vectors", {"inputs": [[1, 2]]}) == (200, {"outputs": [[1.0, 2.0]]})
    row = {"width": 2, "kind": "b"}
    assert post(port, "/predict/table", {"instances": [row]}) == (200, {"predictions": [{"area": 2.0, "label": "b"}]})
    assert post(port, "/predict/named", {"inputs": [[1, 2]]}) == (200, {"y": [[1.0, 2.0]]}), "its own input's name"


def test_a_class_is_called_with_the_object(port: int) -> None:
    """Its pieces come as lines, each when it is there; an error among them is the last line."""
    assert post(port, "/predict/count", {"to": 3}) == (200, [0, 1, 2])
    assert post(port, "/predict/count", {"to": 8})[0] == 500
    assert ask(port, "/predict/stream", b'{"to": 3}') == (200, b"0\n1\n2\n")
    status, body = ask(port, "/predict/stream", b'{"to": 9}')
    assert status == 200
    assert "seven is too many" in json.loads(body.splitlines()[-1])["error"]


WRONG: dict[str, tuple[str, Any, str]] = {
    "neither form": ("/v1/models/table:predict", {}, "either"),
    "both forms": ("/v1/models/table:predict", {"instances": [1], "inputs": [1]}, "either"),
    "no rows": ("/v1/models/table:predict", {"instances": []}, "not empty"),
    "bare values for two inputs": ("/v1/models/table:predict", {"instances": [1.5]}, "object of the inputs"),
    "mixed rows": ("/v1/models/vectors:predict", {"instances": [{"x": [1]}, [1]]}, "none"),
    "a missing input": ("/v1/models/table:predict", {"instances": [{"width": 1}]}, '"kind" is missing'),
    "an unknown input": ("/predict/table", {"width": 1, "kind": "a", "z": 1}, '"z"'),
    "ragged rows": ("/predict/vectors", [[1, 2], [3]], "nesting"),
    "text for a number": ("/predict/table", {"width": "1", "kind": "a"}, "text"),
    "another signature": ("/v1/models/table:predict", {"instances": [1], "signature_name": "x"}, "serving_default"),
    "columns of two lengths": ("/predict/table", {"width": [1, 2], "kind": ["a"]}, "rows"),
    "a number alone": ("/predict/table", 7, "rows or an object"),
    "which model": ("/predict", {"x": 1}, "say which"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_told(port: int, case: str) -> None:
    """A 400, or a 404, whose text is enough to mend it."""
    path, value, words = WRONG[case]
    status, answer = post(port, path, value)
    assert status in (400, 404), answer
    assert words in answer["error"]


def test_the_schema_says_what_is_taken(port: int) -> None:
    """Forms are made from it; whatever fits it is answered."""
    schema = json.loads(ask(port, "/schema/table")[1])
    value: Any
    for value in (
        {"width": 1, "kind": "a"},
        [{"width": 1, "kind": "a"}],
        {"width": [1], "kind": ["a"]},
        {"instances": [{"width": 1, "kind": "a"}]},
        {"inputs": {"width": [1], "kind": ["a"]}},
    ):
        jsonschema.validate(value, schema)
        status, answer = post(port, "/predict/table", value)
        assert status == 200
        jsonschema.validate(answer, schema["$defs"]["answer"])
    for value in ({"width": "1", "kind": "a"}, {"width": 1}, [], 7):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, schema)
    assert json.loads(ask(port, "/schema/count")[1])["required"] == ["to"]


def test_the_description_of_all_paths_is_valid(port: int) -> None:
    """Clients are generated from it."""
    described = json.loads(ask(port, "/openapi.json")[1])
    openapi_spec_validator.validate(described)
    assert {"/v2/models/table/infer", "/v1/models/table:predict", "/predict/count"} <= set(described["paths"])
    assert "/v2/models/count/infer" not in described["paths"]
