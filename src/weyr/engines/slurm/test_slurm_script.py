"""What sbatch is told, to the letter: a wrong word here is a job refused, or worse, a limit ignored."""

from dataclasses import replace

import pytest

from weyr.core.capability import Accelerators, Refused, TaskBody
from weyr.engines.slurm.script import ARRAY_MAX, Need, Submission, arrays_of, need_of, script_of
from weyr.engines.slurm.settings import SlurmSettings

SITE = SlurmSettings(partition="main", spot_partition="spot", account="lab")
PYTHON = "/shared/venv/bin/python"
BODY = TaskBody(("python", "train.py"), "/shared/work")

ONE = """\
#!/bin/sh
#SBATCH --job-name='digits/train#3'
#SBATCH --comment='weyr:1a2b3c4d:digits:job/train#3@7'
#SBATCH --chdir=/shared/submissions/9f
#SBATCH --output=/shared/submissions/9f/slurm-%j.out
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --nice=100
#SBATCH --partition=main
#SBATCH --account=lab
#SBATCH --gpus-per-task=H100:2
#SBATCH --time=62
#SBATCH --mem=1536M
#SBATCH --no-requeue
exec srun --kill-on-bad-exit=0 --wait=0 --distribution=block --mpi=none --cpus-per-task=2 --gpu-bind=per_task:2 \
/shared/venv/bin/python -I -m weyr.engines.slurm.member /shared/submissions/9f
"""


def submission(body: TaskBody, size: int = 1, is_gang: bool = False, name: str = "digits/train#3") -> Submission:
    need = need_of(body, SITE)
    assert isinstance(need, Need)
    return Submission(name, "weyr:1a2b3c4d:digits:job/train#3@7", "/shared/submissions/9f", size, is_gang, need)


def option(script: str, name: str) -> str | None:
    lines = [line for line in script.splitlines() if line.startswith(f"#SBATCH --{name}=")]
    return lines[0].partition("=")[2] if lines else None


def test_every_limit_is_in_the_script() -> None:
    """Slurm enforces what it is told; the script is the whole of it."""
    body = replace(
        BODY,
        cpu=1.5,
        memory_bytes=1536 << 20,
        time_limit_s=3600,
        grace_s=30,
        accelerators=Accelerators(model="H100", count=2),
    )
    assert script_of(submission(body), SITE, PYTHON) == ONE


def test_a_gang_is_one_allocation_whose_members_may_share_a_node() -> None:
    """`--mem` is a node's: a gang's members get theirs by the core, or three of them would have the memory of one."""
    script = script_of(submission(replace(BODY, cpu=2, memory_bytes=1 << 30), size=4, is_gang=True), SITE, PYTHON)
    assert (option(script, "ntasks"), option(script, "mem-per-cpu"), option(script, "mem")) == ("4", "512M", None)
    assert option(script, "array") is None


def test_many_tasks_that_want_the_same_are_one_array() -> None:
    """A thousand tasks are one call of sbatch and one entry in its queue, not a thousand."""
    script = script_of(submission(BODY, size=1000), SITE, PYTHON)
    assert (option(script, "array"), option(script, "ntasks")) == ("0-999", "1")


def test_arrays_hold_equal_needs_and_as_many_as_slurm_takes() -> None:
    """An array's elements have one set of limits; its indices end where the site's limit is."""
    one, two = need_of(BODY, SITE), need_of(replace(BODY, cpu=2), SITE)
    assert isinstance(one, Need)
    assert isinstance(two, Need)
    assert arrays_of([one, two, one]) == [[0, 2], [1]]
    assert [len(group) for group in arrays_of([one] * (2 * ARRAY_MAX + 1))] == [ARRAY_MAX, ARRAY_MAX, 1]


def test_a_task_without_limits_leaves_them_to_the_site() -> None:
    """No limit is written down that nobody asked for: the partition's own holds."""
    script = script_of(submission(BODY), SITE, PYTHON)
    assert (option(script, "time"), option(script, "mem"), option(script, "gpus-per-task")) == (None, None, None)


def test_a_name_cannot_leave_its_line() -> None:
    """What a user calls a job is a word for sbatch, whatever is in it."""
    script = script_of(submission(BODY, name="a'b $(id) #SBATCH"), SITE, PYTHON)
    assert option(script, "job-name") == "'a'\"'\"'b $(id) #SBATCH'"


@pytest.mark.parametrize(
    ("priority", "nice"), [(0, "100"), (500, "50"), (-500, "150"), (10_000, "0"), (-10_000, "200")]
)
def test_a_higher_priority_is_a_smaller_nice(priority: int, nice: str) -> None:
    """Only operators may raise a job's priority; anybody may order their own by nice, from 0 up."""
    assert option(script_of(submission(replace(BODY, priority=priority)), SITE, PYTHON), "nice") == nice


def test_a_mig_profile_is_a_type_of_device() -> None:
    """Slurm lists MIG slices as devices of their own type."""
    body = replace(BODY, accelerators=Accelerators(profile="1g.10gb"))
    assert option(script_of(submission(body), SITE, PYTHON), "gpus-per-task") == "1g.10gb:1"


def test_a_spot_job_needs_a_partition_for_such() -> None:
    """Only a partition that may be preempted is spot; anything else would be billed as what it is not."""
    spot = replace(BODY, is_spot=True)
    assert option(script_of(submission(spot), SITE, PYTHON), "partition") == "spot"
    refused = need_of(spot, SITE.model_copy(update={"spot_partition": ""}))
    assert isinstance(refused, Refused)
    assert "spot_partition" in refused.reason
