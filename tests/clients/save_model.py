"""A training job in short: `save_model.py FOLDER KIND` fits a model and has MLflow save it.

Beside it, in FOLDER.npz, it leaves what it was tried with and what it said: the probabilities are
those of the first seven rows.
"""

import sys
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes, load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline


class Doubler(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # MLflow is not followed by the type checker
    """A model of somebody's own."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return {"twice": np.asarray(model_input) * 2, "rows": np.asarray([len(model_input)])}


def fitted(kind: str) -> tuple[Any, Any]:
    """A model and inputs to try it with."""
    match kind:
        case "digits" | "digits-unsigned" | "digits-cloudpickle":
            pixels, labels = load_digits(return_X_y=True)
            return LogisticRegression(max_iter=300).fit(pixels / 16, labels), pixels / 16
        case "columns":
            table = pd.DataFrame({"height": [1.0, 2.0, 3.0, 4.0], "width": [4.0, 3.0, 2.0, 1.0]})
            return LogisticRegression().fit(table, np.array(["low", "low", "high", "high"])), table
        case "text":
            texts = np.array(["good day", "bad day", "good night", "bad night"], dtype=object)
            return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0]), texts
        case "two-targets":
            table, target = load_diabetes(return_X_y=True)
            return LinearRegression().fit(table, np.column_stack([target, -target])), table
        case other:
            raise SystemExit(f"there is no kind {other}")


def save(folder: Path, kind: str) -> None:
    if kind == "pyfunc":
        numbers = np.arange(6.0).reshape(3, 2)
        signature = infer_signature(numbers, {"twice": numbers * 2, "rows": np.asarray([3])})
        mlflow.pyfunc.save_model(str(folder), python_model=Doubler(), signature=signature, pip_requirements=[])
        np.savez(folder.with_suffix(".npz"), inputs=numbers, predicted=numbers * 2, probabilities=np.zeros(0))
        return
    model, inputs = fitted(kind)
    predicted = model.predict(inputs)
    signature = None if kind == "digits-unsigned" else infer_signature(inputs, predicted)
    how = "cloudpickle" if kind in ("digits-cloudpickle", "text") else "skops"
    mlflow.sklearn.save_model(
        model, str(folder), signature=signature, serialization_format=how, pip_requirements=["scikit-learn"]
    )
    probabilities = model.predict_proba(inputs[:7]) if hasattr(model, "predict_proba") else np.zeros(0)
    np.savez(folder.with_suffix(".npz"), inputs=np.asarray(inputs), predicted=predicted, probabilities=probabilities)


if __name__ == "__main__":
    save(Path(sys.argv[1]), sys.argv[2])
