"""What follows from the end of an attempt? The run is over, or another attempt comes, at once or later. Pure."""

from dataclasses import replace
from typing import assert_never

from weyr.core.seen import EndReason, TaskEnd
from weyr.core.units import duration_text
from weyr.kinds.compute.job.memory import Series
from weyr.kinds.compute.job.spec import JobSpec

SUCCEEDED = "succeeded"
FAILED = "failed"

BACKOFF_MAX_S = 300.0
INTERRUPTIONS_AT_ONCE = 3
INTERRUPTION_WAIT_MAX_S = 60.0
"""An interrupted attempt is followed at once; from the fourth short one on after 2, 4, 8 ... 60 s, in case each
new attempt meets what ended the last one."""


def weighed(spec: JobSpec, series: Series, end: TaskEnd, took_s: float, now: float) -> Series:
    """The series after the open attempt's end. Its `outcome` is empty where another attempt follows."""
    text = f"attempt {series.attempt} {_sentence(end, took_s)}"
    # A long run shows that it is no use to wait longer than the first time.
    streak = 1 if took_s >= spec.retries.reset_after else series.streak + 1
    series = replace(series, is_open=False, took_s=series.took_s + took_s, detail=text, streak=streak)
    retries = spec.retries
    match end.reason:
        case EndReason.SUCCEEDED:
            return replace(series, outcome=SUCCEEDED)
        case EndReason.RECLAIMED | EndReason.LOST | EndReason.NODE_LOST | EndReason.PREEMPTED | EndReason.STOPPED:
            series = replace(series, interruptions=series.interruptions + 1)
            return _again_or_fail(series, series.interruptions <= retries.interruptions, now + _pause_s(streak))
        case EndReason.NOT_STARTED:
            series = replace(series, not_started=series.not_started + 1)
            return _again_or_fail(series, series.not_started <= retries.not_started, now + 1)
        case EndReason.OUT_OF_MEMORY if retries.out_of_memory is not None:
            series = replace(series, out_of_memory=series.out_of_memory + 1)
            return _again_or_fail(series, series.out_of_memory <= retries.out_of_memory, now + _backoff_s(spec, streak))
        case EndReason.TIMED_OUT if retries.timed_out is not None:
            series = replace(series, timed_out=series.timed_out + 1)
            return _again_or_fail(series, series.timed_out <= retries.timed_out, now + _backoff_s(spec, streak))
        case EndReason.FAILED | EndReason.OUT_OF_MEMORY | EndReason.TIMED_OUT:
            ooms = series.out_of_memory + (end.reason is EndReason.OUT_OF_MEMORY)
            series = replace(series, failures=series.failures + 1, out_of_memory=ooms)
            can_retry = series.failures <= retries.max and end.exit_code not in retries.never_on
            return _again_or_fail(series, can_retry, now + _backoff_s(spec, streak))
        case EndReason.REFUSED:
            return replace(series, failures=series.failures + 1, outcome=FAILED)
        case other:
            assert_never(other)


def memory_bytes(spec: JobSpec, series: Series) -> int | None:
    """What the next attempt gets: after each end for want of memory so many times more than before."""
    if spec.resources.memory is None:
        return None
    return int(spec.resources.memory * spec.retries.memory_growth ** min(series.out_of_memory, 20))


def _pause_s(streak: int) -> float:
    excess = streak - INTERRUPTIONS_AT_ONCE
    return min(2.0 ** min(excess, 10), INTERRUPTION_WAIT_MAX_S) if excess > 0 else 0.0


def _backoff_s(spec: JobSpec, streak: int) -> float:
    return float(min(spec.retries.backoff * 2 ** min(streak - 1, 20), BACKOFF_MAX_S))


def _again_or_fail(series: Series, can_retry: bool, at: float) -> Series:
    return replace(series, retry_at=at) if can_retry else replace(series, outcome=FAILED)


def _sentence(end: TaskEnd, took_s: float) -> str:
    took = f" after {duration_text(took_s)}" if took_s else ""
    match end.reason:
        case EndReason.SUCCEEDED:
            return f"succeeded{took}"
        case EndReason.RECLAIMED:
            return f"was cut short{took}: its spot node was reclaimed"
        case EndReason.FAILED if end.exit_code is not None:
            where = f" ({end.detail.partition(':')[0]})" if end.detail.startswith("replica") else ""
            return f"failed{took} with exit code {end.exit_code}{where}"
        case _:
            return f"ended{took}: {end.reason}" + (f" ({end.detail})" if end.detail else "")
