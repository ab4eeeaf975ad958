"""How is a PyTorch model of MLflow served? An exported graph (pt2), TorchScript, or a pickled module.

An exported graph is MLflow's default and is loaded only if all of its records are data. A pickled module runs code.

Source: https://mlflow.org/docs/latest/ml/deep-learning/pytorch (2025-11); the archive's records: PyTorch's PT2 archive
specification, https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/export/pt2_archive.html.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.formats.mlmodel import INPUT, OUTPUT, ModelFile
from weyr.runtime.serve.formats.sklearn_model import add_code
from weyr.runtime.serve.formats.trial import rows_are_independent, sample_of
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.model import Unloadable
from weyr.runtime.serve.tensor import TensorSpec, datatype_of

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

RECORD_BYTES_MAX = 2**31


class PytorchModel:
    """A module in evaluation mode. It gives one tensor, several in a row, or several by name."""

    platform = "pytorch"

    def __init__(self, file: ModelFile, loading: Loading) -> None:
        import torch

        flavour = file.flavours["pytorch"]
        add_code(file, flavour, loading)
        torch.set_num_threads(loading.threads)
        self._module = _module(file, str(flavour.get("model_data", "data")), loading)
        self._is_columnar = file.is_columnar
        self.inputs = file.inputs or (TensorSpec(INPUT, "FP32", (-1, -1)),)
        self.outputs = (file.outputs or (TensorSpec(OUTPUT, "FP32", (-1, -1)),))[:1]
        self._result = self.outputs[0].name
        self.is_rowwise = False

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        given = self._computed(inputs)
        return {name: given[name] for name in outputs}

    def warm_up(self) -> None:
        """Computes made-up rows: that shows what the outputs are, and whether rows are independent."""
        alone = self._computed(sample_of(self.inputs, 2))
        self.outputs = tuple(
            TensorSpec(name, datatype_of(array.dtype) or "", (-1, *array.shape[1:])) for name, array in alone.items()
        )
        self.is_rowwise = rows_are_independent(self._computed, self.inputs)

    def _computed(self, inputs: Mapping[str, "Array"]) -> dict[str, "Array"]:
        """Raises: ValueError where the module does not take these values."""
        import torch

        with torch.inference_mode():
            try:
                given = self._module(*map(torch.from_numpy, self._arranged(inputs)))
            except (RuntimeError, AssertionError, IndexError) as e:
                raise ValueError(str(e)) from e
        named = given if isinstance(given, Mapping) else dict(zip(self._names(given), _listed(given), strict=True))
        return {str(name): tensor.detach().cpu().numpy() for name, tensor in named.items()}

    def _arranged(self, inputs: Mapping[str, "Array"]) -> list["Array"]:
        """A table's columns as one array of float32, which is what MLflow makes of them too."""
        import numpy as np

        if self._is_columnar:
            return [np.column_stack(list(inputs.values())).astype(np.float32)]
        # What came in one piece with others cannot be written to, and PyTorch warns of that.
        return [array if array.flags.writeable else array.copy() for array in inputs.values()]

    def _names(self, given: Any) -> list[str]:
        count = len(_listed(given))
        return [self._result] if count == 1 else [f"{self._result}_{number}" for number in range(count)]


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, tuple | list) else [given]


def _module(file: ModelFile, data: str, loading: Loading) -> Any:
    import torch

    if (file.folder / data / "model.pt2").exists():
        path = file.inside(f"{data}/model.pt2")
        if not loading.allows_code:
            _check_is_data(path)
        return torch.export.load(path).module()
    path = file.inside(f"{data}/model.pth")
    if _is_torchscript(path):
        return torch.jit.load(path, map_location="cpu").eval()
    loading.require_code("the PyTorch module was saved as a pickle")
    # What cloudpickle wrote, pickle reads: each name in it is cloudpickle's own.
    return torch.load(path, map_location="cpu", weights_only=False).eval()


def _is_torchscript(path: Path) -> bool:
    """TorchScript's archives hold the graph as source text, which is compiled and never executed as Python."""
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _check_is_data(path: Path) -> None:
    """Raises: Unloadable where a record of the archive is anything but JSON, plain text, raw numbers or tensors.

    PyTorch itself unpickles some of them without restriction.
    """
    import torch

    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            if record.file_size > RECORD_BYTES_MAX:
                raise Unloadable(f'the record "{record.filename}" of the exported graph is too large to look through')
            content = archive.read(record)
            if _is_plain(record.filename, content):
                continue
            try:
                torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            except Exception as e:
                raise Unloadable(f'the record "{record.filename}" of the exported graph is not only data') from e


def _is_plain(name: str, content: bytes) -> bool:
    if content[:2] not in (b"PK", b"\x80\x02") and "/weights/" in name:
        return True
    try:
        json.loads(content)
    except ValueError:
        return len(content) < 256 and content.isascii() and not name.endswith((".so", ".pt", ".pkl"))
    return True
