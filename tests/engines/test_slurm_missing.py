"""A server that has used Slurm, on a machine where its commands are gone."""

import time
from pathlib import Path

import pytest

from weyr.compose.remotes import Remotes
from weyr.compose.slurm import PLACE, slurm_opener
from weyr.core.capability import TaskBody, Wanted
from weyr.core.diagnostic import UserError
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Unknown
from weyr.engines.slurm.submission_folder import JOB
from weyr.engines.slurm.tasks import SlurmTasks
from weyr.reconcile.world import World
from weyr.sim.identities import SimIssuer, SimSecretValues
from weyr.store.home import Home

TASK = ThingId(Ref("digits", "job", "train"), "1")


def remotes(home: Home) -> Remotes:
    opener = slurm_opener(home, SimIssuer(), SimSecretValues(), dict, time.time)
    return Remotes({"slurm": opener}, home.engines, World())


def opened(home: Home) -> list[SlurmTasks]:
    return [each for each in remotes(home).known().values() if isinstance(each, SlurmTasks)]


def test_a_server_that_has_used_slurm_starts_without_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that went must not take buckets, models and all else down; what runs there may still run."""
    monkeypatch.setenv("PATH", str(tmp_path))
    home = Home(tmp_path / "home")
    home.prepare()
    with pytest.raises(UserError, match="Slurm is not installed here"):
        remotes(home).opened("slurm")
    folder = home.engines / "slurm"
    folder.mkdir(parents=True)
    (folder / PLACE).write_text(str(folder))
    (before,) = opened(home)
    before.ensure([Wanted(TASK, 1, TaskBody(("true",), "/"))])
    before.close()
    (submission,) = (folder / "submissions").iterdir()
    (submission / JOB).write_text('{"job": "7"}')  # it was submitted while the commands were there
    (slurm,) = opened(home)
    try:
        seen = slurm.observe([TASK])[TASK]
    finally:
        slurm.close()
    assert slurm.claimed() == [TASK]
    assert isinstance(seen, Unknown)
    assert "Slurm has not answered" in seen.reason
