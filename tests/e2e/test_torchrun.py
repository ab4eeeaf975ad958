"""A training of two processes outlives its node: the example as it stands, with PyTorch as the job brings it along."""

import shutil
from pathlib import Path

from one_user import User, until

EXAMPLE = Path(__file__).parents[2] / "examples" / "torchrun"
WITHIN_S = 480.0
"""PyTorch is installed once and imported eight times: by torchrun and by its worker, in two replicas, twice."""


def test_two_torchrun_processes_are_interrupted_and_go_on_together(user: User) -> None:
    """One replica's node goes, both are told, and the next attempt begins on both where the last one had saved."""
    shutil.copytree(EXAMPLE, user.folder, dirs_exist_ok=True)
    user.weyr("up", "--yes", "--detach")
    until(lambda: user.row("job/train")["outputs"].get("saved"), "a checkpoint", WITHIN_S)
    user.weyr("chaos", "reclaim", "job/train", "--notice", "1s")

    until(lambda: user.row("job/train")["phase"] == "done", "the training to end", WITHIN_S)

    assert user.row("job/train")["outputs"]["attempts"] == 2
    said = user.weyr("logs", "job/train").out
    begun = [line for line in said.splitlines() if "begins at step" in line]
    steps = {int(line.rpartition(" ")[2]) for line in begun}
    assert sorted(line.partition("rank ")[2][:6] for line in begun) == ["0 of 2", "1 of 2"]
    assert len(steps) == 1, "they began at different steps"
    assert steps.pop() >= 20, "they began anew"
    assert "step 300:" in said
    assert any("resumed from checkpoint" in e["message"] for e in user.events("attempt.resumed"))
