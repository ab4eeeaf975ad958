"""When will there be room for the first in line, and where? What others may not take from it until then."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weyr.scheduling.queueing.held import Held
from weyr.scheduling.queueing.nodes import Free, Nodes, suits
from weyr.scheduling.queueing.shapes import Need, Place


@dataclass(slots=True)
class Reservation:
    """Room for one task from `from_s` on."""

    id: str
    from_s: float
    spare: dict[str, Free]
    """What will be left then of the nodes it goes to."""

    def allows(self, need: Need, free: Free, replicas: int) -> bool:
        """Whether so many replicas that end nobody knows when may be on that node beside it."""
        spare = self.spare.get(free.node.name)
        return spare is None or spare.count(need, replicas) >= replicas

    def take(self, need: Need, places: Iterable[Place]) -> None:
        """Others took that of what is left."""
        for place in places:
            if place.node in self.spare:
                self.spare[place.node].take(need)


def reserve(
    nodes: Nodes, id: str, need: Need, replicas: int, models: Sequence[str | None], held: Iterable[Held], now_s: float
) -> Reservation | None:
    """The earliest time at which the task fits, if all that runs ends when it has to. None: never, on these nodes."""
    running = list(held)
    ends = sorted(
        ((each.bound_s(now_s), n) for n, each in enumerate(running)), key=lambda e: (e[0], running[e[1]].task.id)
    )
    found = [_on_model(nodes, id, need, replicas, model, ends, running) for model in models]
    return min((each for each in found if each), key=lambda each: each.from_s, default=None)


def _on_model(
    nodes: Nodes,
    id: str,
    need: Need,
    replicas: int,
    model: str | None,
    ends: Sequence[tuple[float, int]],
    running: Sequence[Held],
) -> Reservation | None:
    room = nodes.room_for(need, model, replicas)
    later: dict[str, Free] = {}
    """Nodes as they will be."""
    from_s = ends[0][0] if ends else 0.0
    for end_s, n in ends:
        if room >= replicas or end_s == math.inf:
            break
        from_s = end_s
        for place in running[n].running.places:
            free = later.get(place.node) or nodes.free_on(place.node)
            if free is None or not suits(need, free.node) or (model is not None and free.node.model != model):
                continue
            if place.node not in later:
                later[place.node] = free = free.copy()
            before = free.count(need, replicas)
            free.give(running[n].task.need, place)
            room += free.count(need, replicas) - before
    if room < replicas:
        return None
    return Reservation(id, from_s, _spare(nodes, need, replicas, model, later))


def _spare(nodes: Nodes, need: Need, replicas: int, model: str | None, later: dict[str, Free]) -> dict[str, Free]:
    """Puts the replicas where most of them fit, so that few nodes are kept. Gives those, as they are then."""
    rooms = [later.get(free.node.name) or free for free in nodes.all() if model is None or free.node.model == model]
    counted = [(free.count(need, replicas), n) for n, free in enumerate(rooms)]
    spare: dict[str, Free] = {}
    left = replicas
    for count, n in sorted(counted, key=lambda each: (-each[0], each[1])):
        if not left:
            break
        spare[rooms[n].node.name] = free = rooms[n].copy()
        for _ in range(min(count, left)):
            free.take(need)
        left -= min(count, left)
    return spare
