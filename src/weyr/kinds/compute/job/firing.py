"""Is a run of a scheduled job due? Pure.

A moment of the schedule counts once: the last one that was seen to come is remembered, so that neither a restart nor a
clock that is set back makes a second run of it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from weyr.core.cron import last_until, next_after, parse_cron, zone_of
from weyr.core.decision import Note
from weyr.core.units import DAY_S
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.spec import Schedule


@dataclass(frozen=True, slots=True)
class Firing:
    """What the schedule says now. `begins`: a run of `memory.fired_at` is to begin. `replaces`: the one that is under
    way has to go first."""

    memory: JobMemory
    begins: bool = False
    replaces: bool = False
    notes: tuple[Note, ...] = ()


def firing(schedule: Schedule, memory: JobMemory, now: float, is_busy: bool, is_suspended: bool) -> Firing:
    """Takes: `is_busy`, whether a run is under way."""
    if not memory.fired_at or memory.fired_at > now + DAY_S:
        # Nothing of before it was asked for counts; and a moment of the future was seen by a clock that ran ahead.
        memory = replace(memory, fired_at=now)
    due = last_until(parse_cron(schedule.cron), zone_of(schedule.time_zone), now)
    notes: tuple[Note, ...] = ()
    if due > memory.fired_at:
        memory, notes = _come(schedule, memory, due, now, is_busy, is_suspended)
    if memory.is_queued and not is_busy:
        return Firing(replace(memory, is_queued=False), begins=True, notes=notes)
    return Firing(memory, replaces=memory.is_queued and schedule.overlap == "replace", notes=notes)


def _come(
    schedule: Schedule, memory: JobMemory, due: float, now: float, is_busy: bool, is_suspended: bool
) -> tuple[JobMemory, tuple[Note, ...]]:
    """A moment of the schedule has come; of several that were missed, only the last counts."""
    memory, at = replace(memory, fired_at=due), told(schedule, due)
    if is_suspended or now - due > schedule.catch_up:
        why = "it is suspended" if is_suspended else "it was missed by more than catch_up allows"
        return memory, (Note("schedule.missed", f"no run for {at}: {why}"),)
    if is_busy and schedule.overlap == "skip":
        return memory, (Note("schedule.skipped", f"no run for {at}: the one before goes on"),)
    return replace(memory, is_queued=True), (Note("schedule.fired", f"the run of {at} is due"),)


def next_at(schedule: Schedule, now: float) -> float:
    """When it comes next, in Unix seconds."""
    return next_after(parse_cron(schedule.cron), zone_of(schedule.time_zone), now)


def told(schedule: Schedule, at: float) -> str:
    """A moment as people in the schedule's time zone know it."""
    return f"{datetime.fromtimestamp(at, zone_of(schedule.time_zone)):%Y-%m-%d %H:%M} {schedule.time_zone}"
