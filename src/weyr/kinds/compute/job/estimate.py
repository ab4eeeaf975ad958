"""What will a job use if it runs as written? Pure."""

from weyr.core.cron import next_after, parse_cron, zone_of
from weyr.core.kind import Estimate
from weyr.core.task_usage import planned_quantities
from weyr.core.units import HOUR_S, MONTH_S, duration_text
from weyr.kinds.compute.job.array import array_of, count_of
from weyr.kinds.compute.job.spec import JobSpec, Schedule

A_MONDAY = 1_767_571_200.0
"""2026-01-05 in UTC."""
YEAR_S = 12 * MONTH_S
OFTEN = 400


def estimate(spec: JobSpec) -> tuple[Estimate, ...]:
    """One run a month, of the expected duration, the time limit, or an assumed hour; each index and replica of it."""
    seconds = spec.expected_duration or spec.time_limit or float(HOUR_S)
    word = "expected" if spec.expected_duration else "at most" if spec.time_limit else "assumed"
    lines = planned_quantities(spec, spec.spot)
    array = array_of(spec)
    tasks = spec.replicas * (count_of(array) if array else 1)
    each = f", {tasks} tasks" if tasks > 1 else ""
    runs = runs_a_month(spec.schedule) if spec.schedule else 1
    note = f"{'one run' if runs == 1 else f'{runs:g} runs'}, {duration_text(seconds)} {word}{each}"
    return tuple(Estimate(sku, quantity, runs * tasks * seconds / HOUR_S, note) for sku, quantity in lines)


def runs_a_month(schedule: Schedule) -> int:
    """How often it comes in an average month, counted over a year of which today is no part: a plan is the same
    tomorrow. What comes often is reckoned from its first times."""
    cron, zone = parse_cron(schedule.cron), zone_of(schedule.time_zone)
    at, found = A_MONDAY, 0
    while found < OFTEN and at < A_MONDAY + YEAR_S:
        at, found = next_after(cron, zone, at), found + 1
    return max(1, round(found * MONTH_S / (at - A_MONDAY)))
