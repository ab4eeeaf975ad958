"""Every command of the guide about deploying a model is typed, in its order, with a model that a user might have."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from one_user import User, until
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/deploy-a-model.md"
WIDTH = 512
EPOCHS = 10


def test_the_guide_works_as_it_is_written(user: User) -> None:
    """From a file to an answer, a smaller version with what it costs, and a class of one's own."""
    text = GUIDE.read_text()
    stacks, scripts, commands = (
        re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("yaml", "python", "sh")
    )
    pixels, labels = load_digits(return_X_y=True)
    rows = (pixels / 16).astype(np.float32)
    _train(user.folder / "model.onnx", rows, labels)
    np.savez(user.folder / "validation.npz", pixels=rows[1400:], labels=labels[1400:])
    asked = {"name": "pixels", "shape": [2, 64], "datatype": "FP32", "data": rows[1400:1402].tolist()}
    (user.folder / "ask.json").write_text(json.dumps({"inputs": [asked]}))
    user.write(stacks[0])
    user.write(scripts[0], "register.py")
    user.write(scripts[1], "sure.py")
    for name, program in {"weyr": "-m weyr.cli.main", "python": ""}.items():
        (user.folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
        (user.folder / name).chmod(0o755)
    surroundings = user.environment(PATH=f"{user.folder}:/usr/bin:/bin")

    first, second = (_typed(block, user.folder, surroundings) for block in commands)

    assert '"datatype":"FP32","shape":[-1,64]' in first.replace(" ", "")
    answer = json.loads(first[first.rindex('{"model_name"') :])
    scores = np.array(answer["outputs"][0]["data"]).reshape(2, 10)
    assert scores.argmax(axis=1).tolist() == labels[1400:1402].tolist()
    assert re.search(r"^original .* 0\.9\d+ ", second, re.MULTILINE), second
    assert re.search(r"^static .* 0\.9\d+ ", second, re.MULTILINE), second
    versions = user.api("GET", "/api/2.0/mlflow/model-versions/search?filter=name%3D'shop-digits'")["model_versions"]
    smaller = [version for version in versions if version["version"] == "2"]
    if smaller:
        tags = {tag["key"]: tag["value"] for tag in smaller[0]["tags"]}
        assert tags["weyr.made_from"] == "shop-digits/1"
        assert " -> " in tags["weyr.accuracy"]
    else:
        # A machine on which INT8 is not faster is told so.
        assert "no variant is both faster and close enough" in second

    user.up(stacks[1])
    given = user.api(
        "POST",
        "/shop/sure/v2/models/digits/infer",
        {"inputs": [{**asked, "datatype": "FP64"}, {"name": "least", "shape": [1], "datatype": "FP64", "data": [0.5]}]},
        at=user.url("inference"),
    )
    assert given["outputs"][0]["data"] == labels[1400:1402].tolist()
    user.weyr("down", "--yes")
    until(lambda: user.remains() == [], "nothing to remain")


def _train(path: Path, rows: Any, labels: Any) -> None:
    """A network that reads digits, as an ONNX file."""
    network = MLPClassifier((WIDTH, WIDTH), random_state=0)
    for _ in range(EPOCHS):
        network.partial_fit(rows[:1400], labels[:1400], classes=list(range(10)))
    held, nodes, last = [], [], "pixels"
    for at, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        for name, value in ((f"w{at}", weights), (f"b{at}", bias)):
            held.append(numpy_helper.from_array(value.astype(np.float32), name))
        after = "Softmax" if at == len(network.coefs_) - 1 else "Relu"
        nodes += [
            helper.make_node("Gemm", [last, f"w{at}", f"b{at}"], [f"sum{at}"]),
            helper.make_node(after, [f"sum{at}"], [f"layer{at}"]),
        ]
        last = f"layer{at}"
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["rows", 64])
    scores = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["rows", 10])
    graph = helper.make_graph(nodes, "digits", [pixels], [scores], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def _typed(block: str, folder: Path, surroundings: dict[str, str]) -> str:
    done = subprocess.run(
        ["/bin/sh", "-ec", block], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout
