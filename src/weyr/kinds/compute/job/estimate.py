"""What will a job use if it runs as written? Pure."""

from weyr.core.kind import Estimate
from weyr.core.task_usage import task_quantities
from weyr.core.units import HOUR_S, duration_text
from weyr.kinds.compute.job.array import array_of, count_of
from weyr.kinds.compute.job.spec import JobSpec


def estimate(spec: JobSpec) -> tuple[Estimate, ...]:
    """One run a month, of the expected duration, the time limit, or an assumed hour; each index and replica of it."""
    seconds = spec.expected_duration or spec.time_limit or float(HOUR_S)
    word = "expected" if spec.expected_duration else "at most" if spec.time_limit else "assumed"
    lines = task_quantities(spec.resources.cpu, spec.resources.memory, spec.spot)
    array = array_of(spec)
    tasks = spec.replicas * (count_of(array) if array else 1)
    each = f", {tasks} tasks" if tasks > 1 else ""
    note = f"one run, {duration_text(seconds)} {word}{each}"
    return tuple(Estimate(sku, quantity, tasks * seconds / HOUR_S, note) for sku, quantity in lines)
