"""Which format is this model in, and who serves it? The narrowest that knows it, and never by guessing at a pickle."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from weyr.runtime.serve.formats.boosted import lightgbm_model, xgboost_model
from weyr.runtime.serve.formats.mlmodel import ModelFile, read_mlmodel
from weyr.runtime.serve.formats.onnx_model import OnnxModel
from weyr.runtime.serve.formats.onnx_sentences import is_encoder, onnx_sentences
from weyr.runtime.serve.formats.pyfunc_model import PyfuncModel
from weyr.runtime.serve.formats.pytorch_model import PytorchModel
from weyr.runtime.serve.formats.sklearn_model import sklearn_model
from weyr.runtime.serve.formats.transformers_model import transformers_flavour, transformers_folder
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.language import Embedder, Generator
from weyr.runtime.serve.model import Model, Predictor, Program, Unloadable

FLAVOURS: dict[str, Callable[[ModelFile, Loading], Predictor]] = {
    "sklearn": sklearn_model,
    "xgboost": xgboost_model,
    "lightgbm": lightgbm_model,
    "onnx": lambda file, loading: onnx_model(file.inside(file.flavours["onnx"]["data"]), loading),
    "transformers": transformers_flavour,
    "pytorch": PytorchModel,
    "python_function": PyfuncModel,
}
"""MLflow's flavours in the order of preference: what a library's own format says, pyfunc says less exactly."""

EXTRAS = {
    "onnxruntime": "onnx",
    "tokenizers": "onnx",
    "sklearn": "ml",
    "skops": "ml",
    "cloudpickle": "ml",
    "pandas": "ml",
    "mlflow": "ml",
    "numpy": "ml",
}
"""Which extra of Weyr brings a package. The other packages are for the user to choose: weyr has no part in them."""


def load(folder: Path, name: str, version: str, loading: Loading) -> Model:
    """The model in `folder`, warmed up. Raises: Unloadable."""
    try:
        predictor = _predictor(folder, loading)
    except ModuleNotFoundError as e:
        package = (e.name or "").partition(".")[0]
        how = f'"weyr[{EXTRAS[package]}]"' if package in EXTRAS else package
        raise Unloadable(f'it needs the Python package "{package}": pip install {how} beside weyr') from e
    except Unloadable:
        raise
    except Exception as e:
        # Loading runs code of the model's own, which may raise anything; all of it means the same here.
        raise Unloadable(f"loading it failed: {type(e).__name__}: {e}") from e
    try:
        predictor.warm_up()
    except Unloadable:
        raise
    except Exception as e:  # noqa: BLE001 - the model's own code again, and what is made up may not suit it
        print(f"warm-up left out, made-up rows do not suit the model: {type(e).__name__}: {e}", file=sys.stderr)
    return Model(
        name,
        version,
        predictor,
        generator=predictor if isinstance(predictor, Generator) else None,
        embedder=predictor if isinstance(predictor, Embedder) else None,
        program=predictor if isinstance(predictor, Program) else None,
    )


def onnx_model(path: Path, loading: Loading) -> Predictor:
    """An embedder, where the graph is an encoder and its tokenizer lies beside it; else the graph's own tensors."""
    model = OnnxModel(path, loading)
    if (path.parent / "tokenizer.json").is_file() and is_encoder(model):
        return onnx_sentences(path.parent, model, loading)
    return model


def _predictor(folder: Path, loading: Loading) -> Predictor:
    if loading.program:
        # By name: it brings pydantic, which takes longer to import than a small model to load.
        made: Predictor = import_module("weyr.runtime.serve.formats.program").class_program(
            loading.program, loading.base.absolute(), folder
        )
        return made
    if (folder / "MLmodel").is_file():
        file = read_mlmodel(folder)
        flavour = next((flavour for flavour in FLAVOURS if flavour in file.flavours), None)
        if flavour is None:
            raise Unloadable(f"none of its flavours is known: {', '.join(file.flavours)}")
        return FLAVOURS[flavour](file, loading)
    graphs = sorted(folder.glob("*.onnx"))
    if len(graphs) > 1:
        raise Unloadable(f"it has {len(graphs)} ONNX files, {', '.join(path.name for path in graphs)}; one is served")
    if graphs:
        return onnx_model(graphs[0], loading)
    if (folder / "config.json").is_file() and list(folder.glob("*.safetensors")):
        return transformers_folder(folder, folder, "", loading)
    listed = ", ".join(sorted(path.name for path in folder.iterdir() if path.name[0] != ".")[:10]) or "none"
    raise Unloadable(
        f"its files are in no format that is known: {listed}. Known are a folder that MLflow saved (MLmodel), one "
        "ONNX file, and config.json with *.safetensors"
    )
