"""How long does the first caller of a sleeping endpoint wait? From held request to answer, cold and loaded ahead.

    python bench/wake.py [--model onnx] [--wakes 6] [--peers litserve] [--json]

`ahead` becomes a process that had Weyr's server and the usual libraries loaded; `cold` has that process killed before
each wake, so that a Python begins and imports all of it. Both go through the plane, the loop, the launcher, the wrapper
and the load of the model (a small ONNX one, or scikit-learn's logistic regression).
`python` is the limit beside them: a bare `python -c pass`. Peers are what their servers take to start, see
`wake_peers.py`: none of them wakes by itself. Times in milliseconds, medians.
"""

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "tests" / "e2e")]

from one_user import PAUSE, User, until  # noqa: E402 - beside the tests, whose user this is
from onnx import TensorProto, helper  # noqa: E402 - below, so that the tests' folder is known
from user_life import a_user  # noqa: E402
from wake_peers import PEERS, environment, first_answer_s  # noqa: E402

ROWS = {
    "sklearn": {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 1.0]}]},
    "onnx": {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 1.0]}]},
}
STACK = """\
stack: wake
buckets:
  lake: {{}}
jobs:
  train: {{run: [python, {publish}, {model}, "0.97"], artifacts: lake, produces: model/sorter}}
models:
  sorter: {{promote_if: {{accuracy: ">= 0.9"}}}}
endpoints:
  sorter: {{model: sorter@production, scale: {{min: 0, max: 1, idle_after: 1s}}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=ROWS, default="onnx", help="what is served")
    parser.add_argument("--wakes", type=int, default=6, help="wakes of each sort")
    parser.add_argument("--peers", choices=PEERS, nargs="*", default=[], help="servers that are started beside it")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    for figure in measured(options.model, options.wakes, options.peers):
        print(json.dumps(figure) if options.json else "  ".join(f"{name} {value}" for name, value in figure.items()))


def measured(kind: str, wakes: int, peers: Sequence[str] = ()) -> Iterator[dict[str, object]]:
    """The figures of each sort, with the ratio to a bare Python."""
    with a_user() as user:
        model = user.folder / "model"
        if kind == "onnx":
            _write_onnx(model)
        else:
            subprocess.run([sys.executable, str(ROOT / "tests/e2e/write_model.py"), str(model)], check=True)
        user.up(STACK.format(publish=ROOT / "tests/e2e/publish.py", model=model))
        until(lambda: _is_asleep(user), "it to sleep", 120)
        bare = statistics.median(_bare() for _ in range(wakes))
        yield {"what": "python", "median_ms": round(bare * 1e3)}
        for what in ("ahead", "cold"):
            yield _figure(what, [_wake(user, kind, is_ahead=what == "ahead") for _ in range(wakes)], bare)
        if peers:
            _write_onnx(user.folder / "for-peers")
        for name in peers:
            environment(name)
            files = user.folder / "for-peers" / "model.onnx"
            yield _figure(name, [first_answer_s(name, files, user.folder) for _ in range(wakes)], bare)


def _figure(what: str, times: list[float], bare: float) -> dict[str, object]:
    middle = statistics.median(times)
    return {
        "what": what, "median_ms": round(middle * 1e3), "best_ms": round(min(times) * 1e3),
        "worst_ms": round(max(times) * 1e3), "times_python": round(middle / bare, 1),
    }  # fmt: skip


def _wake(user: User, kind: str, is_ahead: bool) -> float:
    """The time from a request to its answer, of an endpoint that sleeps."""
    until(lambda: _is_asleep(user), "it to sleep", 120)
    until(lambda: _loaded_ahead(), "a process to be loaded", 120)
    PAUSE.wait(2)  # what was just loaded still settles
    if not is_ahead:
        for pid in _loaded_ahead():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    began = time.perf_counter()
    _ask(user, kind)
    return time.perf_counter() - began


def _ask(user: User, kind: str) -> None:
    status, text = user.request("POST", "/wake/sorter/v2/models/sorter/infer", ROWS[kind], at=user.url("inference"))
    assert status == http.client.OK, text


def _write_onnx(folder: Path) -> None:
    """A matrix product of two columns, as large as a model need be for its load to be nothing."""
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in ("x", "y")]
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [1.0, 0.0, 0.0, 1.0])
    graph = helper.make_graph([product], "product", ends[:1], ends[1:], [weights])
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def _is_asleep(user: User) -> bool:
    conditions = user.row("endpoint/sorter").get("conditions", [])
    return any(condition.get("reason") == "Asleep" for condition in conditions)


def _loaded_ahead() -> list[int]:
    """The processes that have Weyr's server loaded, and have had time to."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            is_loaded = words[3:4] == [b"weyr.attempt.ahead"] and b"weyr.runtime.serve" in words
            if is_loaded and "pipe_read" in (path / "wchan").read_text():
                found.append(int(path.name))
    return found


def _bare() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
