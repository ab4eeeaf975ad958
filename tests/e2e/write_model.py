"""`write_model.py FOLDER`: a fitted scikit-learn model in the layout in which MLflow saves one.

Written by hand because importing MLflow takes longer than a whole test here may; that MLflow's own files
are served is what tests/clients show.
"""

import sys
from pathlib import Path

import skops.io
from sklearn.linear_model import LogisticRegression

MLMODEL = """\
flavors:
  sklearn: {pickled_model: model.skops, serialization_format: skops, code: null}
mlflow_version: 3.1.0
signature:
  inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
"""


def main(folder: Path) -> None:
    making = folder.with_name(f".{folder.name}")
    making.mkdir(parents=True)
    model = LogisticRegression().fit([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 0, 1, 1])
    skops.io.dump(model, making / "model.skops")
    (making / "MLmodel").write_text(MLMODEL)
    making.rename(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
