"""What follows from the end of an attempt? The run is over, or another attempt comes, at once or later. Pure."""

from dataclasses import replace
from typing import assert_never

from weyr.core.decision import Condition, ConditionType
from weyr.core.seen import EndReason, TaskEnd, TaskFacts
from weyr.core.units import duration_text
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.spec import JobSpec

SUCCEEDED = "succeeded"
FAILED = "failed"

BACKOFF_MAX_S = 300.0
NOT_STARTED_MAX = 3
INTERRUPTIONS_MAX = 1000
INTERRUPTIONS_AT_ONCE = 3
INTERRUPTION_WAIT_MAX_S = 60.0
"""An interrupted attempt is followed at once; from the fourth on after 2, 4, 8 ... 60 s, in case each
new attempt meets what ended the last one."""


def weighed(spec: JobSpec, memory: JobMemory, end: TaskEnd, took_s: float, now: float) -> JobMemory:
    """The memory after the open attempt's end. Its `outcome` is empty where another attempt follows."""
    text = f"attempt {memory.attempt} {_sentence(end, took_s)}"
    memory = replace(memory, is_open=False, took_s=memory.took_s + took_s, detail=text)
    match end.reason:
        case EndReason.SUCCEEDED:
            return replace(memory, outcome=SUCCEEDED)
        case EndReason.RECLAIMED | EndReason.LOST | EndReason.NODE_LOST | EndReason.PREEMPTED | EndReason.STOPPED:
            memory = replace(memory, interruptions=memory.interruptions + 1)
            excess = memory.interruptions - INTERRUPTIONS_AT_ONCE
            wait_s = min(2.0 ** min(excess, 10), INTERRUPTION_WAIT_MAX_S) if excess > 0 else 0.0
            return _again_or_fail(memory, memory.interruptions <= INTERRUPTIONS_MAX, now + wait_s)
        case EndReason.NOT_STARTED:
            memory = replace(memory, not_started=memory.not_started + 1)
            return _again_or_fail(memory, memory.not_started < NOT_STARTED_MAX, now + 1)
        case EndReason.FAILED | EndReason.OUT_OF_MEMORY | EndReason.TIMED_OUT:
            memory = replace(memory, failures=memory.failures + 1)
            wait_s = min(spec.retries.backoff * 2 ** min(memory.failures - 1, 20), BACKOFF_MAX_S)
            return _again_or_fail(memory, memory.failures <= spec.retries.max, now + wait_s)
        case EndReason.REFUSED:
            return replace(memory, failures=memory.failures + 1, outcome=FAILED)
        case other:
            assert_never(other)


def outcome_of(memory: JobMemory) -> Condition:
    """What is said of a job whose run is over."""
    if memory.outcome == SUCCEEDED:
        attempts = f" in {memory.attempts} attempts" if memory.attempts > 1 else ""
        return Condition(ConditionType.COMPLETE, True, "Succeeded", f"ran {duration_text(memory.took_s)}{attempts}")
    return Condition(ConditionType.FAILED, True, "Failed", memory.detail)


def took_s(facts: TaskFacts) -> float:
    """How long an ended task ran, by the engine's own record."""
    if facts.started_at is None or facts.ended_at is None or facts.ended_at < facts.started_at:
        return 0.0  # nobody knows: the clock may have been set back in between
    return max(0.0, facts.ended_at - facts.started_at)


def _again_or_fail(memory: JobMemory, can_retry: bool, at: float) -> JobMemory:
    return replace(memory, retry_at=at) if can_retry else replace(memory, outcome=FAILED)


def _sentence(end: TaskEnd, took_s: float) -> str:
    took = f" after {duration_text(took_s)}" if took_s else ""
    match end.reason:
        case EndReason.SUCCEEDED:
            return f"succeeded{took}"
        case EndReason.RECLAIMED:
            return f"was cut short{took}: its spot node was reclaimed"
        case EndReason.FAILED if end.exit_code is not None:
            return f"failed{took} with exit code {end.exit_code}"
        case _:
            return f"ended{took}: {end.reason}" + (f" ({end.detail})" if end.detail else "")
