"""Whom does the plane send requests to, and which replica may stop without losing one? Pure."""

from dataclasses import replace

from weyr.core.capability import Capability, RouteBody
from weyr.core.decision import Ensure, Release
from weyr.core.moment import is_awaited
from weyr.kinds.ml.endpoint.look import ROUTE, Look
from weyr.kinds.ml.endpoint.memory import EndpointMemory, Replica


def reroute(look: Look, memory: EndpointMemory) -> EndpointMemory:
    """The routing as it should be, under a new number where it differs from the one before.

    A replica that nobody has news of keeps what it had: silence is no reason to send nobody anywhere. So
    does one whose probe is late while no other is ready; the plane itself leaves alone what refuses it.
    """
    staying = [replica for replica in memory.replicas if not replica.is_leaving]
    had = dict(memory.routed)
    chosen = [replica for replica in staying if look.is_ready(replica) or _is_kept(look, replica, had)]
    if not chosen:
        chosen = [replica for replica in staying if look.is_running(replica) and replica.part in had]
    routed = tuple((replica.part, _address(look, replica, had)) for replica in chosen)
    if routed == memory.routed and memory.route_generation:
        return memory
    return replace(memory, routed=routed, route_generation=memory.route_generation + 1)


def ensured_route(look: Look, memory: EndpointMemory) -> Ensure:
    """The route as a thing. A refused one is asked for again: its name may have become free."""
    thing = look.view.things.get(ROUTE)
    name = f"{look.want.ref.stack}/{look.want.ref.name}"
    body = RouteBody(name, look.target.local_name, memory.routed, look.spec.hold)
    return Ensure(Capability.TRAFFIC, ROUTE, body, _generation(look, memory), again=bool(thing and thing.refusal))


def has_applied(look: Look, memory: EndpointMemory) -> bool:
    """Whether the plane is seen to send requests as it was told last."""
    return look.route is not None and look.route.generation >= _generation(look, memory)


def stopped(look: Look, memory: EndpointMemory) -> tuple[Release, ...]:
    """Replicas that are over, and leaving ones that the plane has let go of."""
    known = {replica.part: replica for replica in memory.replicas}
    # Those gone by themselves are among them: only what was released has its meter closed.
    parts = [part for part in look.view.things if part != ROUTE]
    return tuple(Release(part) for part in parts if part not in known or _may_stop(look, memory, known[part]))


def _may_stop(look: Look, memory: EndpointMemory, replica: Replica) -> bool:
    if not replica.is_leaving or look.route is None or not has_applied(look, memory):
        return False
    is_idle = dict(look.route.replicas).get(replica.part, 0) == 0
    # A request that never ends must not keep an old version, and its price, for ever.
    return is_idle or not is_awaited(replica.left_at + look.spec.grace, look.now, look.spec.grace)


def _is_kept(look: Look, replica: Replica, had: dict[str, str]) -> bool:
    return replica.part in had and look.is_silent(replica)


def _address(look: Look, replica: Replica, had: dict[str, str]) -> str:
    facts = look.facts(replica)
    return facts.address if facts else had[replica.part]


def _generation(look: Look, memory: EndpointMemory) -> int:
    # Counts the spec's changes and the routing's; each only goes up, and so does their sum.
    return look.want.generation * 1_000_000 + memory.route_generation
