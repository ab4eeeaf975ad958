"""How are gradient-boosted trees loaded? XGBoost's and LightGBM's own files, and their estimators.

Source: https://mlflow.org/docs/latest/ml/traditional-ml/xgboost and .../lightgbm (the flavours' fields), 2025-11.
"""

from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.formats.estimator import EstimatorModel
from weyr.runtime.serve.formats.mlmodel import ModelFile
from weyr.runtime.serve.formats.sklearn_model import add_code, load_estimator
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.model import Unloadable

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array


def xgboost_model(file: ModelFile, loading: Loading) -> EstimatorModel:
    """Loads XGBoost's own file (UBJSON or JSON), which is only data. Raises: Unloadable; what XGBoost raises."""
    import xgboost

    flavour = file.flavours["xgboost"]
    add_code(file, flavour, loading)
    name = str(flavour.get("model_class", "xgboost.core.Booster")).rpartition(".")[2]
    made = getattr(xgboost, name, None)
    if not isinstance(made, type) or not issubclass(made, xgboost.Booster | xgboost.XGBModel):
        raise Unloadable(f'"{flavour.get("model_class")}" is no model of XGBoost')
    model = made()
    path = file.inside(flavour["data"])
    if path.suffix not in (".ubj", ".json", ".xgb", ".deprecated"):
        raise Unloadable(f'the model was saved as "{path.suffix}"; known: .ubj, .json')
    model.load_model(path)
    if isinstance(model, xgboost.Booster):
        model.set_param({"nthread": loading.threads})
        return EstimatorModel(file, "xgboost", XgboostTrees(model))
    model.set_params(n_jobs=loading.threads)
    return EstimatorModel(file, "xgboost", model)


def lightgbm_model(file: ModelFile, loading: Loading) -> EstimatorModel:
    """Loads LightGBM's own text, or an estimator as scikit-learn's are. Raises: Unloadable; what LightGBM raises."""
    import lightgbm

    flavour = file.flavours["lightgbm"]
    add_code(file, flavour, loading)
    path = file.inside(flavour["data"])
    if flavour.get("model_class", "lightgbm.basic.Booster") == "lightgbm.basic.Booster":
        booster = lightgbm.Booster(model_file=path)
        return EstimatorModel(file, "lightgbm", LightgbmTrees(booster, loading.threads))
    estimator = load_estimator(path, flavour, loading)
    estimator.set_params(n_jobs=loading.threads)
    return EstimatorModel(file, "lightgbm", estimator)


class XgboostTrees:
    """A booster as an estimator. Its `predict` may be called from several threads."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster
        self.n_features_in_ = booster.num_features()
        if booster.feature_names:
            self.feature_names_in_ = booster.feature_names

    def predict(self, rows: Any) -> "Array":
        """Raises: ValueError where the rows do not have the features that the trees were grown on."""
        import xgboost

        # Names are compared where there are names; an array has none, and its columns are in their order.
        given: Array = self._booster.predict(xgboost.DMatrix(rows), validate_features=hasattr(rows, "columns"))
        return given


class LightgbmTrees:
    """A booster as an estimator. Its columns have no names here: LightGBM gives some where none were."""

    def __init__(self, booster: Any, threads: int) -> None:
        self._booster = booster
        self._threads = threads
        self.n_features_in_ = booster.num_feature()

    def predict(self, rows: Any) -> "Array":
        given: Array = self._booster.predict(rows, num_threads=self._threads)
        return given
