"""Is every kind of model that a library saves served with the answers that the library gives?

The libraries come with the models and are large, so they are in one environment of this test's own, in which all of
them are asked at once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weyr.attempt.environment import build

REQUIREMENTS = ("torch==2.13.0", "transformers>=5", "xgboost-cpu>=3", "lightgbm>=4.5")
WITHIN_S = 300.0
"""Importing PyTorch and transformers takes most of it, on two busy cores."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of each kind: its metadata, what the library said, what the replica said, and why it was refused at first."""
    folder = tmp_path_factory.mktemp("flavours")
    build(folder / "environment", sys.executable, REQUIREMENTS)
    environment = folder / "environment"
    # Everything else, Weyr with it, comes from the environment of the tests; what is in both, from the new one.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "tests.pth").write_text("\n".join(path for path in sys.path if path and Path(path).is_dir()))
    command = [str(environment / "bin" / "python"), str(Path(__file__).with_name("try_flavours.py"))]
    answer = folder / "told.json"
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with (folder / "log").open("wb") as log:
        command += [str(folder), str(answer)]
        status = subprocess.run(command, stdout=log, stderr=log, env=env, timeout=WITHIN_S).returncode
    assert status == 0, (folder / "log").read_text()[-4000:]
    return dict(json.loads(answer.read_text()))


def described(specs: list[dict[str, Any]]) -> list[str]:
    return [f"{spec['name']} {spec['datatype']} {spec['shape']}" for spec in specs]


PREDICTING = (
    "xgboost_estimator", "xgboost_booster", "lightgbm_estimator", "lightgbm_booster", "pytorch_exported",
    "pytorch_pickled", "pytorch_script",
)  # fmt: skip


@pytest.mark.parametrize("kind", PREDICTING)
def test_a_replica_answers_what_the_library_does(told: dict[str, Any], kind: str) -> None:
    """MLflow is not there when it does."""
    assert np.allclose(told[kind]["answer"]["predict"], told[kind]["library"])
    assert told[kind]["is_rowwise"]


def test_a_tables_columns_keep_their_names(told: dict[str, Any]) -> None:
    """XGBoost compares them with those that it was fitted on."""
    of = told["xgboost_estimator"]
    assert described(of["inputs"]) == [f"{name} FP64 [-1]" for name in "abcd"]
    assert described(of["outputs"]) == ["predict INT64 [-1]", "probabilities FP32 [-1, 2]"]


@pytest.mark.parametrize("kind", ["lightgbm_estimator", "pytorch_pickled"])
def test_a_pickle_is_loaded_only_where_somebody_allows_it(told: dict[str, Any], kind: str) -> None:
    """Whoever can write the file would otherwise run code on the replica."""
    assert "saved as a pickle" in told[kind]["refused"]
    assert "only_data" in told[kind]["refused"]


@pytest.mark.parametrize("kind", sorted({*PREDICTING} - {"lightgbm_estimator", "pytorch_pickled"}))
def test_formats_that_are_only_data_need_no_permission(told: dict[str, Any], kind: str) -> None:
    """Which is what the libraries save by default."""
    assert not told[kind]["refused"]


def test_weights_that_are_pickled_are_not_read(told: dict[str, Any]) -> None:
    """Not even with permission: whoever has such a folder can save it again as safetensors."""
    assert told["pickled_weights"] == {"refused": told["pickled_weights"]["refused"]}
    assert "pytorch_model.bin" in told["pickled_weights"]["refused"]


def test_the_likeliest_text_is_the_librarys(told: dict[str, Any]) -> None:
    """Our loop and transformers' own agree on every token."""
    of = told["generation"]
    assert len(of["library"].split()) > 2
    assert of["answer"]["texts"][0] == of["library"]
    assert of["answer"]["prompt_tokens"] == 2
    assert of["answer"]["finish"] in ("stop", "length")


def test_the_same_seed_gives_the_same_text(told: dict[str, Any]) -> None:
    """A conversation that went wrong can be had again."""
    _, one, other = told["generation"]["answer"]["texts"]
    assert one == other


def test_a_conversation_goes_through_the_models_template(told: dict[str, Any]) -> None:
    """Four tokens: the user's mark, two words, and the assistant's."""
    of = told["generation_flavour"]["answer"]
    assert of["can_chat"]
    assert of["prompt_tokens"] == 4


def test_a_classifier_answers_as_the_librarys_pipeline(told: dict[str, Any]) -> None:
    """With its own labels, and the scores of all."""
    of = told["classification"]
    assert described(of["outputs"]) == ["label BYTES [-1]", "scores FP32 [-1, 2]"]
    labels, best = of["answer"]["label"], [max(scores) for scores in of["answer"]["scores"]]
    assert labels == [label for label, _ in of["library"]]
    assert best == pytest.approx([score for _, score in of["library"]], abs=1e-5)


def test_an_encoder_is_an_embedder(told: dict[str, Any]) -> None:
    """The mean of the words' states, of length one; padding for the longer text changes nothing."""
    of = told["embedding"]
    assert described(of["outputs"]) == ["embedding FP32 [-1, 16]"]
    assert of["answer"]["vectors"][0] == pytest.approx(of["library"], abs=1e-5)
    assert of["answer"]["tokens"] == 6
