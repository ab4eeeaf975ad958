"""Which models that MLflow saves can be served, and under which names do their inputs and outputs appear?"""

import json
from pathlib import Path
from typing import Any

import pytest
from inference_plane import Process, short_folder


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the model server says of each kind of model, and answers to one request."""
    with Process(str(Path(__file__).parent / "try_models.py"), str(tmp_path_factory.mktemp("models"))) as process:
        assert process.wait(90) == 0, process.output
    return dict(json.loads(process.output.splitlines()[-1]))


def described(specs: list[dict[str, Any]]) -> list[str]:
    return [f"{spec['name']} {spec['datatype']} {spec['shape']}" for spec in specs]


def outputs(answer: dict[str, Any]) -> dict[str, Any]:
    return {output["name"]: output["data"] for output in answer["answer"]["outputs"]}


def test_a_table_is_served_column_by_column(told: dict[str, Any]) -> None:
    """A signature of columns makes each an input of its own; text classes come back as text."""
    of = told["columns"]
    assert described(of["inputs"]) == ["height FP64 [-1]", "width FP64 [-1]"]
    assert described(of["outputs"]) == ["predict BYTES [-1]", "probabilities FP64 [-1, 2]"]
    assert outputs(of)["predict"] == ["low", "high"]


def test_text_goes_in_as_bytes(told: dict[str, Any]) -> None:
    """A pipeline that reads sentences is served like any other, also when it was saved by cloudpickle."""
    assert described(told["text"]["inputs"]) == ["input BYTES [-1]"]
    assert outputs(told["text"])["predict"] == [1, 0]


def test_without_a_signature_there_is_one_input(told: dict[str, Any]) -> None:
    """Many models are saved without one; what the estimator knows of itself is enough."""
    of = told["digits-unsigned"]
    assert described(of["inputs"]) == ["input FP64 [-1, 64]"]
    assert described(of["outputs"]) == ["predict INT64 [-1]", "probabilities FP64 [-1, 10]"]
    assert outputs(of)["predict"] == [0]


def test_several_targets_are_one_table(told: dict[str, Any]) -> None:
    """A regression has no probabilities, and may have more than one result."""
    of = told["two-targets"]
    assert described(of["outputs"]) == ["predict FP64 [-1, 2]"]
    assert outputs(of)["predict"] == pytest.approx(of["expected"][0])


def test_any_other_flavour_goes_through_pyfunc(told: dict[str, Any]) -> None:
    """A model of one's own, with several named outputs."""
    assert told["pyfunc"]["platform"] == "mlflow_pyfunc"
    assert outputs(told["pyfunc"]) == {"twice": [2.0, 4.0, 6.0, 8.0], "rows": [2]}


def failure(home: Path, source: str) -> str:
    """What a replica says that ends with status 1."""
    options = ["--cache", str(home / "cache"), "--name", "digits", "--version", "3", "--socket", str(home / "s")]
    with Process("-m", "weyr.runtime.serve", "--source", source, *options) as process:
        assert process.wait(60) == 1
        assert "Traceback" not in process.output
        return process.output


def test_what_cannot_be_served_says_why_and_ends(tmp_path: Path) -> None:
    """The reason is the last line of the replica's log, which `weyr logs` shows."""
    folder = tmp_path / "model"
    folder.mkdir()
    with short_folder() as home:
        assert "there are no files" in failure(home, folder.as_uri())
        (folder / "model.bin").write_text("hello")
        assert "in no format that is known: model.bin." in failure(home, folder.as_uri())
        (folder / "MLmodel").write_text("flavors: {unheard_of: {}}")
        assert "none of its flavours is known: unheard_of" in failure(home, folder.as_uri())
        (folder / "MLmodel").write_text(
            "flavors: {sklearn: {pickled_model: ../../secret, serialization_format: skops}}"
        )
        assert "not one of its files" in failure(home, folder.as_uri())
        (folder / "MLmodel").write_text("flavors: {sklearn: {pickled_model: model.bin, serialization_format: skops}}")
        assert "loading it failed" in failure(home, folder.as_uri())
        (folder / "MLmodel").write_text("\x00")
        assert "cannot be read" in failure(home, folder.as_uri())
        assert "is not a source" in failure(home, "ftp://somewhere/model")
