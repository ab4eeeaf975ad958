"""Is a class of the user's served as its annotations say, and refused with a reason where they do not say enough?"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.load import load
from weyr.runtime.serve.model import Model, Unloadable
from weyr.runtime.serve.tensor import Malformed

CODE = """
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field


class Scaled:
    is_rowwise = True

    def load(self, folder):
        self.factor = float((folder / "factor.txt").read_text())

    def predict(self, rows: Annotated[NDArray[np.float32], (-1, 2)]) -> Annotated[NDArray[np.float32], (-1, 2)]:
        return rows * np.float32(self.factor)


class Lengths:
    def predict(self, texts: list[str], unit: float = 1.0) -> list[float]:
        return [len(text) * unit for text in texts]


@dataclass
class Question:
    text: str
    choices: list[str]


class Answer(BaseModel):
    choice: str
    sure: float = Field(ge=0, le=1)


class Chooser:
    def predict(self, question: Question) -> Answer:
        return Answer(choice=question.choices[0], sure=0.5)


class Slow:
    async def load(self, folder):
        self.word = "done"

    async def predict(self, text: str) -> str:
        return f"{text} {self.word}"


class Words:
    closed = 0

    def predict(self, text: str) -> Iterator[str]:
        try:
            yield from text.split()
        finally:
            type(self).closed += 1


class Counts:
    async def predict(self, upto: int) -> AsyncIterator[int]:
        for number in range(upto):
            yield number


class Untyped:
    def predict(self, x, *more):
        return x


class Shapeless:
    def predict(self, x: NDArray[np.float32]) -> list[float]:
        return x.tolist()


class Odd:
    def predict(self, x: object()) -> complex:
        return 1j


class Strange:
    pass


class Wrong:
    def predict(self, text: str) -> int:
        return text
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "served.py").write_text(CODE)
    (folder / "files").mkdir()
    (folder / "files" / "factor.txt").write_text("3")
    return folder


def loaded(stack: Path, name: str) -> Model:
    return load(stack / "files", "model", "1", Loading(program=name, base=stack))


def program_of(stack: Path, name: str) -> Any:
    return loaded(stack, f"served.py:{name}").program


def specs(model: Model) -> list[str]:
    every = (*model.predictor.inputs, *model.predictor.outputs)
    return [f"{spec.name} {spec.datatype} {list(spec.shape)}" for spec in every]


@pytest.mark.parametrize("name", ["served.py:Scaled", "served:Scaled"])
def test_an_array_is_a_tensor(stack: Path, name: str) -> None:
    """And `load` had the model's files."""
    model = loaded(stack, name)
    assert specs(model) == ["rows FP32 [-1, 2]", "result FP32 [-1, 2]"]
    assert model.predictor.is_rowwise
    given = model.predictor.predict({"rows": np.ones((1, 2), np.float32)}, ("result",))
    assert given["result"].tolist() == [[3.0, 3.0]]
    assert model.program is not None
    assert model.program.call({"rows": [[1, 2]]}) == [[3.0, 6.0]]


def test_lists_are_batches_and_single_values_are_rows(stack: Path) -> None:
    """Both are tensors too, so that a client of the tensor protocol needs no second way."""
    model = loaded(stack, "served.py:Lengths")
    assert specs(model) == ["texts BYTES [-1]", "unit FP64 [1]", "result FP64 [-1]"]
    assert not model.predictor.is_rowwise
    tensors = {"texts": np.array(["a", "bcd"], dtype=object), "unit": np.array([2.0])}
    assert model.predictor.predict(tensors, ("result",))["result"].tolist() == [2.0, 6.0]


