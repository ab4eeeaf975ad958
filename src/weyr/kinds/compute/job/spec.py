"""What may be said of a job."""

from datetime import datetime
from functools import cached_property
from math import prod
from typing import Annotated, Any, Literal

from weyr.core.cron_fields import CronText, ZoneName
from weyr.core.schema import (
    Boolean,
    Count,
    Duration,
    MoneyAmount,
    Name,
    Reference,
    SpecPart,
    checked,
    field,
    to,
)  # fmt: skip
from weyr.core.task_spec import TaskSpec
from weyr.core.units import seconds_of

INDICES_MAX = 10_000
REPLICAS_MAX = 4_096


class Checkpoint(SpecPart):
    """Where a job's checkpoints are kept, so that an interrupted attempt is not lost."""

    bucket: Annotated[Reference, to("bucket")] = field(description="The bucket that keeps them.")
    every: Duration = field(30.0, description="How often a new checkpoint is looked for and saved.", ge=0.1)
    keep: int = field(3, description="How many whole checkpoints stay in the bucket.", ge=1, le=1000, strict=True)


class Folder(SpecPart):
    """A place in a bucket, as a folder of the job."""

    bucket: Annotated[Reference, to("bucket")] = field(description="The bucket.")
    path: str = field(
        "", description="Where in it; by default all of it.", pattern=r"^[^/\\\s][^\\\s]*$|^$", max_length=500
    )


class Retries(SpecPart):
    """How often an attempt is tried again, by the reason for its end."""

    max: Count = field(0, description="Further attempts after a failure of the program itself.")
    backoff: Duration = field(
        1.0, description="Wait before the first of them; doubled for each further one, up to 5 minutes."
    )
    never_on: tuple[int, ...] = field((), description="Exit codes that no other attempt would help.", max_length=100)
    out_of_memory: Count | None = field(
        None, description="Further attempts after it ran out of memory; not given: such an end is a failure."
    )
    memory_growth: float = field(
        1.0, description="After each end for want of memory, the next attempt gets so many times more.", ge=1, le=10
    )
    timed_out: Count | None = field(
        None, description="Further attempts after its time limit; not given: such an end is a failure."
    )
    not_started: Count = field(2, description="Further attempts after one that could not be started.")
    interruptions: Count = field(
        1000, description="Further attempts after it was reclaimed, preempted, or lost with its node."
    )
    reset_after: Duration = field(
        300.0, description="After an attempt that ran so long, the waits begin from the shortest again.", ge=1
    )


class ArrayPart(SpecPart):
    """The same program many times, each with an index."""

    count: int | None = field(None, description="How many, from index 0 on.", ge=1, le=INDICES_MAX, strict=True)
    matrix: dict[Name, tuple[str | int | float, ...]] = field(
        {}, description="Instead of a count: one for each combination, in $WEYR_MATRIX_<NAME>.", max_length=10
    )
    max_parallel: int | None = field(None, description="How many run at once at most.", ge=1, le=INDICES_MAX)
    may_fail: Count | None = field(
        None, description="With so many failed the job still succeeds; with more, no further ones begin."
    )


def _array(value: int | ArrayPart | None) -> ArrayPart | None:
    """`10` as what it is short for. Raises: ValueError."""
    if isinstance(value, int) and not 1 <= value <= INDICES_MAX:
        raise ValueError(f"write how many there are, from 1 to {INDICES_MAX:,}")
    array = ArrayPart(count=value) if isinstance(value, int) else value
    if array is None:
        return None
    if (array.count is None) == (not array.matrix):
        raise ValueError("write either count or matrix: the number of indices, or the values to combine")
    count = prod(len(values) for values in array.matrix.values())
    if array.matrix and not 1 <= count <= INDICES_MAX:
        raise ValueError(f"the matrix makes {count:,} combinations; there may be 1 to {INDICES_MAX:,}")
    return array


class JobNeed(SpecPart):
    """Another job that has to be over first; its name alone means that it has to succeed."""

    short = "job"

    job: Annotated[Reference, to("job")] = field(description="The job.")
    on: Literal["success", "failure", "always"] = field(
        "success", description="How it has to end; after another end this one is skipped."
    )


