"""Saves real models as users do, and serves them with the real model server."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from inference_plane import Process, unix_get, until

START_S = 60.0
"""Importing scikit-learn and pandas takes seconds on two busy cores."""


@contextlib.contextmanager
def model_server(folder: Path, source: str, *arguments: str, name: str = "digits", **env: str) -> Iterator["Replica"]:
    """A replica of version 3, ready."""
    path = folder / f"{name}.sock"
    options = ["--source", source, "--cache", str(folder / "cache"), "--name", name, "--version", "3"]
    with Process("-m", "weyr.runtime.serve", *options, "--socket", str(path), *arguments, env=env) as process:
        replica = Replica(process, path)
        until(lambda: replica.is_ready or process.popen.poll() is not None, "the model is loaded", START_S)
        if process.popen.poll() is not None:
            process.wait()
            raise AssertionError(process.output)
        yield replica


class Replica:
    """A running model server."""

    def __init__(self, process: Process, path: Path) -> None:
        self.process = process
        self.path = path

    @property
    def is_ready(self) -> bool:
        if not self.path.exists():
            return False
        with contextlib.suppress(ConnectionError):
            return b"true" in unix_get(self.path, "/v2/health/ready")
        return False

    def metric(self, name: str) -> float:
        lines = unix_get(self.path, "/metrics").decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"weyr_replica_{name}"))


@dataclass(frozen=True)
class Saved:
    """A model in `folder`, the inputs that it was tried with, and what it said then."""

    folder: Path
    inputs: Any
    predicted: Any
    probabilities: Any


def save(folder: Path, kind: str) -> Saved:
    """Saves a model in a process of its own, as a training job does; `save_model.py` lists the kinds."""
    with Process(str(Path(__file__).parent / "save_model.py"), str(folder), kind) as process:
        status = process.wait(START_S)
        assert status == 0, process.output
    with np.load(folder.with_suffix(".npz"), allow_pickle=True) as tried:
        return Saved(folder, tried["inputs"], tried["predicted"], tried["probabilities"])
