"""Has a run gone on for too long, or cost too much? Pure."""

from weyr.core.decision import View
from weyr.core.kind import Begins
from weyr.core.reach import Expected
from weyr.core.task_usage import planned_quantities
from weyr.core.units import HOUR_S, money_text
from weyr.kinds.compute.job.array import array_of, at_once, count_of
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.spec import JobSpec, deadline_at

LOOK_S = 5.0
"""What a job costs may change without its doing; so often it is looked at anyway."""


def passed(spec: JobSpec, view: View[JobMemory], memory: JobMemory) -> str:
    """Which bound of the run is passed, as the sentence that is its outcome; "" where none is."""
    if spec.deadline is not None and view.now >= deadline_at(spec.deadline, memory.began_at):
        return f"its deadline has passed: {spec.deadline}"
    used = used_micros(view, memory)
    if spec.max_cost is not None and used is not None and used >= spec.max_cost.micros:
        return f"it has cost {money_text(used)} {spec.max_cost.currency}, and may cost {spec.max_cost}"
    return ""


def look_again_s(spec: JobSpec, view: View[JobMemory], memory: JobMemory) -> float | None:
    """When a bound may be passed: to the second, from what runs now and what that costs."""
    moments = []
    if spec.deadline is not None:
        moments.append(deadline_at(spec.deadline, memory.began_at) - view.now)
    used = used_micros(view, memory)
    if spec.max_cost is not None and view.cost is not None and used is not None:
        rate = view.cost.rate_micros_per_hour
        left_s = (spec.max_cost.micros - used) * HOUR_S / rate if rate else LOOK_S
        moments.append(min(left_s, LOOK_S))
    return max(0.05, min(moments)) if moments else None


def expected(spec: JobSpec, view: View[JobMemory], memory: JobMemory) -> Expected:
    """What one task of an attempt that begins now can cost at most, by the run's bounds; where it has none, what it is
    said to take; where that is not said either, it is taken to cost what those before it did."""
    bounds = []
    if spec.time_limit is not None:
        bounds.append(spec.time_limit + spec.grace)
    if spec.deadline is not None:
        bounds.append(max(0.0, deadline_at(spec.deadline, memory.began_at) - view.now) + spec.grace)
    micros = None
    if spec.max_cost is not None:
        # All tasks of the run share it: the attempt's replicas, and the indices that may be under way beside it.
        micros = max(0, spec.max_cost.micros - (used_micros(view, memory) or 0)) // (spec.replicas * _at_once(spec))
    if not bounds and micros is None and spec.expected_duration is not None:
        bounds.append(spec.expected_duration)
    return Expected(min(bounds, default=None), micros)


def begins(spec: JobSpec) -> Begins | None:
    """The tasks of its first attempt. One that begins by a schedule, or by a moment that it is to be over, later."""
    if spec.schedule is not None or spec.suspend or spec.deadline is not None:
        return None
    first = expected(spec, View(0.0), JobMemory())
    return Begins(planned_quantities(spec, spec.spot), first, spec.replicas)


def _at_once(spec: JobSpec) -> int:
    array = array_of(spec)
    return 1 if array is None else max(1, min(at_once(array), count_of(array)))


def used_micros(view: View[JobMemory], memory: JobMemory) -> int | None:
    """What this run has cost; None where nobody counts."""
    if view.cost is None or memory.cost_before is None:
        return None
    return view.cost.micros - memory.cost_before
