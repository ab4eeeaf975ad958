"""What is asked of an endpoint? What it tells, so that scheduling can say how many replicas it should have. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from weyr.core.decision import View, Want
from weyr.core.demand import demand_of, quota_of, start_learnt, starts_kept, starts_seen
from weyr.core.replica_set import Replica, Sight
from weyr.core.scaling import Demand
from weyr.kinds.ml.endpoint.look import Look
from weyr.kinds.ml.endpoint.memory import SHADOW, EndpointMemory
from weyr.kinds.ml.endpoint.spec import EndpointSpec


def demand(want: Want[EndpointSpec], view: View[EndpointMemory]) -> Demand | None:
    """What this look tells. None where nothing is known of its route, or there is nothing to choose."""
    spec, memory = want.spec, view.memory
    if spec is None or memory is None or (view.hold and view.hold.lets_go):
        return None
    look = Look(want, spec, view)
    quota = quota_of(spec.queue, want.ref.stack, view.needs)
    if look.route is None or (spec.scale.is_fixed and quota is None):
        return None
    return demand_of(
        spec.scale, look.route, list(_answering(look, memory)), memory.start_s, quota, memory.desired, view.now
    )


def learnt(look: Look, memory: EndpointMemory) -> EndpointMemory:
    """With what the starts took of the replicas that are ready for the first time."""
    if not (seen := starts_seen(list(_answering(look, memory)), look.now)):
        return memory
    return replace(memory, start_s=start_learnt(memory.start_s, seen), starts=starts_kept(memory.starts, seen))


def _answering(look: Look, memory: EndpointMemory) -> Iterator[tuple[Sight, Replica]]:
    for side in memory.sides:
        if side.name != SHADOW and side.revisions:
            yield from ((look.sight(side), replica) for replica in side.held.replicas if not replica.is_leaving)
