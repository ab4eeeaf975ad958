"""How is a fitted estimator served? Its prediction, and for classifiers the probabilities as a second output.

An estimator is what scikit-learn means by it: rows in, one result for each, and what it was fitted on as attributes.
"""

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.formats.mlmodel import INPUT, OUTPUT, ModelFile
from weyr.runtime.serve.model import Unloadable
from weyr.runtime.serve.tensor import DTYPES, TensorSpec, datatype_of

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

PROBABILITIES = "probabilities"


class EstimatorModel:
    """A fitted estimator. Each row is predicted by itself, as scikit-learn's contract says."""

    is_rowwise = True

    def __init__(self, file: ModelFile, platform: str, estimator: Any) -> None:
        self.platform = platform
        self._estimator = estimator
        wanted = file.flavours.get("python_function", {}).get("predict_fn", "predict")
        if not hasattr(self._estimator, wanted):
            raise Unloadable(f"{type(self._estimator).__name__} has no {wanted}")
        self._predict = getattr(self._estimator, wanted)
        self._is_columnar = file.is_columnar
        self.inputs = file.inputs or (TensorSpec(INPUT, "FP64", (-1, getattr(self._estimator, "n_features_in_", -1))),)
        if len(self.inputs) > 1 and not self._is_columnar:
            raise Unloadable(f"the signature names {len(self.inputs)} tensors, and {platform} takes one")
        self._columns = self._table_columns()
        self.outputs = file.outputs or (TensorSpec(OUTPUT, "FP64", (-1,)),)
        self._result = self.outputs[0].name
        self.outputs = self.outputs[:1]
        if wanted == "predict" and hasattr(self._estimator, "predict_proba"):
            classes = getattr(self._estimator, "classes_", ())
            self.outputs += (TensorSpec(PROBABILITIES, "FP64", (-1, len(classes) or -1)),)

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        """Runs only what is asked for: each output is a call of its own."""
        import numpy as np

        rows = self._arranged(inputs)
        calls = {self._result: self._predict, PROBABILITIES: getattr(self._estimator, "predict_proba", None)}
        return {name: np.asarray(calls[name](rows)) for name in outputs}

    def warm_up(self) -> None:
        """Predicts one row of zeros: the first call loads and compiles, and shows what the outputs really are.

        Raises: whatever the model raises; a model that cannot take zeros is no worse for it.
        """
        import numpy as np

        sample = {
            spec.name: np.zeros(tuple(max(size, 1) for size in spec.shape), DTYPES[spec.datatype])
            for spec in self.inputs
        }
        for spec in self.inputs:
            if spec.datatype == "BYTES":
                sample[spec.name].fill("")
        kept: list[TensorSpec] = []
        for spec in self.outputs:
            array = self.predict(sample, (spec.name,))[spec.name]
            datatype = datatype_of(array.dtype)
            if spec.name == PROBABILITIES and (array.ndim != 2 or array.shape[0] != 1):
                # Several targets at once give a list of tables, which is no tensor.
                continue
            if datatype is None:
                raise Unloadable(f"the model gives {array.dtype}, which the protocol has no datatype for")
            kept.append(TensorSpec(spec.name, datatype, (-1, *array.shape[1:])))
        self.outputs = tuple(kept)

    def _arranged(self, inputs: Mapping[str, "Array"]) -> Any:
        """The inputs as the estimator was fitted: a table with its column names, or an array."""
        import numpy as np

        if self._columns is None:
            arrays = list(inputs.values())
            return np.column_stack(arrays) if self._is_columnar else arrays[0]
        import pandas as pd

        if self._is_columnar:
            return pd.DataFrame(dict(inputs))
        return pd.DataFrame(next(iter(inputs.values())), columns=self._columns)

    def _table_columns(self) -> list[str] | None:
        """Names for the columns, where the estimator knows them and pandas is there."""
        names = getattr(self._estimator, "feature_names_in_", None)
        if names is None or importlib.util.find_spec("pandas") is None:
            return None
        return [str(name) for name in names]
