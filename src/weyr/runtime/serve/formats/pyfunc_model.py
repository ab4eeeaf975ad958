"""How is any other MLflow model served? Through MLflow's own `pyfunc`, which knows every flavour."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.formats.mlmodel import INPUT, OUTPUT, ModelFile
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.model import Unloadable
from weyr.runtime.serve.tensor import TensorSpec, datatype_of

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array


class PyfuncModel:
    """Nothing is known of how its rows depend on each other, so every request is a call of its own."""

    platform = "mlflow_pyfunc"
    is_rowwise = False

    def __init__(self, file: ModelFile, loading: Loading) -> None:
        loading.require_code(f"its flavours ({', '.join(file.flavours)}) are only known to MLflow's pyfunc")
        import mlflow.pyfunc

        self._model: Any = mlflow.pyfunc.load_model(str(file.folder))
        self._is_columnar = file.is_columnar
        self.inputs = file.inputs or (TensorSpec(INPUT, "FP64", (-1, -1)),)
        self.outputs = file.outputs or (TensorSpec(OUTPUT, "FP64", (-1,)),)

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        given = self._named(self._model.predict(self._arranged(inputs)))
        missing = [name for name in outputs if name not in given]
        if missing:
            raise Unloadable(f'the model gave no "{missing[0]}", only {", ".join(given)}')
        return {name: given[name] for name in outputs}

    def warm_up(self) -> None:
        """Nothing: what a pyfunc does with an input made up here, nobody knows."""

    def _arranged(self, inputs: Mapping[str, "Array"]) -> Any:
        if self._is_columnar:
            import pandas as pd

            return pd.DataFrame(dict(inputs))
        return next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)

    def _named(self, given: Any) -> dict[str, "Array"]:
        """Whatever `predict` gave, as named arrays: a table's columns, a mapping's values, or the one result."""
        import numpy as np

        if isinstance(given, Mapping):
            arrays = {str(name): np.asarray(value) for name, value in given.items()}
        elif hasattr(given, "columns"):
            arrays = {str(name): given[name].to_numpy() for name in given.columns}
        else:
            arrays = {self.outputs[0].name: np.asarray(given)}
        wrong = [f"{name}: {array.dtype}" for name, array in arrays.items() if datatype_of(array.dtype) is None]
        if wrong:
            raise Unloadable(f"the protocol has no datatype for {', '.join(wrong)}")
        return arrays
