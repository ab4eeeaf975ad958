"""What does a job remember between two looks? How far its run has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from weyr.core.assumptions import Past

STARTUPS_KEPT = 8


@dataclass(frozen=True, slots=True)
class Series:
    """The attempts at one thing to be done: the whole job, or one index of an array. `outcome` is empty while it is
    not over.

    `attempt` numbers the newest attempt, which `is_open` until its end was seen and weighed; `attempts` counts those of
    this run, `resumed` is the last one that was told to have begun from a checkpoint. `failures` and the like count the
    run's ends by reason, `streak` the short ones in a row, which the wait before the next attempt grows with.
    `ends` says how each replica of the last attempt ended.
    """

    attempt: int = 0
    attempts: int = 0
    resumed: int = 0
    is_open: bool = False
    failures: int = 0
    interruptions: int = 0
    not_started: int = 0
    out_of_memory: int = 0
    timed_out: int = 0
    streak: int = 0
    retry_at: float = 0.0
    outcome: str = ""
    detail: str = ""
    ends: str = ""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class JobMemory:
    """How far a job has come: one series of attempts, or those of an array by index.

    `version` and `program` say what this run is of. `highest` is the highest number that an attempt had in the job's
    life, and `base` what it was when this run began. Of an array, `series` holds the indices that are under way,
    `succeeded` and `failed` are the ones that are over (`0-7,9`), and `attempts` and `took_s` what these took.
    `stopped` says why the run as a whole is not to go on.

    `startup_s` is what its program needed in the mean from an attempt's start until it went on, and `startups` of how
    many attempts that is known: an interruption costs it once more.

    `began_at` is when the run was asked for and `cost_before` what the job had cost by then; `fired_at` is the last
    moment of its schedule that was seen to come, `is_fired` whether this is a run of one, `is_queued` whether one is to
    follow.
    """

    version: str = ""
    program: str = ""
    generation: int = 0
    highest: int = 0
    base: int = 0
    series: Mapping[int, Series] = field(default_factory=dict)
    succeeded: str = ""
    failed: str = ""
    attempts: int = 0
    took_s: float = 0.0
    stopped: str = ""
    began_at: float = 0.0
    cost_before: int | None = None
    fired_at: float = 0.0
    is_fired: bool = False
    is_queued: bool = False
    startup_s: float = 0.0
    startups: int = 0


def reborn(memory: JobMemory) -> JobMemory:
    """A job that was taken away and is made anew runs again; its attempts are counted on."""
    return replace(
        JobMemory(highest=memory.highest, base=memory.highest), startup_s=memory.startup_s, startups=memory.startups
    )


def recalled(memory: JobMemory, past: Past) -> Past:
    """What a plan should know of what was measured of its attempts."""
    return replace(past, startup_s=memory.startup_s, startups=memory.startups)


def with_startup(memory: JobMemory, startup_s: float) -> JobMemory:
    """With what one more attempt needed; the latest few count most, as a program changes."""
    count = memory.startups + 1
    mean_s = memory.startup_s + (startup_s - memory.startup_s) / min(count, STARTUPS_KEPT)
    return replace(memory, startup_s=round(mean_s, 3), startups=count)
