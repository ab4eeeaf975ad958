"""How many replicas should each side of an endpoint have? The load's count, shared out. Pure."""

import math

from weyr.core.decision import allowed
from weyr.core.demand import count_of, floor_of, quota_of
from weyr.core.unchanged import changed
from weyr.kinds.ml.endpoint.demand import learnt
from weyr.kinds.ml.endpoint.look import Look
from weyr.kinds.ml.endpoint.memory import MAIN, NEXT, SHADOW, EndpointMemory, Side
from weyr.kinds.ml.endpoint.progress import replicas_of_next
from weyr.kinds.ml.endpoint.wanted import serving


def sized(look: Look, memory: EndpointMemory) -> EndpointMemory:
    """Every side with the count of replicas that it should have now."""
    memory = changed(learnt(look, memory), desired=_desired(look, memory))
    if memory.rollout:
        main, side = _beside(look, memory)
        return memory.with_sides(*_others(look, memory), main, side)
    return memory.with_sides(*_others(look, memory))


def is_retiring(look: Look, side: Side) -> bool:
    """Whether the file names it no more: it answers until those that it names do."""
    return side.name not in look.found and side.name not in (NEXT,)


def _desired(look: Look, memory: EndpointMemory) -> int:
    """How many there should be that answer: none while the stack may not spend, else what the load asks for."""
    quota, scale = quota_of(look.spec.queue, look.want.ref.stack, look.view.needs), look.spec.scale
    wanted = count_of(scale, quota, look.view.advice, memory.desired, look.now)
    return allowed(look.view.hold, wanted, memory.desired, floor_of(scale, look.now))


def _beside(look: Look, memory: EndpointMemory) -> tuple[Side, Side]:
    """The old and the new replicas of a rollout.

    There are as many new ones as the step needs, and all old ones, but for what the surge does not allow; then an old
    one goes for each new one that is ready, so that as many as are wanted answer.
    """
    rollout, spec, total = memory.rollout, look.spec.rollout, memory.desired
    main, side = memory.side(MAIN), memory.side(NEXT)
    assert rollout is not None, "nothing is on its way"
    needed = replicas_of_next(look, memory)
    surge, unavailable = (0, 1) if rollout.is_cramped else (spec.surge_of(total), spec.unavailable)
    ready = len(side.ready(look.sight(side)))
    old = min(total, max(total - ready - unavailable, total + surge - needed, 0))
    room = total + surge - len(main.held.replicas) + (main.desired - old if main.desired > old else 0)
    had = sum(not replica.is_leaving for replica in side.held.replicas)
    new = min(needed, max(room, had, 0)) if rollout.is_cramped or surge < total else needed
    return changed(main, desired=old), changed(side, desired=new)


def _others(look: Look, memory: EndpointMemory) -> list[Side]:
    total, is_taken_over = memory.desired, _is_taken_over(look, memory)
    weights = {name: variant.weight for name, variant in look.spec.variants.items()}
    sides: list[Side] = []
    for side in memory.sides:
        if side.name == NEXT or (side.name == MAIN and memory.rollout):
            continue
        if is_retiring(look, side):
            count = 0 if is_taken_over or side.name == SHADOW else side.desired
        elif side.name == MAIN:
            count = total
        else:
            weight = weights.get(side.name, 0) / (sum(weights.values()) or 1)
            part = look.spec.shadow.sample if side.name == SHADOW and look.spec.shadow else weight
            # One that is reached by rules alone needs somebody, too.
            count = max(1, math.ceil(total * part)) if total else 0
        sides.append(changed(side, desired=0 if look.view.hold and look.view.hold.lets_go else count))
    return sides


def _is_taken_over(look: Look, memory: EndpointMemory) -> bool:
    """Whether every side that is to answer does, so that those that the file names no more can go."""
    sides = [memory.side(name) for name in serving(look.spec) if name in look.found]
    return bool(sides) and all(
        side.revisions and len(side.ready(look.sight(side))) >= min(1, memory.desired) for side in sides
    )
