"""How is a smaller variant of an ONNX model made, and what does it cost? INT8, measured beside the original.

Static INT8 knows the range of every activation from calibration rows; dynamic INT8 works it out at each call, which
needs no rows and often costs more than it saves. Which of them is faster, only trying tells, and both may be slower.
"""

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.formats.onnx_model import OnnxModel
from weyr.runtime.serve.formats.trial import sample_of
from weyr.runtime.serve.formats.trust import Loading

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

    Rows = Mapping[str, "Array"]

LABELS = "labels"
ROWS_AT_ONCE = 32
"""The larger of the two batches that are timed, and how many rows are computed at once otherwise."""

MADE_UP_ROWS = 64
TIMED_FOR_S = 0.25
TIMED_MIN = 5
STATIC, DYNAMIC = "static", "dynamic"


class Unquantizable(Exception):
    """No variant can be made; the text says why, for the user."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What every variant is tried with. `labels` are what the first output should say; None where nobody knows."""

    rows: "Rows"
    labels: "Array | None"
    is_made_up: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """One file. Latencies are medians of a call with 1 row and with `ROWS_AT_ONCE`; `accuracy` is None without labels.

    `difference` is that of the outputs from the original's, relative to their size: 0 is none.
    """

    kind: str
    path: Path
    size_bytes: int
    one_s: float
    batch_s: float
    accuracy: float | None
    difference: float

    @property
    def digest(self) -> str:
        """Names the file by what is in it."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:12]

    def plain(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "size_bytes": self.size_bytes,
            "latency_ms": {"1": self.one_s * 1e3, str(ROWS_AT_ONCE): self.batch_s * 1e3},
            "accuracy": self.accuracy,
            "difference": self.difference,
        }


def trial_of(graph: Path, data: Path | None, threads: int) -> Trial:
    """Takes `data`, an .npz with an array for each input and, if there are any, `labels`. Raises: Unquantizable."""
    import numpy as np

    model = OnnxModel(graph, Loading(threads))
    if any(spec.shape[:1] != (-1,) for spec in model.inputs):
        raise Unquantizable("its first axis has a fixed size, so that rows cannot be counted")
    if data is None:
        return Trial(sample_of(model.inputs, MADE_UP_ROWS), None, is_made_up=True)
    with np.load(data, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    labels = arrays.pop(LABELS, None)
    missing = [spec.name for spec in model.inputs if spec.name not in arrays]
    sizes = {len(array) for array in (*arrays.values(), *([] if labels is None else [labels])) if array.ndim}
    if missing or len(sizes) != 1 or arrays.keys() - {spec.name for spec in model.inputs}:
        wanted = ", ".join(f"{spec.name} ({spec.datatype} {list(spec.shape)})" for spec in model.inputs)
        raise Unquantizable(f"{data} has to hold as many rows of each of these: {wanted}, and of {LABELS} if known")
    return Trial(arrays, labels, is_made_up=False)


def compared(graph: Path, trial: Trial, folder: Path, threads: int) -> tuple[Measured, list[Measured]]:
    """The original and its variants, which are written into `folder`. Raises: Unquantizable; ValueError where the
    graph does not take the rows."""
    original, output = measured("original", graph, trial, None, threads)
    variants = make_variants(graph, trial, folder)
    return original, [measured(kind, path, trial, output, threads)[0] for kind, path in variants.items()]


def make_variants(graph: Path, trial: Trial, folder: Path) -> dict[str, Path]:
    """The variants that can be made, by kind: static only from rows that are real. Raises: Unquantizable."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = folder / "prepared.onnx"
    try:
        # Symbolic inference fails on graphs that ONNX's own takes, and adds nothing that is used here.
        quant_pre_process(graph, prepared, skip_symbolic_shape=True)
        made = {DYNAMIC: folder / "dynamic.onnx"}
        quantize_dynamic(prepared, made[DYNAMIC], weight_type=QuantType.QInt8)
        if not trial.is_made_up:
            made[STATIC] = folder / "static.onnx"
            quantize_static(
                prepared,
                made[STATIC],
                _Calibration(trial.rows),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
    except Exception as e:
        raise Unquantizable(f"ONNX Runtime cannot quantize it: {type(e).__name__}: {e}") from e
    whole = {operation.op_type for operation in onnx.load(graph, load_external_data=False).graph.node}
    return {kind: path for kind, path in made.items() if _operations(path) != whole}


def measured(kind: str, graph: Path, trial: Trial, original: "Array | None", threads: int) -> tuple[Measured, "Array"]:
    """Takes `original`, the original's first output, None where this is the original. Gives the first output too."""
    import numpy as np

    model = OnnxModel(graph, Loading(threads))
    first = model.outputs[0].name
    count = len(next(iter(trial.rows.values())))
    parts = list(_parts(trial.rows, count))
    output = np.concatenate([model.predict(part, (first,))[first] for part in parts])
    accuracy = None if trial.labels is None else float(np.mean(_said(output) == trial.labels))
    scale = max(float(np.linalg.norm(output if original is None else original)), 1e-12)
    difference = 0.0 if original is None else float(np.linalg.norm(output - original)) / scale
    one = {name: array[:1] for name, array in trial.rows.items()}
    one_s = _median_s(lambda: model.predict(one, (first,)))
    batch_s = _median_s(lambda: model.predict(parts[0], (first,)))
    return Measured(kind, graph, graph.stat().st_size, one_s, batch_s, accuracy, difference), output


def chosen(original: Measured, variants: Sequence[Measured], loss_max: float, difference_max: float) -> Measured | None:
    """The fastest variant in batches that is faster than the original and loses no more than is allowed; else None."""

    def is_good(variant: Measured) -> bool:
        if original.accuracy is not None and variant.accuracy is not None:
            return original.accuracy - variant.accuracy <= loss_max
        return variant.difference <= difference_max

    good = [variant for variant in variants if is_good(variant) and variant.batch_s < original.batch_s]
    return min(good, key=lambda variant: variant.batch_s, default=None)


class _Calibration:
    """Gives the rows to ONNX Runtime's calibration, some at a time."""

    def __init__(self, rows: "Rows") -> None:
        self._parts = _parts(rows, len(next(iter(rows.values()))))

    def get_next(self) -> "Rows | None":
        return next(self._parts, None)


def _parts(rows: "Rows", count: int) -> "Iterator[Rows]":
    for start in range(0, count, ROWS_AT_ONCE):
        yield {name: array[start : start + ROWS_AT_ONCE] for name, array in rows.items()}


def _said(output: "Array") -> "Array":
    """What a classifier says: the likeliest of each row's scores, or the output itself where it is one value."""
    import numpy as np

    return np.asarray(
        output.argmax(axis=1) if output.ndim == 2 and output.shape[1] > 1 else output.reshape(len(output))
    )


def _median_s(call: Callable[[], Any]) -> float:
    call()
    taken: list[float] = []
    until = time.perf_counter() + TIMED_FOR_S
    while len(taken) < TIMED_MIN or time.perf_counter() < until:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _operations(path: Path) -> set[str]:
    import onnx

    return {node.op_type for node in onnx.load(path, load_external_data=False).graph.node}
