"""How is an ONNX file served? By ONNX Runtime, with the names, shapes and datatypes that the graph declares.

The file is data: a graph of known operations and their weights. One that needs an operation from a library of its own
cannot be loaded, and weights beside the file must lie in its folder; ONNX Runtime refuses both.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.formats.trial import rows_are_independent, sample_of
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.model import Unloadable
from weyr.runtime.serve.tensor import TensorSpec

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "int8": "INT8",
    "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float": "FP32", "double": "FP64",
    "string": "BYTES",
}  # fmt: skip
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""In the order of preference, as far as the installed ONNX Runtime has them."""

MAPS = {"seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))"}
"""What converters of scikit-learn make of probabilities: for each row a mapping from class to probability."""


class OnnxModel:
    """A session of ONNX Runtime. It may be called from several threads."""

    platform = "onnx_onnxv1"

    def __init__(self, path: Path, loading: Loading) -> None:
        self.session = session_of(path, loading.threads)
        self.inputs = tuple(_spec(node) for node in self.session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self.session.get_outputs())
        self.is_rowwise = False

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        """Computes only what the outputs asked for need."""
        return dict(zip(outputs, self._run(outputs, inputs), strict=True))

    def warm_up(self) -> None:
        """Computes made-up rows, which tells whether rows are independent. Raises: what ONNX Runtime raises."""
        names = tuple(spec.name for spec in self.outputs)
        if {spec.shape[:1] for spec in (*self.inputs, *self.outputs)} == {(-1,)}:
            try:
                self.is_rowwise = rows_are_independent(lambda rows: self.predict(rows, names), self.inputs)
            except ValueError as e:
                print(f"requests are not computed together, the graph does not take made-up rows: {e}", file=sys.stderr)
        else:
            self.predict(sample_of(self.inputs, 1), names)

    def _run(self, outputs: Sequence[str], inputs: Mapping[str, "Array"]) -> list["Array"]:
        """Raises: ValueError where the graph does not take these values."""
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

        try:
            given = self.session.run(list(outputs), dict(inputs))
        except (InvalidArgument, Fail, RuntimeException) as e:
            raise ValueError(str(e).partition("Status Message: ")[2] or str(e)) from e
        return [_as_array(value) for value in given]


def session_of(path: Path, threads: int) -> Any:
    """Raises: Unloadable; what ONNX Runtime raises where the file is none of its own."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the core from the event loop, and from other replicas.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    there = onnxruntime.get_available_providers()
    return onnxruntime.InferenceSession(path, options, providers=[name for name in PROVIDERS if name in there])


def _spec(node: Any) -> TensorSpec:
    """Takes ONNX Runtime's description of an input or output. An axis with a name has any size."""
    if node.type in MAPS:
        return TensorSpec(node.name, "FP32", (-1, -1))
    datatype = DATATYPES.get(node.type.removeprefix("tensor(").removesuffix(")"))
    if datatype is None or not node.type.startswith("tensor("):
        raise Unloadable(f'"{node.name}" is {node.type}, which the protocol has no datatype for')
    return TensorSpec(node.name, datatype, tuple(size if isinstance(size, int) else -1 for size in node.shape))


def _as_array(value: Any) -> "Array":
    """Mappings from class to probability become a row each, in the order of the classes."""
    import numpy as np

    if isinstance(value, list):
        return np.array([[row[name] for name in sorted(row)] for row in value], dtype=np.float32)
    return np.asarray(value)
