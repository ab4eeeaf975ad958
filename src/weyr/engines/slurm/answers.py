"""What did squeue, sacct and sbatch say? Text → rows. Pure, and in a format that all of Slurm's versions print alike.

`--json` names and nests its fields anew in each version (22.05, 23.02 and 24.05 disagree on a job's very state);
`--Format=Field:|` is the same in all, with nothing cut off. What a user may choose comes last, for it may hold a `|`.
"""

from dataclasses import dataclass
from enum import StrEnum

SQUEUE_FORMAT = ",".join(
    f"{field}:|"
    for field in (
        "JobID",
        "ArrayJobID",
        "ArrayTaskID",
        "State",
        "Reason",
        "PreemptTime",
        "StartTime",
        "EndTime",
        "NodeList",
        "Comment",
    )
)
"""For `squeue --array -O`. Times are Unix seconds under SLURM_TIME_FORMAT=%s."""
SACCT_FORMAT = "JobID,State,Start,End,NodeList,Comment"
"""For `sacct -X -n -P -o`."""
NOTHING = ("", "N/A", "n/a", "(null)", "None", "Unknown", "None assigned")


class JobState(StrEnum):
    """What of Slurm's states matters to us. OVER: ended, with whatever exit code: its wrapper's record says which."""

    PENDING = "pending"
    RUNNING = "running"
    ENDING = "ending"
    OVER = "over"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    NODE_FAIL = "node failed"
    OUT_OF_MEMORY = "out of memory"
    TIMEOUT = "timed out"
    NOT_STARTED = "not started"


STATES = {
    "PENDING": JobState.PENDING,
    "CONFIGURING": JobState.PENDING,
    "REQUEUED": JobState.PENDING,
    "REQUEUE_HOLD": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "RESV_DEL_HOLD": JobState.PENDING,
    "SPECIAL_EXIT": JobState.PENDING,
    "RUNNING": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "SUSPENDED": JobState.RUNNING,
    "STOPPED": JobState.RUNNING,
    "COMPLETING": JobState.ENDING,
    "STAGE_OUT": JobState.ENDING,
    "COMPLETED": JobState.OVER,
    "FAILED": JobState.OVER,
    "REVOKED": JobState.OVER,
    "CANCELLED": JobState.CANCELLED,
    "PREEMPTED": JobState.PREEMPTED,
    "NODE_FAIL": JobState.NODE_FAIL,
    "OUT_OF_MEMORY": JobState.OUT_OF_MEMORY,
    "TIMEOUT": JobState.TIMEOUT,
    "DEADLINE": JobState.TIMEOUT,
    "BOOT_FAIL": JobState.NOT_STARTED,
    "LAUNCH_FAILED": JobState.NOT_STARTED,
    "RECONFIG_FAIL": JobState.NOT_STARTED,
}
ENDED = frozenset(set(JobState) - {JobState.PENDING, JobState.RUNNING, JobState.ENDING})


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job, or one element of an array. `job` is what scancel takes, `index` its place in its array, None for
    none. `is_preempted`: Slurm took its place away, whatever it then ended as."""

    job: str
    index: int | None
    state: JobState
    comment: str
    reason: str = ""
    nodes: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    is_preempted: bool = False


def queue_of(text: str) -> list[JobRow]:
    """What squeue printed. Raises: ValueError where it is not in our format."""
    return [_queued(line) for line in text.splitlines() if line.strip()]


def _queued(line: str) -> JobRow:
    fields = line.split("|", 9)
    if len(fields) != 10:
        raise ValueError(f"squeue printed {line[:200]!r}, which is not what it was asked for")
    fields[-1] = fields[-1].removesuffix("|")
    job, array, index, state, reason, preempted, started, ended, nodes, comment = (_given(field) for field in fields)
    is_element = bool(index)
    return JobRow(
        job=f"{array}_{index}" if is_element else job,
        index=int(index) if is_element else None,
        state=_state(state),
        comment=comment,
        reason=reason,
        nodes=nodes,
        started_at=_time(started),
        ended_at=_time(ended),
        is_preempted=bool(preempted) or _state(state) is JobState.PREEMPTED,
    )


def accounts_of(text: str) -> list[JobRow]:
    """What sacct printed of jobs that squeue has forgotten. Raises: ValueError where it is not in our format."""
    return [_accounted(line) for line in text.splitlines() if line.strip()]


def _accounted(line: str) -> JobRow:
    fields = line.split("|", 5)
    if len(fields) != 6:
        raise ValueError(f"sacct printed {line[:200]!r}, which is not what it was asked for")
    job, state, started, ended, nodes, comment = (_given(field) for field in fields)
    index = job.partition("_")[2]
    found = _state(state)
    return JobRow(
        job=job,
        index=int(index) if index.isdecimal() else None,
        state=found,
        comment=comment,
        nodes=nodes,
        started_at=_time(started),
        ended_at=_time(ended),
        is_preempted=found is JobState.PREEMPTED,
    )


def submitted_of(text: str) -> str:
    """The job's number in what `sbatch --parsable` printed: `123`, or `123;cluster`. Raises: ValueError."""
    number = text.strip().splitlines()[-1].partition(";")[0] if text.strip() else ""
    if not number.isdecimal():
        raise ValueError(f"sbatch printed {text.strip()[:200]!r} and no job's number")
    return number


def _state(text: str) -> JobState:
    """sacct says `CANCELLED by 1000`. Raises: ValueError for a word of a version that is not known yet."""
    word = text.split(" ")[0].rstrip("+")
    if word not in STATES:
        raise ValueError(f"Slurm says that a job is {text!r}, and nobody here knows what that is")
    return STATES[word]


def _given(field: str) -> str:
    text = field.strip()
    return "" if text in NOTHING else text


def _time(text: str) -> float | None:
    return float(text) if text.isdecimal() else None
