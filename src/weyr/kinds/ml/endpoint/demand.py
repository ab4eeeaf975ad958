"""What is asked of an endpoint that scales by its latency? What it tells, so that scheduling can say how many. Pure."""

import math
from collections.abc import Iterator
from dataclasses import replace

from weyr.core.cron import next_after, parse_cron, zone_of
from weyr.core.decision import View, Want
from weyr.core.replica_set import Replica
from weyr.core.scaling import Demand, Quota, SharedBy
from weyr.kinds.ml.endpoint.fields.scale import Scale
from weyr.kinds.ml.endpoint.look import Look
from weyr.kinds.ml.endpoint.memory import SHADOW, EndpointMemory, Side
from weyr.kinds.ml.endpoint.spec import EndpointSpec

# How much of a newly seen start is believed, when it was longer than thought and when it was shorter: late replicas
# cost requests, early ones only money.
SLOWER, FASTER = 0.5, 0.2
START_MAX_S = 3600.0
"""A replica that seems to have taken longer became ready while nobody looked."""


def demand(want: Want[EndpointSpec], view: View[EndpointMemory]) -> Demand | None:
    """What this look tells. None where it has no target for latency, or nothing is known of its route."""
    spec, memory = want.spec, view.memory
    if spec is None or spec.scale.slo is None or memory is None or view.hold:
        return None
    look = Look(want, spec, view)
    if look.route is None:
        return None
    staying = [(look.sight(side), replica) for side, replica in _answering(memory)]
    ready = sum(sight.is_ready(replica) or sight.is_silent(replica) for sight, replica in staying)
    return Demand(
        ended=look.route.requests,
        worked_s=sum(counts.latency_sum_s for counts in look.route.versions),
        queued=look.route.waiting,
        in_flight=sum(count for _, count in look.route.replicas),
        replicas=ready,
        starting=len(staying) - ready,
        concurrency=spec.scale.target_inflight,
        latency_target_s=spec.scale.slo,
        replicas_min=spec.scale.min,
        replicas_max=max(spec.scale.max, spec.scale.min, 1),
        idle_after_s=spec.scale.idle_after,
        floor=calendar_floor(spec.scale, view.now),
        start_s=memory.start_s,
        weight=spec.scale.weight,
        quota=_quota(spec, want, view),
    )


def calendar_floor(scale: Scale, now: float) -> int:
    """The most that a window of its calendar asks for now; 0 outside all of them."""
    return max((w.min for w in scale.calendar if _is_open(w.cron, w.zone, w.lasts, now)), default=0)


def calendar_begins_s(scale: Scale, now: float) -> float:
    """How long until the next window of its calendar begins; infinity without one."""
    return min((next_after(parse_cron(w.cron), zone_of(w.zone), now) - now for w in scale.calendar), default=math.inf)


def learnt(look: Look, memory: EndpointMemory) -> EndpointMemory:
    """With what the starts took of the replicas that are ready for the first time."""
    start_s = memory.start_s
    for side, replica in _answering(memory):
        facts = look.sight(side).facts(replica)
        if replica.well_at or facts is None or not facts.started_at or not look.sight(side).is_ready(replica):
            continue
        took_s = max(0.001, look.now - facts.started_at)
        if took_s > START_MAX_S:
            continue
        start_s += (took_s - start_s) * (1.0 if not start_s else SLOWER if took_s > start_s else FASTER)
    return memory if start_s == memory.start_s else replace(memory, start_s=round(start_s, 3))


def _answering(memory: EndpointMemory) -> Iterator[tuple[Side, Replica]]:
    for side in memory.sides:
        if side.name != SHADOW and side.revisions:
            yield from ((side, replica) for replica in side.held.replicas if not replica.is_leaving)


def _is_open(cron: str, zone: str, lasts_s: float, now: float) -> bool:
    return next_after(parse_cron(cron), zone_of(zone), now - lasts_s) <= now


def _quota(spec: EndpointSpec, want: Want[EndpointSpec], view: View[EndpointMemory]) -> Quota | None:
    """That of its queue, where the queue says how many replicas all of its endpoints may have."""
    if spec.queue is None:
        return None
    ref = spec.queue.ref(want.ref.stack)
    outputs = view.needs[ref].outputs if ref in view.needs else {}
    replicas = outputs.get("replicas")
    if not isinstance(replicas, int):
        return None
    return Quota(ref.absolute, replicas, SharedBy(str(outputs.get("shared_by", SharedBy.FAIRNESS))))
