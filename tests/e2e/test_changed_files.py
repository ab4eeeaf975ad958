"""Somebody who may write to a bucket must not change what an endpoint answers, on no machine."""

import contextlib
from pathlib import Path

from one_user import User, until

STACK = """\
stack: whole
buckets:
  lake: {}
models:
  sorter: {}
endpoints:
  sorter:
    model: sorter@production
    scale: {min: 1, max: 1}
"""
MLFLOW = "/api/2.0/mlflow"


def test_a_version_overwritten_after_it_was_registered_is_never_served(user: User, model_folder: Path) -> None:
    """No replica fetched it before: its seal alone tells. What was served goes on, and the reason names the file."""
    user.up(STACK[: STACK.index("endpoints:")])
    for number in ("1", "2"):
        for file in model_folder.iterdir():
            user.s3().put_object(Bucket="whole-lake", Key=f"sorter/{number}/{file.name}", Body=file.read_bytes())
        source = {"name": "whole-sorter", "source": f"s3://whole-lake/sorter/{number}"}
        made = user.api("POST", f"{MLFLOW}/model-versions/create", source)
        assert made["model_version"]["version"] == number
    _choose(user, "1")
    user.up(STACK)
    assert _answer(user) == 1

    whole = (model_folder / "model.skops").read_bytes()
    bad = whole[:-1] + bytes([whole[-1] ^ 1])
    user.s3().put_object(Bucket="whole-lake", Key="sorter/2/model.skops", Body=bad)
    _choose(user, "2")
    until(lambda: "model.skops changed since" in _logs(user), "the log names it")
    user.until_phase("endpoint/sorter", "failed")
    assert "version 1 still answers" in str(user.row("endpoint/sorter"))
    assert _answer(user) == 1

    user.weyr("down", "--yes")
    until(lambda: user.remains() == [], "nothing to remain")


def _choose(user: User, version: str) -> None:
    alias = {"name": "whole-sorter", "alias": "production", "version": version}
    user.api("POST", f"{MLFLOW}/registered-models/alias", alias)


def _logs(user: User) -> str:
    """What replicas wrote, also those that are gone already."""
    told = ""
    for path in user.home.rglob("*.log"):
        with contextlib.suppress(OSError):
            told += path.read_text(errors="replace")
    return told


def _answer(user: User) -> int:
    rows = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 0.0]}]}
    given = user.api("POST", "/whole/sorter/v2/models/sorter/infer", rows, at=user.url("inference"))
    return int(given["outputs"][0]["data"][0])
