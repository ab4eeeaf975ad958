"""Whom does the plane send requests to, and which replica may stop without losing one? Pure."""

from dataclasses import replace

from weyr.core import replica_set
from weyr.core.capability import Capability
from weyr.core.decision import Ensure, Release
from weyr.core.routes import RouteBody, RouteVersion
from weyr.kinds.ml.endpoint.look import ROUTE, Look
from weyr.kinds.ml.endpoint.memory import EndpointMemory


def reroute(_look: Look, memory: EndpointMemory) -> EndpointMemory:
    """The routing as it should be, under a new number where it differs from the one before."""
    keys = {replica.part: replica.key for replica in memory.replicas}
    routed = tuple((keys[part], part, address) for side in memory.sides for part, address in side.held.routed)
    if routed == memory.routed and memory.route_generation:
        return memory
    return replace(memory, routed=routed, route_generation=memory.route_generation + 1)


def ensured_route(look: Look, memory: EndpointMemory) -> Ensure:
    """The route as a thing. A refused one is asked for again: its name may have become free."""
    thing = look.view.things.get(ROUTE)
    name = f"{look.want.ref.stack}/{look.want.ref.name}"
    replicas = tuple((part, address) for _key, part, address in memory.routed)
    target = memory.side("").wanted.target
    version = RouteVersion(str(target.version), target.local_name, replicas=replicas)
    body = RouteBody(name, (version,), look.spec.hold)
    return Ensure(Capability.TRAFFIC, ROUTE, body, _generation(look, memory), again=bool(thing and thing.refusal))


def has_applied(look: Look, memory: EndpointMemory) -> bool:
    """Whether the plane is seen to send requests as it was told last."""
    return look.route is not None and look.route.generation >= _generation(look, memory)


def stopped(look: Look, memory: EndpointMemory) -> tuple[Release, ...]:
    """Replicas that are over, and leaving ones that the plane has let go of."""
    busy = dict(look.route.replicas) if look.route is not None and has_applied(look, memory) else None
    may_stop = {
        replica.part: replica_set.may_stop(look.sight(side), replica, busy, look.spec.grace)
        for side in memory.sides
        for replica in side.held.replicas
    }
    # Those gone by themselves are among them: only what was released has its meter closed.
    return tuple(Release(part) for part in look.view.things if part != ROUTE and may_stop.get(part, True))


def _generation(look: Look, memory: EndpointMemory) -> int:
    # Counts the spec's changes and the routing's; each only goes up, and so does their sum.
    return look.want.generation * 1_000_000 + memory.route_generation
