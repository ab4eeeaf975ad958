"""A model is replaced while people use it, and nobody notices but by the version."""

import json
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from one_user import User, until
from stacks import serving
from tritonclient.utils import InferenceServerException

CALLERS = 3
PACE_S = 0.01
"""Between two requests of a caller: some hundred a second are in flight at any moment of the change."""
GRPC = "    grpc: true\n"
INPUT = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [0.0, 1.0]}]}


def test_a_new_version_takes_over_without_a_failed_request(user: User, model_folder: Path) -> None:
    """A second version passes its gate: the replicas change under load, and every call is answered, by whichever
    protocol it came."""
    user.up(serving(model_folder, scale=2, more=GRPC))
    outputs = user.row("endpoint/sorter")["outputs"]
    url = outputs["url"]
    answers: Counter[tuple[int, str]] = Counter()
    by_grpc: Counter[str] = Counter()
    failures: list[str] = []
    is_over = threading.Event()
    callers = [threading.Thread(target=call, args=(user, url, is_over, answers, failures)) for _ in range(CALLERS)]
    over_grpc = (user.token, outputs["grpc"], is_over, by_grpc, failures)
    callers.append(threading.Thread(target=call_over_grpc, args=over_grpc))
    for caller in callers:
        caller.start()

    try:
        until(lambda: answers[200, "1"] > 20 and by_grpc["1"] > 20, "the first version to be used")
        user.up(serving(model_folder, accuracy=0.99, scale=2, more=GRPC))
        until(lambda: answers[200, "2"] > 20 and by_grpc["2"] > 20, "the second version to be used")
        until(lambda: len(running(user)) == 2, "the old replicas to be gone")
    finally:
        is_over.set()
        for caller in callers:
            caller.join()

    assert failures == []
    assert set(answers) == {(200, "1"), (200, "2")}, answers
    assert set(by_grpc) == {"1", "2"}
    assert user.row("endpoint/sorter")["outputs"]["version"] == 2
    with triton.InferenceServerClient(outputs["grpc"]) as stranger, pytest.raises(InferenceServerException) as refused:
        stranger.get_server_metadata()
    assert refused.value.status() == "StatusCode.UNAUTHENTICATED"


def call(
    user: User, url: str, is_over: threading.Event, answers: Counter[tuple[int, str]], failures: list[str]
) -> None:
    """Asks the endpoint again and again, and counts its answers by status and version."""
    host, _, path = url.removeprefix("http://").partition("/")
    while not is_over.wait(PACE_S):
        try:
            status, text = user.request("POST", f"/{path}/v2/models/sorter/infer", INPUT, at=f"http://{host}")
        except OSError as e:
            failures.append(repr(e))
            continue
        version = json.loads(text).get("model_version", text[:200])
        answers[status, version] += 1


def call_over_grpc(
    token: str, address: str, is_over: threading.Event, answers: Counter[str], failures: list[str]
) -> None:
    """The same with Triton's own client, which names no endpoint: only one is asked over gRPC."""
    tensor = triton.InferInput("input", [1, 2], "FP64")
    tensor.set_data_from_numpy(np.array([[0.0, 1.0]]))
    with triton.InferenceServerClient(address) as client:
        while not is_over.wait(PACE_S):
            try:
                given = client.infer("sorter", [tensor], headers={"authorization": f"Bearer {token}"})
            except InferenceServerException as e:
                failures.append(repr(e))
                continue
            answers[given.get_response().model_version] += 1


def running(user: User) -> list[str]:
    """The endpoint's replicas that run."""
    return [thing["id"] for thing in user.row("endpoint/sorter")["things"] if thing.get("state") == "running"]
