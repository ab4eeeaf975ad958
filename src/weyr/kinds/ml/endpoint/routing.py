"""Whom does the plane send requests to, and which replica may stop without losing one? Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from weyr.core import replica_set
from weyr.core.capability import Capability
from weyr.core.decision import Ensure, Release
from weyr.core.demand import slots_of
from weyr.core.routes import RouteBody, RouteVersion
from weyr.kinds.ml.endpoint.look import ROUTE, Look
from weyr.kinds.ml.endpoint.memory import MAIN, NEXT, SHADOW, EndpointMemory, Side
from weyr.kinds.ml.endpoint.progress import share_of_next
from weyr.kinds.ml.endpoint.sizes import is_retiring
from weyr.kinds.ml.endpoint.spec import EndpointSpec
from weyr.kinds.ml.endpoint.traffic import keyless_of, traffic_of
from weyr.kinds.ml.endpoint.watching import watch_of

WHOLE = 10_000
"""The sum of all weights: a step of 0.01 % is the smallest."""


def reroute(look: Look, memory: EndpointMemory) -> EndpointMemory:
    """The routing as it should be, under a new number where it differs from the one before."""
    told = tuple(_versions(look, memory))
    watch, keyless = watch_of(look.want.ref, look.spec.watch, look.view.needs), keyless_of(look)
    if (told, watch, keyless) == (memory.told, memory.watch, memory.keyless) and memory.route_generation:
        return memory
    generation = memory.route_generation + 1
    return replace(memory, told=told, watch=watch, keyless=keyless, route_generation=generation)


def ensured_route(look: Look, memory: EndpointMemory) -> Ensure:
    """The route as a thing. A refused one is asked for again: its name may have become free."""
    thing = look.view.things.get(ROUTE)
    name = f"{look.want.ref.stack}/{look.want.ref.name}"
    spec, traffic = look.spec, traffic_of(look, memory)
    limits, wakes_as = spec.route_limits, _wakes_as(spec)
    slots = slots_of(spec.scale)
    body = RouteBody(
        name, memory.told, spec.hold, traffic, limits, memory.watch, wakes_as, spec.grpc, slots, is_model=True
    )
    return Ensure(Capability.TRAFFIC, ROUTE, body, _generation(look, memory), again=bool(thing and thing.refusal))


def _wakes_as(spec: EndpointSpec) -> Literal["", "server", "program"]:
    """What somebody may have to wait for until it has begun. In a sandbox or an image all begins anew."""
    if spec.scale.min or spec.sandbox or spec.image:
        return ""
    if spec.run is None and spec.engine is None:
        return "server"
    return "program" if spec.engine or spec.listens == "port" else ""


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


def _versions(look: Look, memory: EndpointMemory) -> Iterator[RouteVersion]:
    weights = _weights(look, memory)
    for side in memory.sides:
        if not side.revisions or (is_retiring(look, side) and not side.held.routed):
            continue
        groups = _groups(side)
        count = sum(len(replicas) for replicas in groups.values())
        for name, replicas in groups.items():
            weight = round(weights[side.name] * len(replicas) / count) if count else weights[side.name]
            yield RouteVersion(name, side.wanted.model, weight, replicas)


def _groups(side: Side) -> dict[str, tuple[tuple[str, str], ...]]:
    """The routed replicas of a side by what reports call them: a variant is one, whatever version it is at."""
    if side.name not in (MAIN, NEXT):
        return {side.name: side.held.routed}
    names = {replica.part: side.revision(replica).name for replica in side.held.replicas}
    groups: dict[str, tuple[tuple[str, str], ...]] = {}
    for part, address in side.held.routed:
        groups[names[part]] = (*groups.get(names[part], ()), (part, address))
    return groups or {side.wanted.name: ()}


def _weights(look: Look, memory: EndpointMemory) -> dict[str, int]:
    """Each side's share of WHOLE. What is on its way has none while nobody of it answers."""
    new = round(WHOLE * share_of_next(look, memory)) if memory.side(NEXT).held.routed else 0
    parts = {name: variant.weight for name, variant in look.spec.variants.items()}
    answering = [s for s in memory.sides if not is_retiring(look, s) and s.name != SHADOW and s.held.routed]
    weights: dict[str, int] = {}
    for side in memory.sides:
        if side.name == SHADOW:
            weights[side.name] = 0
        elif is_retiring(look, side):
            weights[side.name] = 0 if answering else WHOLE
        elif side.name == NEXT:
            weights[side.name] = new
        elif side.name == MAIN:
            weights[side.name] = WHOLE - new
        else:
            weights[side.name] = round(WHOLE * parts[side.name] / (sum(parts.values()) or 1))
    return weights


def _generation(look: Look, memory: EndpointMemory) -> int:
    # Counts the spec's changes and the routing's; each only goes up, and so does their sum.
    return look.want.generation * 1_000_000 + memory.route_generation
