"""What does a job remember between two looks? How far its run has come."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobMemory:
    """How far a job has come. `outcome` is empty while the run is not over.

    `attempt` numbers the newest attempt over the job's whole life, which `is_open` until its end was seen
    and weighed; `attempts` counts those of this run, `resumed` is the last one that was told to have begun
    from a checkpoint. `version` and `program` say what this run is of.
    """

    version: str = ""
    program: str = ""
    generation: int = 0
    attempt: int = 0
    attempts: int = 0
    resumed: int = 0
    is_open: bool = False
    failures: int = 0
    interruptions: int = 0
    not_started: int = 0
    retry_at: float = 0.0
    outcome: str = ""
    detail: str = ""
    took_s: float = 0.0


def reborn(memory: JobMemory) -> JobMemory:
    """A job that was taken away and is made anew runs again; its attempts are counted on."""
    return JobMemory(attempt=memory.attempt)
