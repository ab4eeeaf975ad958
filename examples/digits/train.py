"""Learns to read handwritten digits, and goes on where it stopped when its machine is taken away.

scikit-learn's 1,797 digits are split once; in each epoch the classifier sees every training image
24 times, each time turned, scaled and shifted a little differently. Loss and validation accuracy
go to MLflow epoch by epoch; the finished model becomes a new version in the registry.

It runs by itself as well: `python train.py` tracks to a local file and keeps no checkpoints.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import joblib
import mlflow
import mlflow.sklearn
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from weyr.runtime import checkpoint

Images = NDArray[np.float64]
"""float64[images, 64]: 8 x 8 pixels in rows, each from 0 (paper) to 16 (ink)."""
Labels = NDArray[np.int64]

INK_MAX = 16.0
DISTORTIONS_PER_EPOCH = 24
INTERRUPTED = 143
"""What a program that ended on SIGTERM exits with: 128 + 15."""


@dataclass
class Digits:
    """The images, split by chance but always the same way, each digit as frequent in every part."""

    train: tuple[Images, Labels]
    validation: tuple[Images, Labels]
    test: tuple[Images, Labels]

    @classmethod
    def load(cls) -> "Digits":
        images, labels = load_digits(return_X_y=True)
        rest, test, rest_labels, test_labels = train_test_split(
            images, labels, test_size=0.2, stratify=labels, random_state=0
        )
        train, validation, train_labels, validation_labels = train_test_split(
            rest, rest_labels, test_size=0.15, stratify=rest_labels, random_state=0
        )
        return cls((train, train_labels), (validation, validation_labels), (test, test_labels))


@dataclass
class Training:
    """Everything that the next epoch depends on: with it, a resumed run equals an unbroken one.

    The classifier holds its weights, its optimiser's moments and its own random state.
    """

    classifier: MLPClassifier
    random: np.random.Generator
    epoch: int = 0
    run_id: str = ""

    @classmethod
    def fresh(cls, seed: int, learning_rate: float) -> "Training":
        classifier = MLPClassifier((256, 128), batch_size=64, learning_rate_init=learning_rate, random_state=seed)
        return cls(classifier, np.random.default_rng(seed))

    @classmethod
    def restored(cls, folder: Path) -> "Training":
        progress = json.loads((folder / "progress.json").read_text())
        random = np.random.default_rng()
        random.bit_generator.state = progress["random"]
        return cls(joblib.load(folder / "classifier.joblib"), random, progress["epoch"], progress["run_id"])

    def save(self, folder: Path) -> None:
        joblib.dump(self.classifier, folder / "classifier.joblib")
        progress = {"epoch": self.epoch, "run_id": self.run_id, "random": self.random.bit_generator.state}
        (folder / "progress.json").write_text(json.dumps(progress))

    def learn(self, images: Images, labels: Labels) -> float:
        """One epoch. Gives its mean loss."""
        seen = np.concatenate([distorted(images, self.random) for _ in range(DISTORTIONS_PER_EPOCH)])
        self.classifier.partial_fit(seen / INK_MAX, np.tile(labels, DISTORTIONS_PER_EPOCH), classes=np.arange(10))
        self.epoch += 1
        return float(self.classifier.loss_)

    def accuracy(self, images: Images, labels: Labels) -> float:
        return float(self.classifier.score(images / INK_MAX, labels))

    def model(self) -> Pipeline:
        """What is served: takes pixels as they are, and leaves the optimiser's state behind."""
        del self.classifier._optimizer
        return make_pipeline(MaxAbsScaler().fit([[INK_MAX] * 64]), self.classifier)


def distorted(images: Images, random: np.random.Generator) -> Images:
    """Each image turned by about 8 degrees, scaled by about 8 % and moved by about half a pixel."""
    result = np.empty_like(images)
    centre = np.array([3.5, 3.5])
    angles, scales = np.deg2rad(random.normal(0, 8, len(images))), 1 + random.normal(0, 0.08, len(images))
    shifts = random.normal(0, 0.5, (len(images), 2))
    for i, image in enumerate(images.reshape(-1, 8, 8)):
        sine, cosine = np.sin(angles[i]), np.cos(angles[i])
        turn = np.array([[cosine, -sine], [sine, cosine]]) / scales[i]
        moved = ndimage.affine_transform(image, turn, centre - turn @ (centre + shifts[i]), order=1)
        result[i] = moved.ravel()
    return result


def train(training: Training, digits: Digits, epochs: int) -> bool:
    """Learns up to `epochs`. Gives whether it got there; if not, what it learned is saved."""
    while training.epoch < epochs:
        began = time.perf_counter()
        loss = training.learn(*digits.train)
        accuracy = training.accuracy(*digits.validation)
        mlflow.log_metrics({"loss": loss, "validation_accuracy": accuracy}, step=training.epoch)
        took_s = time.perf_counter() - began
        print(
            f"epoch {training.epoch}/{epochs}  loss {loss:.4f}  validation {accuracy:.1%}  {took_s:.1f} s", flush=True
        )
        is_stopping = checkpoint.should_stop()  # asked once: what stops here has been saved here
        if is_stopping or checkpoint.is_due():
            with checkpoint.saving(f"epoch-{training.epoch}") as folder:
                training.save(folder)
        if is_stopping:
            return False
    return True


def publish(training: Training, digits: Digits) -> float:
    """Logs the accuracy on images never seen before, and registers the model. Gives the accuracy."""
    images, labels = digits.test
    model = training.model()
    accuracy = float(model.score(images, labels))
    mlflow.log_metric("accuracy", accuracy, step=training.epoch)
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=mlflow.models.infer_signature(images, model.predict(images)),
        pip_requirements=["scikit-learn"],  # given, because MLflow would start a Python to find it out
        registered_model_name=os.environ.get("WEYR_MODEL_NAME"),
    )
    return accuracy


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="a higher one is done sooner, and rougher")
    options = parser.parse_args()

    digits = Digits.load()
    saved = checkpoint.latest()
    training = Training.restored(saved) if saved else Training.fresh(options.seed, options.learning_rate)
    training.run_id = mlflow.start_run(run_id=training.run_id or None).info.run_id
    if saved:
        print(f"resumed from epoch {training.epoch}", flush=True)
    else:
        mlflow.log_params({"epochs": options.epochs, "seed": options.seed, "hidden": "256, 128", "optimiser": "adam"})

    if not train(training, digits, options.epochs):
        print(f"interrupted after epoch {training.epoch}; saved", flush=True)
        mlflow.end_run("KILLED")
        return INTERRUPTED
    accuracy = publish(training, digits)
    mlflow.end_run()
    print(f"test accuracy {accuracy:.2%} on {len(digits.test[1])} images never seen before", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
