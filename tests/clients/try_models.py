"""Saves a model of each kind below FOLDER, has the model server answer one request to each, and prints it as JSON.

In one process: importing scikit-learn, pandas and MLflow takes longer than all the rest.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from save_model import save

from weyr.runtime.serve.app import App
from weyr.runtime.serve.desk import Desk
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.load import load
from weyr.runtime.serve.model import Model
from weyr.runtime.serve.shelf import Shelf, Source
from weyr.wire.message import Request, Response


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def inputs_for(kind: str, tried: Any) -> list[dict[str, Any]]:
    match kind:
        case "columns":
            return [tensor("width", "FP64", [2], [4.0, 1.0]), tensor("height", "FP64", [2], [1.0, 4.0])]
        case "text":
            return [tensor("input", "BYTES", [2], ["good morning", "bad wéather"])]
        case "pyfunc":
            return [tensor("input", "FP64", [2, 2], [1.0, 2.0, 3.0, 4.0])]
        case _:
            return [tensor("input", "FP64", [1, tried.shape[1]], tried[:1].tolist())]


class Saved:
    """Loads what was saved, without a bucket in between."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, source: Source) -> tuple[Path, int]:
        return self._folder, 0

    def load(self, source: Source, folder: Path) -> Model:
        return load(folder, source.name, source.version, Loading(allows_code=True))


async def told(folder: Path, kind: str) -> dict[str, Any]:
    save(folder / kind, kind)
    with np.load((folder / kind).with_suffix(".npz"), allow_pickle=True) as tried:
        inputs, expected = tried["inputs"], tried["predicted"].tolist()
    desk = Desk(Shelf([Source("model", "1", "")], Saved(folder / kind)))
    await desk.shelf.fill()
    app = App(desk)
    body = json.dumps({"inputs": inputs_for(kind, inputs)}).encode()
    given = app(Request(b"POST", b"/v2/models/model/infer", {}, body))
    answer = given if isinstance(given, Response) else await given
    metadata = app(Request(b"GET", b"/v2/models/model"))
    assert isinstance(metadata, Response)
    assert isinstance(answer, Response)
    return {**json.loads(metadata.body), "answer": json.loads(answer.body), "expected": expected}


async def main(folder: Path) -> None:
    kinds = ("columns", "text", "digits-unsigned", "two-targets", "pyfunc")
    print(json.dumps({kind: await told(folder, kind) for kind in kinds}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