class Schedule(SpecPart):
    """When a job runs: again and again."""

    cron: CronText = field(
        description="Minute, hour, day of month, month, weekday; or @daily and its like.", examples=["0 3 * * mon-fri"]
    )
    time_zone: ZoneName = field("UTC", description="The time zone of these.", examples=["Europe/Zurich"])
    overlap: Literal["skip", "queue", "replace"] = field(
        "skip", description="Where the run before goes on: none is made, or it follows, or it takes the other's place."
    )
    catch_up: Duration = field(
        600.0, description="How late a run may still begin that was missed while Weyr was down.", ge=1
    )


def _deadline(text: str) -> str:
    """Raises: ValueError."""
    try:
        deadline_at(text, 0.0)
    except ValueError as e:
        raise ValueError(f"{e}; a deadline is a duration after the run was asked for, or a date and time") from e
    return text


def deadline_at(text: str, began_at: float) -> float:
    """The moment of a deadline, in Unix seconds. Raises: ValueError."""
    if "-" not in text:
        return began_at + seconds_of(text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone; write for example 2026-12-01T08:00:00+01:00")
    return at.timestamp()


class JobSpec(TaskSpec):
    """A program that runs to its end, once for each version of its spec."""

    run: str | tuple[str, ...] = field(
        description="The command: a line for the shell, or a list of words.", examples=["python train.py"], min_length=1
    )
    replicas: int = field(
        1, description="How many processes, on as many nodes, make one attempt.", ge=1, le=REPLICAS_MAX, strict=True
    )
    done_when: Literal["all", "first"] = field(
        "all", description="An attempt succeeds when all replicas have, or when replica 0 has: the rest is stopped."
    )
    array: Annotated[Count | ArrayPart | None, checked(_array)] = field(
        None, description="Run it many times, each with an index: how many, or more about it.", examples=[10]
    )
    needs: tuple[JobNeed, ...] = field((), description="Jobs that come first.", max_length=1000)
    schedule: Schedule | None = field(None, description="Run it at these times, instead of once.")
    deadline: Annotated[str, checked(_deadline)] | None = field(
        None,
        description="Not over by then, it is stopped and has failed: a duration from when it was asked for, or a time.",
        examples=["6h"],
    )
    max_cost: MoneyAmount | None = field(
        None, description="What one run may cost, all attempts together; then it is stopped and has failed."
    )
    time_limit: Duration | None = field(None, description="An attempt is stopped, and fails, after so long.", gt=0)
    expected_duration: Duration | None = field(
        None, description="How long a run usually takes: for the plan's price, and for its place in a queue.", gt=0
    )
    spot: bool = field(False, description="Run at the spot price; its node may be reclaimed at short notice.")
    retries: Retries = field(Retries(), description="What happens when an attempt fails.")
    rerun: Count = field(0, description="Change this number to run a finished job again though nothing else changed.")
    suspend: Boolean = field(False, description="Stop it, and begin nothing, until this is taken back.")
    checkpoint: Checkpoint | None = field(None, description="Keep its checkpoints, and begin from the newest.")
    inputs: dict[Name, Folder] = field(
        {}, description="Folders that are filled from buckets before it begins: $WEYR_INPUT_<NAME>.", max_length=50
    )
    outputs: dict[Name, Folder] = field(
        {}, description="Folders that go to buckets once it has succeeded: $WEYR_OUTPUT_<NAME>.", max_length=50
    )
    artifacts: Annotated[Reference, to("bucket")] | None = field(
        None, description="The bucket for its runs' artifacts; by default the one for its checkpoints."
    )
    produces: Annotated[Reference, to("model")] | None = field(None, description="The model that it adds a version to.")

    @cached_property
    def plain(self) -> dict[str, Any]:
        """As written, without what was not: a field that a later release adds is no change. Worked out once."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @cached_property
    def hashes(self) -> dict[frozenset[str], str]:
        """What `weyr.kinds.compute.job.version` worked out of some of its fields, which every look asks for."""
        return {}
