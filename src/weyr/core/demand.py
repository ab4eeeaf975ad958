"""What is asked of the replicas behind a route, and how many are there at least? For all kinds that scale. Pure."""

import math
from collections.abc import Mapping, Sequence

from weyr.core.cron import next_after, parse_cron, zone_of
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.replica_set import Replica, Sight
from weyr.core.scale_fields import Scale
from weyr.core.scaling import Advice, Demand, Quota, SharedBy
from weyr.core.schema import Reference
from weyr.core.seen import RouteFacts

# How much of a newly seen start is believed, when it was longer than thought and when it was shorter: late replicas
# cost requests, early ones only money.
SLOWER, FASTER = 0.5, 0.2
STARTS_KEPT = 8
START_MAX_S = 3600.0
"""A replica that seems to have taken longer became ready while nobody looked."""


def demand_of(
    scale: Scale,
    route: RouteFacts,
    staying: Sequence[tuple[Sight, Replica]],
    start_s: float,
    quota: Quota | None,
    desired: int,
    now: float,
) -> Demand:
    """What a route tells of the replicas behind it, those of them that answer and are to stay."""
    ready = sum(sight.is_ready(replica) or sight.is_silent(replica) for sight, replica in staying)
    in_flight = sum(count for _, count in route.replicas)
    waits_inside = sum(max(0, count - slots) for _, count in route.replicas) if (slots := slots_of(scale)) else 0
    return Demand(
        arrived=route.requests,
        worked=sum(counts.worked for counts in route.versions),
        worked_s=sum(counts.worked_s for counts in route.versions),
        tokens=sum(counts.completion_tokens for counts in route.versions),
        queued=route.waiting + waits_inside,
        in_flight=in_flight - waits_inside,
        replicas=ready,
        starting=len(staying) - ready,
        concurrency=scale.target_inflight,
        replica_rate=scale.target_rate or 0.0,
        replica_tokens=scale.target_tokens or 0.0,
        latency_target_s=scale.slo,
        replicas_min=scale.min,
        replicas_max=scale.most,
        idle_after_s=scale.idle_after,
        floor=calendar_floor(scale, now),
        start_s=start_s,
        weight=scale.weight,
        quota=quota,
        desired=desired,
        metric=scale.target_metric.name if scale.target_metric else "",
        per_replica=scale.target_metric.per_replica if scale.target_metric else 0.0,
        ready=tuple(replica.part for sight, replica in staying if sight.is_ready(replica) or sight.is_silent(replica)),
    )


def slots_of(scale: Scale) -> int:
    """How many requests a replica works on at once; 0 where something else was said of what it can do."""
    return 0 if scale.target_rate or scale.target_tokens else scale.target_inflight


def calendar_floor(scale: Scale, now: float) -> int:
    """The most that a window of its calendar asks for now; 0 outside all of them."""
    return max((w.min for w in scale.calendar if _is_open(w.cron, w.zone, w.lasts, now)), default=0)


def calendar_begins_s(scale: Scale, now: float) -> float:
    """How long until the next window of its calendar begins; infinity without one."""
    return min((next_after(parse_cron(w.cron), zone_of(w.zone), now) - now for w in scale.calendar), default=math.inf)


def floor_of(scale: Scale, now: float) -> int:
    """How many there are at least at this moment, whatever is asked."""
    return max(scale.min, min(calendar_floor(scale, now), scale.max))


def count_of(scale: Scale, quota: Quota | None, advice: Advice | None, before: int, now: float) -> int:
    """How many there should be: as advised, or without advice as many as before. The limits are those of now, whatever
    they were when advice was given; only a quota that is shared may have less for it than its floor."""
    if scale.is_fixed and quota is None:
        return scale.most
    least = 0 if quota else floor_of(scale, now)
    return min(max(least, advice.replicas if advice else before), scale.most)


def shortage(scale: Scale, quota: Quota | None, desired: int, waiting: int, now: float) -> str:
    """What a shared quota keeps it from having, in a clause; "" where it has what it should have at least."""
    least = min(max(floor_of(scale, now), min(1, waiting)), scale.most)
    if quota is None or desired >= least:
        return ""
    return f"it should have {least} at least, and the {quota.replicas} replicas of {quota.name} are given to others"


def starts_seen(staying: Sequence[tuple[Sight, Replica]], now: float) -> tuple[float, ...]:
    """What the starts took of the replicas that are ready for the first time."""
    found = []
    for sight, replica in staying:
        facts = sight.facts(replica)
        if replica.well_at or facts is None or not facts.started_at or not sight.is_ready(replica):
            continue
        took_s = max(0.001, now - facts.started_at)
        if took_s <= START_MAX_S:
            found.append(round(took_s, 3))
    return tuple(found)


def start_learnt(start_s: float, seen: Sequence[float]) -> float:
    """What a start is taken to need from now on, for whoever has to ask for a replica early enough."""
    for took_s in seen:
        start_s += (took_s - start_s) * (1.0 if not start_s else SLOWER if took_s > start_s else FASTER)
    return round(start_s, 3)


def starts_kept(starts: tuple[float, ...], seen: Sequence[float]) -> tuple[float, ...]:
    """The latest starts as they were, for whoever rehearses the next ones."""
    return (*starts, *seen)[-STARTS_KEPT:]


def quota_of(queue: Reference | None, stack: str, needs: Mapping[Ref, Need]) -> Quota | None:
    """That of its queue, where the queue says how many replicas all in it may have."""
    if queue is None:
        return None
    ref = queue.ref(stack)
    outputs = needs[ref].outputs if ref in needs else {}
    replicas = outputs.get("replicas")
    if not isinstance(replicas, int):
        return None
    return Quota(ref.absolute, replicas, SharedBy(str(outputs.get("shared_by", SharedBy.FAIRNESS))))


def _is_open(cron: str, zone: str, lasts_s: float, now: float) -> bool:
    return next_after(parse_cron(cron), zone_of(zone), now - lasts_s) <= now
