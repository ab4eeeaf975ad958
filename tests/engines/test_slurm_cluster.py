"""Does a real Slurm take what we write, and do what we read out of its manual?"""

import time
from dataclasses import replace
from pathlib import Path

from slurm_cluster import PAUSE, SlurmCluster

from weyr.core.capability import Accelerators, TaskBody
from weyr.engines.slurm.answers import ENDED, SQUEUE_FORMAT, JobRow, JobState, queue_of, submitted_of
from weyr.engines.slurm.script import Need, Submission, need_of, script_of
from weyr.engines.slurm.settings import SlurmSettings

SITE = SlurmSettings(spot_partition="spot")
BODY = TaskBody(("true",), "/", memory_bytes=64 << 20)
WITHIN_S = 90.0


def submitted(slurm: SlurmCluster, body: TaskBody, size: int, is_gang: bool, python: str = "true") -> str:
    """Gives the job. `true` takes any arguments: these tests are of what is around a task."""
    need = need_of(body, SITE)
    assert isinstance(need, Need)
    comment = f"weyr:{body.workdir}|it's"
    submission = Submission("digits/train#3", comment, str(slurm.shared), size, is_gang, need)
    return submitted_of(slurm.run("sbatch", "--parsable", text=script_of(submission, SITE, python)))


def ended(slurm: SlurmCluster, job: str) -> list[JobRow]:
    deadline = time.monotonic() + WITHIN_S
    command = ("squeue", "-h", "-a", "-t", "all", "--array", "-j", job, "-O", SQUEUE_FORMAT)
    while True:
        rows = queue_of(slurm.run("env", "SLURM_TIME_FORMAT=%s", *command))
        if all(row.state in ENDED for row in rows):
            return rows
        assert time.monotonic() < deadline, rows
        PAUSE.wait(0.05)


def test_a_gang_with_devices_gets_them_each(slurm: SlurmCluster, tmp_path: Path) -> None:
    """Members that share a node must not see one another's devices."""
    tell = tmp_path / "tell"
    tell.write_text('#!/bin/sh\necho "$SLURMD_NODENAME $CUDA_VISIBLE_DEVICES" > "$(dirname "$0")/$SLURM_PROCID"\n')
    tell.chmod(0o700)
    body = replace(BODY, accelerators=Accelerators(model="fake", count=1), cpu=2)
    rows = ended(slurm, submitted(slurm, body, 5, is_gang=True, python=str(tell)))
    assert [(row.state, row.comment) for row in rows] == [(JobState.OVER, "weyr:/|it's")]
    told = [(tmp_path / str(rank)).read_text().split() for rank in range(5)]
    assert len({tuple(each) for each in told}) == 5, told
    assert {device for _, device in told} == {"0", "1"}


def test_an_array_has_a_row_for_each_element(slurm: SlurmCluster) -> None:
    """Elements end one by one, and each is found under its own index."""
    job = submitted(slurm, BODY, 3, is_gang=False)
    rows = ended(slurm, job)
    assert sorted((row.job, row.index) for row in rows) == [(f"{job}_{i}", i) for i in range(3)]
    assert all(row.started_at and row.ended_at and row.nodes for row in rows)
