"""How many replicas does a metric of their own ask for? Pure.

What is not known is never taken for nothing: then nobody is let go of, and the reason says what is missing.
"""

from dataclasses import replace
from math import ceil

from weyr.core.scaling import Demand, Measured

OLD_S = 15.0
"""What was read longer ago says nothing of now."""
NEAR = 0.1
"""As near to what is wanted as this is near enough: a gauge that trembles moves nobody."""


def with_metric(demand: Demand, measured: Measured | None, now: float) -> Demand:
    """The demand with what its metric asks for; as it is where it names none."""
    if not demand.metric:
        return demand
    floor, says = _asked_for(demand, measured, now)
    return replace(demand, metric_floor=min(floor, demand.replicas_max), metric_says=says)


def _asked_for(demand: Demand, measured: Measured | None, now: float) -> tuple[int, str]:
    name, before = demand.metric, demand.desired
    if not demand.there and not before:
        return 0, f"{name} is told by nobody while it sleeps"
    is_old = measured is None or abs(now - measured.at) > OLD_S
    values = [] if measured is None or is_old else [measured.values[p] for p in demand.ready if p in measured.values]
    if measured is None or not values:
        return before, f"what {name} is nobody knows ({_trouble(demand, measured, is_old)}): none is let go of"
    mean = sum(values) / len(values)
    silent = len(demand.ready) - len(values)
    of_whom = f"{len(values)} of {len(demand.ready)} replicas" if silent else "a replica"
    says = f"{name} is {mean:.4g} in the mean of {of_whom} and should be {demand.per_replica:.4g}"
    needed = mean * len(demand.ready) / demand.per_replica
    count = before if before and abs(needed / before - 1) <= NEAR else ceil(needed)
    if silent and count < before:
        return before, f"{says}; none is let go of until all tell it ({_trouble(demand, measured, is_old)})"
    return count, says


def _trouble(demand: Demand, measured: Measured | None, is_old: bool) -> str:
    if not demand.ready:
        return "no replica is ready"
    if measured is None or is_old:
        return "its replicas were not asked just now"
    return next((measured.troubles[p] for p in demand.ready if p in measured.troubles), "no replica was asked yet")
