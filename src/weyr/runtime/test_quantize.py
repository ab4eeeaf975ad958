"""Is a smaller variant recommended only where it is faster and close enough?"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from weyr.runtime.quantize import DYNAMIC, STATIC, Measured, Unquantizable, chosen, compared, trial_of

ORIGINAL = Measured("original", Path(), 1000, 0.001, 0.010, 0.95, 0.0)
CHOICES = {
    "the fastest of those that are good": ([(STATIC, 0.004, 0.945), (DYNAMIC, 0.008, 0.95)], STATIC),
    "none that is slower, however exact": ([(DYNAMIC, 0.070, 0.95)], None),
    "none that loses too much, however fast": ([(STATIC, 0.001, 0.90), (DYNAMIC, 0.009, 0.945)], DYNAMIC),
    "none where there is none": ([], None),
}


@pytest.mark.parametrize("case", CHOICES)
def test_recommended_is(case: str) -> None:
    """Dynamic INT8 can be seven times slower than what it replaces."""
    told, kind = CHOICES[case]
    variants = [replace(ORIGINAL, kind=kind, batch_s=batch_s, accuracy=right) for kind, batch_s, right in told]
    found = chosen(ORIGINAL, variants, loss_max=0.01, difference_max=0.05)
    assert (found.kind if found else None) == kind


def test_without_labels_the_outputs_decide() -> None:
    """Nobody knows what is right, but everybody can see what changed."""
    original = replace(ORIGINAL, accuracy=None)
    near, far = (replace(original, kind=STATIC, batch_s=0.001, difference=share) for share in (0.04, 0.06))
    assert chosen(original, [near], 0.01, 0.05) is near
    assert chosen(original, [far], 0.01, 0.05) is None


def graph_in(folder: Path, rows: str | int = "rows") -> Path:
    """Two dense layers of 256 with random weights."""
    chance = np.random.default_rng(0)
    weights = {f"w{n}": chance.standard_normal((256, 256)).astype(np.float32) / 16 for n in range(2)}
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w1"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, 256]) for name in "xy")
    held = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    path = folder / "model.onnx"
    graph = helper.make_graph(nodes, "graph", [x], [y], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_variants_are_a_quarter_of_the_size_and_told_apart_from_the_original(tmp_path: Path) -> None:
    """Static from real rows, dynamic without any; each with what it loses on them."""
    graph = graph_in(tmp_path)
    rows = np.random.default_rng(1).standard_normal((40, 256)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=rows)

    original, variants = compared(graph, trial_of(graph, tmp_path / "rows.npz", 1), tmp_path, 1)

    assert {variant.kind for variant in variants} == {STATIC, DYNAMIC}
    assert all(variant.size_bytes < original.size_bytes / 3 for variant in variants)
    assert all(0 < variant.difference < 0.1 for variant in variants)
    assert all(variant.one_s > 0 and variant.batch_s > 0 for variant in (original, *variants))


def test_made_up_rows_calibrate_nothing(tmp_path: Path) -> None:
    """Ranges of noise are not those of photographs."""
    graph = graph_in(tmp_path)
    _, variants = compared(graph, trial_of(graph, None, 1), tmp_path, 1)
    assert [variant.kind for variant in variants] == [DYNAMIC]


def test_rows_that_do_not_fit_the_graph_are_refused(tmp_path: Path) -> None:
    """And it is said what would fit."""
    graph = graph_in(tmp_path)
    np.savez(tmp_path / "rows.npz", pixels=np.zeros((4, 256)))
    with pytest.raises(Unquantizable, match=r"x \(FP32 \[-1, 256\]\)"):
        trial_of(graph, tmp_path / "rows.npz", 1)
    with pytest.raises(Unquantizable, match="fixed size"):
        trial_of(graph_in(tmp_path, rows=1), None, 1)
