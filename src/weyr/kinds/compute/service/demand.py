"""What is asked of a service that scales? What it tells, so that scheduling can say how many replicas it has. Pure."""

from weyr.core.decision import View, Want
from weyr.core.demand import demand_of, quota_of
from weyr.core.replica_set import Replica, ReplicaSet, Sight
from weyr.core.scaling import Demand
from weyr.kinds.compute.service.body import key_of
from weyr.kinds.compute.service.conclude import route_of
from weyr.kinds.compute.service.memory import ServiceMemory
from weyr.kinds.compute.service.spec import ServiceSpec


def demand(want: Want[ServiceSpec], view: View[ServiceMemory]) -> Demand | None:
    """What this look tells. None where it does not scale, or nothing is known of its route."""
    spec, memory, route = want.spec, view.memory, route_of(view.things)
    is_let_go = memory is not None and ((view.hold and view.hold.lets_go) or memory.is_closed)
    if spec is None or spec.scale is None or memory is None or route is None or is_let_go:
        return None
    quota = quota_of(spec.queue, want.ref.stack, view.needs)
    if spec.scale.is_fixed and quota is None:
        return None
    sight = Sight(view.now, view.things, key_of(spec))
    return demand_of(spec.scale, route, staying(sight, memory.held), memory.start_s, quota, memory.desired, view.now)


def staying(sight: Sight, held: ReplicaSet) -> list[tuple[Sight, Replica]]:
    return [(sight, replica) for replica in held.replicas if not replica.is_leaving]
