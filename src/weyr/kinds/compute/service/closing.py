"""Is a service closed by its calendar at this moment? Somebody who needs it then wakes it. Pure."""

from dataclasses import replace

from weyr.core.decision import Note, View
from weyr.core.opening_fields import Calendar
from weyr.core.ref import Ref
from weyr.kinds.compute.service.memory import ServiceMemory
from weyr.kinds.compute.service.spec import ServiceSpec

WAKE = "wake"


def is_closed(spec: ServiceSpec, memory: ServiceMemory, now: float) -> bool:
    """Whether nothing of it is to run. Woken while it was closed, it runs until its calendar has opened and closed."""
    calendar = spec.calendar
    if calendar is None or calendar.is_open(now):
        return False
    return not memory.woken_at or now >= calendar.closes_after(memory.woken_at)


def woken(spec: ServiceSpec, view: View[ServiceMemory], memory: ServiceMemory) -> ServiceMemory:
    """Carries an order to wake it out, once; where it is open there is nothing to do."""
    if view.order is None or view.order.number <= memory.order:
        return memory
    at = view.now if is_closed(spec, memory, view.now) else memory.woken_at
    return replace(memory, order=view.order.number, woken_at=at)


def noted(
    ref: Ref, spec: ServiceSpec, view: View[ServiceMemory], memory: ServiceMemory
) -> tuple[ServiceMemory, tuple[Note, ...]]:
    """Told once for each closing and opening, with what the closing saves."""
    now_closed = is_closed(spec, memory, view.now)
    if now_closed == memory.is_closed:
        return memory, ()
    memory = replace(memory, is_closed=now_closed)
    if now_closed and spec.calendar:
        rate = view.cost.rate_micros_per_hour if view.cost else 0
        return memory, (Note("service.closed", closed_text(ref, spec.calendar, view.now, rate)),)
    return memory, (Note("service.opened", "its calendar is open" if not memory.woken_at else "it was opened"),)


def closed_text(ref: Ref, calendar: Calendar, now: float, rate_micros_per_hour: int = 0) -> str:
    return calendar.closed_text(now, f"weyr wake {ref}", rate_micros_per_hour)


def changes_s(spec: ServiceSpec, now: float) -> float:
    """How long until its calendar opens or closes; infinity without one."""
    return spec.calendar.changes_at(now) - now if spec.calendar else float("inf")


def refuses(memory: ServiceMemory | None, verb: str) -> str:
    """Why an order cannot be carried out now, "" where it can."""
    return "it is not closed by a calendar" if verb == WAKE and (memory is None or not memory.is_closed) else ""
