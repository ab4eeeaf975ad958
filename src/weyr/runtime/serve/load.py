"""Which flavour serves this model? The narrowest that is there: scikit-learn itself, else MLflow's pyfunc."""

import sys
from collections.abc import Callable
from pathlib import Path

from weyr.runtime.serve.mlmodel import ModelFile, Unloadable, read_mlmodel
from weyr.runtime.serve.model import Model, Predictor
from weyr.runtime.serve.pyfunc_model import PyfuncModel
from weyr.runtime.serve.sklearn_model import SklearnModel


def load(folder: Path, name: str, version: str) -> Model:
    """The model in `folder`, warmed up. Raises: Unloadable."""
    file = read_mlmodel(folder)
    known: dict[str, Callable[[ModelFile], Predictor]] = {"sklearn": SklearnModel, "python_function": PyfuncModel}
    flavour = next((flavour for flavour in known if flavour in file.flavours), None)
    if flavour is None:
        raise Unloadable(f"none of its flavours is known: {', '.join(file.flavours)}")
    try:
        predictor = known[flavour](file)
    except ModuleNotFoundError as e:
        raise Unloadable(f'it needs the Python package "{e.name}": pip install "weyr[ml]" brings the usual ones') from e
    except Unloadable:
        raise
    except Exception as e:
        # Loading runs code of the model's own, which may raise anything; all of it means the same here.
        raise Unloadable(f"loading it failed: {type(e).__name__}: {e}") from e
    try:
        predictor.warm_up()
    except Unloadable:
        raise
    except Exception as e:  # noqa: BLE001 - the model's own code again, and zeros may not suit it
        print(f"warm-up left out, a row of zeros does not suit the model: {type(e).__name__}: {e}", file=sys.stderr)
    return Model(name, version, predictor)
