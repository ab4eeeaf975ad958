"""How is a scikit-learn model of MLflow loaded? From skops, which says what is in it, or from a pickle."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weyr.runtime.serve.formats.estimator import EstimatorModel
from weyr.runtime.serve.formats.mlmodel import ModelFile
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.model import Unloadable


def sklearn_model(file: ModelFile, loading: Loading) -> EstimatorModel:
    """Raises: Unloadable; whatever loading the estimator raises."""
    flavour = file.flavours["sklearn"]
    add_code(file, flavour, loading)
    estimator = load_estimator(file.inside(flavour["pickled_model"]), flavour, loading)
    return EstimatorModel(file, "sklearn", estimator)


def add_code(file: ModelFile, flavour: Mapping[str, Any], loading: Loading) -> None:
    """Makes the modules that were saved with the model importable."""
    if code := flavour.get("code"):
        loading.require_code("it brings Python modules of its own")
        sys.path.insert(0, str(file.folder_inside(code)))


def load_estimator(path: Path, flavour: Mapping[str, Any], loading: Loading) -> Any:
    """The estimator, in the format that the flavour names, as scikit-learn's and LightGBM's do."""
    match flavour.get("serialization_format", "pickle"):
        case "skops":
            import skops.io

            return skops.io.load(path, trusted=flavour.get("skops_trusted_types"))
        case "pickle" | "cloudpickle":
            loading.require_code("it was saved as a pickle")
            # cloudpickle reads both formats.
            import cloudpickle

            with path.open("rb") as file:
                return cloudpickle.load(file)
        case other:
            raise Unloadable(f'the model was saved as "{other}"; known: skops, cloudpickle, pickle')
