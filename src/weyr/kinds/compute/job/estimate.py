"""What will a job use if it runs as written? Pure."""

from weyr.core.assumptions import WEEK_S, Assumed, Assumption, Measure, Origin, Past
from weyr.core.cron import next_after, parse_cron, zone_of
from weyr.core.kind import Estimate
from weyr.core.task_usage import planned_quantities
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.compute.job.array import array_of, count_of
from weyr.kinds.compute.job.spec import JobSpec, Schedule

A_MONDAY = 1_767_571_200.0
"""2026-01-05 in UTC."""
YEAR_S = 12 * MONTH_S
OFTEN = 400


def assumes(spec: JobSpec, past: Past) -> tuple[Assumption, ...]:
    """How often it runs in a month, and how long one run takes; on spot also how often one is interrupted, and what its
    program needs each time before it goes on."""
    return _runs(spec, past), _duration(spec, past), *_interruptions(spec, past)


def estimate(spec: JobSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    """Its runs, of so long each; each index and replica of it."""
    tasks = _tasks(spec)
    note = f"{tasks} tasks" if tasks > 1 else ""
    hours = assumed["runs"] * tasks * (assumed["duration"] + _again_s(spec, assumed)) / HOUR_S
    return tuple(Estimate(sku, quantity, hours, note) for sku, quantity in planned_quantities(spec, spec.spot))


def runs_a_month(schedule: Schedule) -> int:
    """How often it comes in an average month, counted over a year of which today is no part: a plan is the same
    tomorrow. What comes often is reckoned from its first times."""
    cron, zone = parse_cron(schedule.cron), zone_of(schedule.time_zone)
    at, found = A_MONDAY, 0
    while found < OFTEN and at < A_MONDAY + YEAR_S:
        at, found = next_after(cron, zone, at), found + 1
    return max(1, round(found * MONTH_S / (at - A_MONDAY)))


def _runs(spec: JobSpec, past: Past) -> Assumption:
    if spec.schedule:
        return Assumption.sure("runs", Measure.COUNT, runs_a_month(spec.schedule), Origin.STACK, "by schedule")
    if past.tasks and past.observed_s >= WEEK_S:
        runs = past.monthly(past.tasks / _tasks(spec))
        return Assumption.sure("runs", Measure.COUNT, runs, Origin.MEASURED, past.said)
    return Assumption.sure("runs", Measure.COUNT, 1.0)


def _duration(spec: JobSpec, past: Past) -> Assumption:
    """What was measured beats an expectation, that a limit, and that an assumption."""
    limit = spec.time_limit
    if past.tasks:
        mean_s = past.task_s / past.tasks
        mean_s = min(mean_s, limit) if limit else mean_s
        said = f"in {past.tasks} run{'s' if past.tasks > 1 else ''}"
        return Assumption.sure("duration", Measure.DURATION, mean_s, Origin.MEASURED, said)
    if spec.expected_duration:
        return Assumption.sure("duration", Measure.DURATION, spec.expected_duration, Origin.STACK, "expected")
    if limit:
        return Assumption("duration", Measure.DURATION, limit, 0.0, limit, Origin.STACK, "at most")
    return Assumption.sure("duration", Measure.DURATION, float(HOUR_S))


def _interruptions(spec: JobSpec, past: Past) -> tuple[Assumption, ...]:
    """What was measured of a run's length has its interruptions in it: how many more there are is only known to whoever
    says it."""
    if not spec.spot or spec.checkpoint is None:
        return ()
    startup = Assumption.sure("startup", Measure.DURATION, 0.0)
    if past.startups:
        said = f"over {past.startups} attempt{'s' if past.startups > 1 else ''}"
        startup = Assumption.sure("startup", Measure.DURATION, past.startup_s, Origin.MEASURED, said)
    return Assumption.sure("interruptions", Measure.COUNT, 0.0), startup


def _again_s(spec: JobSpec, assumed: Assumed) -> float:
    """What a run does twice: each time its start-up, and half of what lies between two checkpoints in the mean."""
    if spec.checkpoint is None:
        return 0.0
    return assumed.get("interruptions", 0.0) * (assumed.get("startup", 0.0) + spec.checkpoint.every / 2)


def _tasks(spec: JobSpec) -> int:
    array = array_of(spec)
    return spec.replicas * (count_of(array) if array else 1)