def test_the_json_schema_is_that_of_the_annotations(stack: Path) -> None:
    """A form, or another program, can be made from it."""
    program = program_of(stack, "Lengths")
    assert program.takes["properties"]["texts"]["items"] == {"type": "string"}
    assert program.takes["required"] == ["texts"]
    assert program.takes["additionalProperties"] is False
    assert program.gives == {"items": {"type": "number"}, "type": "array"}
    rows = program_of(stack, "Scaled").takes["properties"]["rows"]
    assert rows["items"] == {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


def test_a_default_may_be_left_out(stack: Path) -> None:
    """As in a call of the function."""
    assert program_of(stack, "Lengths").call({"texts": ["ab"]}) == [2.0]


def test_dataclasses_and_models_travel_as_json(stack: Path) -> None:
    """Over the tensor protocol as a text of JSON."""
    model = loaded(stack, "served.py:Chooser")
    question = {"question": {"text": "which?", "choices": ["a", "b"]}}
    assert model.program is not None
    assert model.program.call(question) == {"choice": "a", "sure": 0.5}
    text = np.array(['{"text": "which?", "choices": ["c"]}'], dtype=object)
    given = model.predictor.predict({"question": text}, ("result",))["result"]
    assert given.tolist() == ['{"choice": "c", "sure": 0.5}']


def test_a_coroutine_is_awaited(stack: Path) -> None:
    """While others wait for the same upstream."""
    assert program_of(stack, "Slow").call({"text": "well"}) == "well done"


def test_pieces_come_one_by_one(stack: Path) -> None:
    """The first is there before the last is made; who stops reading, stops the making."""
    words = program_of(stack, "Words")
    pieces = words.stream({"text": "one two three"})
    assert next(pieces) == "one"
    pieces.close()
    assert words._made.closed == 1
    assert words.call({"text": "one two"}) == ["one", "two"]
    assert list(program_of(stack, "Counts").stream({"upto": 3})) == [0, 1, 2]


def test_over_the_tensor_protocol_the_pieces_are_one_tensor(stack: Path) -> None:
    """It has no streams over HTTP."""
    model = loaded(stack, "served.py:Words")
    assert specs(model) == ["text BYTES [1]", "result BYTES [-1]"]
    given = model.predictor.predict({"text": np.array(["a b"], dtype=object)}, ("result",))
    assert given["result"].tolist() == ["a", "b"]


BAD_ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("Lengths", {}, "texts: Field required"),
    ("Lengths", {"texts": [1]}, "texts.0: Input should be a valid string"),
    ("Lengths", {"texts": [], "other": 1}, "other: Extra inputs are not permitted"),
    ("Scaled", {"rows": [[1, 2, 3]]}, r"shape \[1, 3\], not \[-1, 2\]"),
    ("Scaled", {"rows": [["a", "b"]]}, "rows: "),
    ("Scaled", {"rows": [[1], [1, 2]]}, "rows: "),
    ("Chooser", {"question": {"text": "?"}}, "question.choices: Field required"),
]


@pytest.mark.parametrize(("name", "arguments", "why"), BAD_ARGUMENTS)
def test_arguments_that_do_not_match_are_the_callers_mistake(
    stack: Path, name: str, arguments: dict[str, Any], why: str
) -> None:
    """The class never sees them, and the caller is told which."""
    with pytest.raises(Malformed, match=why):
        program_of(stack, name).call(arguments)


def test_a_result_of_another_type_is_the_classes_mistake(stack: Path) -> None:
    """What its annotations promise is what its callers' programs read."""
    with pytest.raises(Exception, match="Expected `int`"):
        program_of(stack, "Wrong").call({"text": "a"})


UNSERVED = {
    "served.py:Untyped": r'served\.py:\d+: predict cannot be served: "x" has no type; "more" .* does not say what it',
    "served.py:Shapeless": r'the array "x" does not say its datatype and shape',
    "served.py:Odd": "predict cannot be served|cannot be read",
    "served.py:Strange": "has no predict",
    "served.py:Missing": 'there is no class "Missing" in served.py',
    "other.py:Scaled": "there is no file other.py",
    "nowhere.at_all:Scaled": "there is no module nowhere.at_all",
    "served.py": "names no class",
}


@pytest.mark.parametrize("name", UNSERVED)
def test_what_cannot_be_served_says_why(stack: Path, name: str) -> None:
    """With the line, and how it should be written."""
    with pytest.raises(Unloadable, match=UNSERVED[name]):
        loaded(stack, name)
