"""What exactly is sbatch given? The batch script of one submission, or why there can be none. Pure.

A submission is one task, a gang (one allocation, as many tasks in one step as it has members) or an array (as many
allocations as tasks that want the same). Either way every task runs under `srun`: signals reach a step at once, but a
batch script only when it is killed.
"""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from weyr.core.capability import Accelerators, Refused, TaskBody
from weyr.engines.slurm.settings import SlurmSettings

MIB = 1 << 20
LEAVE_S = 90.0
"""What a task may take beyond its limit and its grace: the last upload of checkpoints (60 s), and some for Slurm."""
NICE_MIDDLE = 100
PRIORITIES_PER_NICE = 10
"""Order among our own jobs, whose priorities go from -1000 to 1000. Sites weigh age and share in thousands, so that it
moves us little among others'."""
ARRAY_MAX = 1000
"""Slurm's own MaxArraySize is 1001, and that is the first index it refuses."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one task asks of Slurm: tasks with equal needs may be one array."""

    cpus: int
    memory_mib: int | None
    minutes: int | None
    gpus: str
    partition: str
    nice: int
    node: str = ""
    """Slurm's name of the node that the scheduler chose, several with commas for a gang; "" where Slurm chooses."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one call of sbatch is about. `comment` is the key by which the job is found again; `folder` is on every
    node, and holds the list of members. `is_gang`: all at once in one allocation, else an array where `size` > 1."""

    name: str
    comment: str
    folder: str
    size: int
    is_gang: bool
    need: Need


def need_of(body: TaskBody, settings: SlurmSettings) -> Need | Refused:
    """What a task asks of Slurm, or why this engine cannot give what it wants."""
    refused = _cannot_honour(body, settings)
    if refused:
        return Refused(refused)
    limit_s = None if body.time_limit_s is None else body.time_limit_s + body.grace_s + LEAVE_S
    return Need(
        cpus=max(1, math.ceil(body.cpu)),
        memory_mib=None if body.memory_bytes is None else max(1, math.ceil(body.memory_bytes / MIB)),
        minutes=None if limit_s is None else math.ceil(limit_s / 60),
        gpus=_gpus(body.accelerators),
        partition=settings.spot_partition if body.is_spot else settings.partition,
        nice=NICE_MIDDLE - max(-NICE_MIDDLE, min(NICE_MIDDLE, math.floor(body.priority / PRIORITIES_PER_NICE))),
    )


def script_of(submission: Submission, settings: SlurmSettings, python: str) -> str:
    """The script for sbatch's standard input. Its lines hold no secrets: slurmctld keeps them. `python` has Weyr, on
    every node."""
    lines = [f"#SBATCH --{name}={_word(value)}" for name, value in _options(submission, settings).items()]
    member = shlex.join([python, "-I", "-m", "weyr.engines.slurm.member", submission.folder])
    # --kill-on-bad-exit=0 and --wait=0: what one member's end means for the others is the job's kind to say.
    step = ["exec", "srun", "--kill-on-bad-exit=0", "--wait=0", "--distribution=block", "--mpi=none"]
    # Since 22.05 a step does not take this over from its job, and would have one core where cores are bound.
    step.append(f"--cpus-per-task={submission.need.cpus}")
    if submission.need.gpus:
        # Without it the members of one node see none of its devices, or all.
        step.append(f"--gpu-bind=per_task:{submission.need.gpus.rpartition(':')[2]}")
    return "\n".join(["#!/bin/sh", *lines, "#SBATCH --no-requeue", f"{' '.join(step)} {member}", ""])


def _options(submission: Submission, settings: SlurmSettings) -> dict[str, str]:
    need = submission.need
    tasks = submission.size if submission.is_gang else 1
    options = {
        "job-name": submission.name,
        "comment": submission.comment,
        "chdir": submission.folder,
        "output": f"{submission.folder}/slurm-%j.out",
        "ntasks": str(tasks),
        "cpus-per-task": str(need.cpus),
        "nice": str(need.nice),
        "partition": need.partition,
        "account": settings.account,
        "qos": settings.qos,
        "constraint": settings.constraint,
        "gpus-per-task": need.gpus,
        "nodelist": need.node,
        "nodes": str(need.node.count(",") + 1) if need.node else "",
        "time": "" if need.minutes is None else str(need.minutes),
    }
    if not submission.is_gang and submission.size > 1:
        options["array"] = f"0-{submission.size - 1}"
    if need.memory_mib is not None:
        # Of a gang's members several may share a node, whose memory `--mem` would be.
        options |= (
            {"mem-per-cpu": f"{math.ceil(need.memory_mib / need.cpus)}M"}
            if tasks > 1
            else {"mem": f"{need.memory_mib}M"}
        )
    return {name: value for name, value in options.items() if value}


def _word(value: str) -> str:
    """As sbatch reads the words of its lines: as a shell would, but for variables."""
    return shlex.quote(value)


def _gpus(wanted: Accelerators | None) -> str:
    """As `--gpus-per-task` wants it. A MIG profile is a type of device for Slurm."""
    if wanted is None:
        return ""
    kind = wanted.profile or wanted.model
    count = wanted.count or (1 if wanted.profile else 0)
    if not count:
        return ""
    return f"{kind}:{count}" if kind else str(count)


def _cannot_honour(body: TaskBody, settings: SlurmSettings) -> str:
    """Why not, in a sentence; "" where it can. What would be ignored is refused."""
    if body.is_spot and not settings.spot_partition:
        return "it may be preempted (`spot: true`), and no partition for such jobs is set; set `spot_partition`"
    return ""


def arrays_of(needs: Sequence[Need]) -> list[list[int]]:
    """Which of these tasks are submitted together: indices of equal needs, at most `ARRAY_MAX` in one."""
    alike: dict[Need, list[int]] = {}
    for index, need in enumerate(needs):
        alike.setdefault(need, []).append(index)
    return [group[i : i + ARRAY_MAX] for group in alike.values() for i in range(0, len(group), ARRAY_MAX)]
