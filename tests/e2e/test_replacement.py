"""A model is replaced while people use it, and nobody notices but by the version."""

import json
import threading
from collections import Counter
from pathlib import Path

from one_user import User, until
from stacks import serving

CALLERS = 3
INPUT = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [0.0, 1.0]}]}


def test_a_new_version_takes_over_without_a_failed_request(user: User, model_folder: Path) -> None:
    """A second version passes its gate: the replicas change under load, and every call is answered."""
    user.up(serving(model_folder, scale=2))
    url = user.row("endpoint/sorter")["outputs"]["url"]
    answers: Counter[tuple[int, str]] = Counter()
    failures: list[str] = []
    is_over = threading.Event()
    callers = [threading.Thread(target=call, args=(user, url, is_over, answers, failures)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()

    try:
        until(lambda: answers[200, "1"] > 20, "the first version to be used")
        user.up(serving(model_folder, accuracy=0.99, scale=2))
        until(lambda: answers[200, "2"] > 20, "the second version to be used")
        until(lambda: len(running(user)) == 2, "the old replicas to be gone")
    finally:
        is_over.set()
        for caller in callers:
            caller.join()

    assert failures == []
    assert set(answers) == {(200, "1"), (200, "2")}, answers
    assert user.row("endpoint/sorter")["outputs"]["version"] == 2


def call(
    user: User, url: str, is_over: threading.Event, answers: Counter[tuple[int, str]], failures: list[str]
) -> None:
    """Asks the endpoint again and again, and counts its answers by status and version."""
    host, _, path = url.removeprefix("http://").partition("/")
    while not is_over.is_set():
        try:
            status, text = user.request("POST", f"/{path}/v2/models/sorter/infer", INPUT, at=f"http://{host}")
        except OSError as e:
            failures.append(repr(e))
            continue
        version = json.loads(text).get("model_version", text[:200])
        answers[status, version] += 1


def running(user: User) -> list[str]:
    """The endpoint's replicas that run."""
    return [thing["id"] for thing in user.row("endpoint/sorter")["things"] if thing.get("state") == "running"]
