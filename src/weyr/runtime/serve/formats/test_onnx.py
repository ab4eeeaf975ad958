"""Is an ONNX file served as its graph declares, and are rows computed together only where that changes nothing?"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.load import load
from weyr.runtime.serve.model import Model, Unloadable

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)


def saved(folder: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, Any]) -> Path:
    """A folder with one graph in it."""
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, held)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    folder.mkdir(exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=9), folder / "model.onnx")
    return folder


def tensor(name: str, kind: int, *shape: str | int | None) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def linear(folder: Path, rows: str | int | None = "rows") -> Path:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("ArgMax", ["y"], ["best"], axis=1)]
    outputs = [tensor("y", TensorProto.FLOAT, rows, 3), tensor("best", TensorProto.INT64, rows, 1)]
    return saved(folder, nodes, [tensor("x", TensorProto.FLOAT, rows, 4)], outputs, {"w": WEIGHTS})


def loaded(folder: Path) -> Model:
    return load(folder, "model", "1", Loading())


def test_names_shapes_and_datatypes_are_the_graphs(tmp_path: Path) -> None:
    """Nobody has to describe the model a second time."""
    metadata = loaded(linear(tmp_path / "m")).metadata()
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert metadata["outputs"] == [
        {"name": "y", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "best", "datatype": "INT64", "shape": [-1, 1]},
    ]


def test_the_answer_is_the_graphs(tmp_path: Path) -> None:
    """And only the outputs that were asked for are computed."""
    predictor = loaded(linear(tmp_path / "m")).predictor
    rows = np.ones((2, 4), np.float32)
    given = predictor.predict({"x": rows}, ("best", "y"))
    assert np.array_equal(given["y"], rows @ WEIGHTS)
    assert given["best"].tolist() == [[2], [2]]
    assert list(predictor.predict({"x": rows}, ("best",))) == ["best"]


@pytest.mark.parametrize(("rows", "is_rowwise"), [("rows", True), (None, True), (2, False)])
def test_rows_are_computed_together_where_their_number_is_free(tmp_path: Path, rows: Any, is_rowwise: bool) -> None:
    """A graph for exactly two rows cannot take five."""
    assert loaded(linear(tmp_path / "m", rows)).predictor.is_rowwise is is_rowwise


def test_rows_that_depend_on_each_other_are_never_computed_together(tmp_path: Path) -> None:
    """A free first axis may be one sentence's words: another caller's words must not change its meaning."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[0]), helper.make_node("Sub", ["x", "m"], ["y"])]
    x, y = tensor("x", TensorProto.FLOAT, "words", 4), tensor("y", TensorProto.FLOAT, "words", 4)
    assert not loaded(saved(tmp_path / "m", nodes, [x], [y], {})).predictor.is_rowwise


def test_text_goes_through_a_graph(tmp_path: Path) -> None:
    """ONNX has strings, and the protocol has BYTES."""
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    x, y = tensor("x", TensorProto.STRING, "rows"), tensor("y", TensorProto.STRING, "rows")
    predictor = loaded(saved(tmp_path / "m", nodes, [x], [y], {})).predictor
    assert predictor.inputs[0].datatype == "BYTES"
    given = predictor.predict({"x": np.array(["wörd", ""], dtype=object)}, ("y",))
    assert given["y"].tolist() == ["wörd", ""]


def test_values_that_the_graph_does_not_take_are_the_callers_mistake(tmp_path: Path) -> None:
    """A token that is not in the vocabulary is a 400, not a 500."""
    nodes = [helper.make_node("Gather", ["w", "ids"], ["y"])]
    ids, y = tensor("ids", TensorProto.INT64, "rows", "words"), tensor("y", TensorProto.FLOAT, "rows", "words", 3)
    predictor = loaded(saved(tmp_path / "m", nodes, [ids], [y], {"w": WEIGHTS})).predictor
    with pytest.raises(ValueError, match="out of data bounds"):
        predictor.predict({"ids": np.array([[99]])}, ("y",))


def test_an_operation_from_a_library_of_its_own_is_refused(tmp_path: Path) -> None:
    """Such a library is code, and nobody has looked at it."""
    nodes = [helper.make_node("Mine", ["x"], ["y"], domain="com.example")]
    x, y = tensor("x", TensorProto.FLOAT, "rows"), tensor("y", TensorProto.FLOAT, "rows")
    with pytest.raises(Unloadable, match="Mine"):
        loaded(saved(tmp_path / "m", nodes, [x], [y], {}))


def test_weights_outside_the_models_folder_are_refused(tmp_path: Path) -> None:
    """A graph that names ../secret would answer with somebody else's file."""
    (tmp_path / "secret").write_bytes(WEIGHTS.tobytes())
    model = onnx.load(linear(tmp_path / "m") / "model.onnx")
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../secret")
    (tmp_path / "m" / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(Unloadable, match="secret"):
        loaded(tmp_path / "m")


def test_a_file_that_is_no_graph_says_so(tmp_path: Path) -> None:
    """The reason is in the replica's log."""
    (tmp_path / "model.onnx").write_bytes(b"hello")
    with pytest.raises(Unloadable, match="loading it failed: InvalidProtobuf"):
        loaded(tmp_path)


def test_of_two_graphs_none_is_chosen(tmp_path: Path) -> None:
    """Which of them was meant, only the user knows."""
    linear(tmp_path / "m")
    (tmp_path / "m" / "other.onnx").write_bytes((tmp_path / "m" / "model.onnx").read_bytes())
    with pytest.raises(Unloadable, match=r"2 ONNX files, model\.onnx, other\.onnx"):
        loaded(tmp_path / "m")
