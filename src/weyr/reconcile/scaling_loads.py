"""What does an object's demand look like to the autoscaler, and what does the advice rest on? Pure."""

from collections.abc import Iterator

from weyr.core.ref import Ref
from weyr.core.scaling import Demand
from weyr.scheduling.scaling import Load


def load_of(ref: Ref, demand: Demand, before: Demand | None, since_s: float, ticks: int = 1) -> Load:
    """One of so many equal ticks since `before`, `since_s` ago. A plane that was restarted counts from 0."""
    if before is None:
        arrived, worked, worked_s = 0, 0, 0.0
    elif demand.arrived < before.arrived or demand.worked < before.worked:
        arrived, worked, worked_s = demand.arrived, demand.worked, demand.worked_s
    else:
        arrived = demand.arrived - before.arrived
        worked, worked_s = demand.worked - before.worked, max(0.0, demand.worked_s - before.worked_s)
    inside = demand.queued + demand.in_flight
    per_replica = _request_s(demand)
    service_s, concurrency = (
        per_replica or (worked_s / worked if worked else None),
        1 if per_replica else demand.concurrency,
    )
    # One that has a request does not sleep, however long that takes.
    floor = max(demand.floor, demand.metric_floor, min(1, inside))
    if demand.quota is None and arrived / since_s * (service_s or 0.0) / concurrency >= demand.replicas_max:
        # More than all of them can do: none of them would keep a request from being late, and all answer what they can.
        floor = demand.replicas_max
    return Load(
        ref.absolute,
        arrived=arrived / ticks,
        queued=demand.queued,
        # What one replica can do is said: how many it has at once is then no measure.
        in_flight=None if per_replica else demand.in_flight,
        ended=worked / ticks,
        service_s=service_s,
        replicas=demand.replicas,
        starting=demand.starting,
        concurrency=concurrency,
        latency_target_s=demand.latency_target_s,
        start_s=demand.start_s or None,
        replicas_min=demand.replicas_min,
        replicas_max=demand.replicas_max,
        floor=floor,
        idle_after_s=demand.idle_after_s,
        weight=demand.weight,
    )


def _request_s(demand: Demand) -> float | None:
    """How much of a replica's time a request takes, where it was said what one can do; None where it was not."""
    if demand.replica_rate:
        return 1 / demand.replica_rate
    if demand.replica_tokens and demand.tokens and demand.worked:
        return demand.tokens / demand.worked / demand.replica_tokens
    return None


def reason_of(demand: Demand, replicas: int, why: str, given: int) -> str:
    """In a sentence, why there should be so many. `given`: how many all in its quota should have."""
    return "; ".join([why, *_bounds(demand, replicas, given)])


def _bounds(demand: Demand, replicas: int, given: int) -> Iterator[str]:
    quota = demand.quota
    if demand.metric_says:
        yield demand.metric_says
    if quota and given >= quota.replicas:
        yield f"all {quota.replicas} replicas of {quota.name} are given out, shared by {quota.shared_by.value}"
    if replicas < demand.least:
        yield f"it should have {demand.least} at least"
    elif replicas >= demand.replicas_max:
        yield f"max is {demand.replicas_max}"
    elif replicas and demand.floor and replicas <= min(demand.floor, demand.replicas_max):
        yield f"its calendar keeps {demand.floor}"
    elif replicas and replicas == demand.replicas_min:
        yield f"min is {demand.replicas_min}"
