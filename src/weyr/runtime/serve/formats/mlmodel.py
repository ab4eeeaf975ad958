"""What does a saved MLflow model say of itself? The MLmodel file: its flavours and its signature.

Read without MLflow: importing it takes 0.8 s, and `mlflow.sklearn` with pandas 1.8 s and 80 MB (measured with
MLflow 3.17), while the file and its formats are documented and stable.

Source: https://mlflow.org/docs/latest/ml/model (MLmodel file, signatures), 2025-11.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from weyr.runtime.serve.model import Unloadable
from weyr.runtime.serve.tensor import DTYPES, TensorSpec, datatype_of

COLUMN_TYPES = {
    "boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64", "string": "BYTES",
}  # fmt: skip
INPUT, OUTPUT = "input", "predict"
"""What an input and an output are called whose signature gives them no name."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A saved model. `inputs` and `outputs` are None where no signature says them, or says what no tensor can hold.

    `is_columnar` means that each input is a column of one table, not an array of its own.
    """

    folder: Path
    flavours: Mapping[str, Mapping[str, Any]]
    inputs: tuple[TensorSpec, ...] | None
    outputs: tuple[TensorSpec, ...] | None
    is_columnar: bool

    def inside(self, name: object) -> Path:
        """A file that the model names. Raises: Unloadable where that is not a file of the model."""
        path = self.folder_inside(name)
        if not path.is_file():
            raise Unloadable(f'the model names "{name}", which is not one of its files')
        return path

    def folder_inside(self, name: object) -> Path:
        """A folder or file that the model names. Raises: as `inside`."""
        path = (self.folder / str(name)).resolve()
        if not path.is_relative_to(self.folder.resolve()) or not path.exists():
            raise Unloadable(f'the model names "{name}", which is not one of its files')
        return path


def read_mlmodel(folder: Path) -> ModelFile:
    """Raises: Unloadable."""
    file = folder / "MLmodel"
    try:
        plain = yaml.safe_load(file.read_bytes())
        flavours = dict(plain["flavors"])
        signature = plain.get("signature") or {}
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as e:
        raise Unloadable(f"the MLmodel file cannot be read: {type(e).__name__} {e}") from e
    inputs, is_columnar = _specs(signature.get("inputs"), INPUT)
    outputs, _ = _specs(signature.get("outputs"), OUTPUT)
    return ModelFile(folder, flavours, inputs, outputs, is_columnar)


def _specs(text: object, unnamed: str) -> tuple[tuple[TensorSpec, ...] | None, bool]:
    """Tensors, and whether they are columns of one table."""
    if not isinstance(text, str):
        return None, False
    items = json.loads(text)
    if not items:
        return None, False
    if all(item.get("type") == "tensor" for item in items):
        specs = [_tensor(item, unnamed) for item in items]
        return (tuple(spec for spec in specs if spec), False) if all(specs) else (None, False)
    if all(item.get("type") in COLUMN_TYPES for item in items):
        names = [str(item.get("name", unnamed)) for item in items]
        columns = zip(names, items, strict=True)
        return tuple(TensorSpec(name, COLUMN_TYPES[item["type"]], (-1,)) for name, item in columns), True
    return None, False


def _tensor(item: Mapping[str, Any], unnamed: str) -> TensorSpec | None:
    import numpy as np

    spec = item["tensor-spec"]
    datatype = datatype_of(np.dtype(spec["dtype"]))
    if datatype not in DTYPES:
        return None
    return TensorSpec(str(item.get("name", unnamed)), datatype, tuple(spec["shape"]))
