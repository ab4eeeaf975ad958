"""When will there be room for the first in line, and where? What others may not take from it until then."""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weyr.scheduling.placement import Placed, Request
from weyr.scheduling.queueing.held import Held
from weyr.scheduling.queueing.nodes import Free, Nodes


@dataclass(slots=True)
class Kept:
    """A node as it will be then, and how many replicas of the first in line it is kept for."""

    free: Free
    replicas: int
    spare: Free
    """What will be left beside them."""


@dataclass(slots=True)
class Reservation:
    """Room for one task from `from_s` on."""

    id: str
    request: Request
    from_s: float
    nodes: dict[str, Kept]

    def allows(self, request: Request, name: str, replicas: int) -> bool:
        """Whether so many replicas that end nobody knows when could be on that node beside it."""
        kept = self.nodes.get(name)
        return kept is None or kept.spare.count(request, replicas) >= replicas

    def admit(self, places: Iterable[Placed]) -> bool:
        """Lets others have exactly these places, unless the first in line would not fit beside them.

        It is not enough that there will be as many GPUs: a share may lie on one that was to be whole.
        """
        moved = [(self.nodes[placed.node], placed) for placed in places if placed.node in self.nodes]
        for kept, placed in moved:
            kept.free.move(placed, -1)
        if all(kept.free.count(self.request, kept.replicas) >= kept.replicas for kept, _ in moved):
            for kept, _ in moved:
                kept.spare = _beside(kept.free, self.request, kept.replicas)
            return True
        for kept, placed in moved:
            kept.free.move(placed, 1)
        return False


def _beside(free: Free, request: Request, replicas: int) -> Free:
    spare = free.copy()
    for _ in range(replicas):
        spare.fill(request)
    return spare


def reserve(
    nodes: Nodes,
    id: str,
    request: Request,
    replicas: int,
    models: Sequence[str | None],
    held: Iterable[Held],
    now_s: float,
) -> Reservation | None:
    """The earliest time at which the task fits, if all that runs ends when it has to. None: never, on these nodes."""
    ends = [(each.bound_s(now_s), each.task.id, each) for each in held]
    heapq.heapify(ends)
    found = [_on_model(nodes, id, request, replicas, model, list(ends), now_s) for model in models]
    return min((each for each in found if each), key=lambda each: each.from_s, default=None)


def _on_model(
    nodes: Nodes,
    id: str,
    request: Request,
    replicas: int,
    model: str | None,
    ends: list[tuple[float, str, Held]],
    now_s: float,
) -> Reservation | None:
    room = nodes.count(request, model, replicas)
    later: dict[str, Free] = {}
    """Nodes as they will be."""
    of_use = nodes.of_use(request, model)
    from_s = now_s
    while ends and room < replicas:
        from_s, _, running = heapq.heappop(ends)
        if from_s == math.inf:
            break
        for placed in running.running.places:
            if placed.node not in of_use:
                continue
            free = later.get(placed.node)
            if free is None:
                now = nodes.free_on(placed.node)
                assert now is not None, f"{placed.node} is of use and is not there"
                free = later[placed.node] = now.copy()
            before = free.count(request, replicas)
            free.move(placed, 1)
            room += free.count(request, replicas) - before
    if room < replicas:
        return None
    return Reservation(id, request, from_s, _kept(nodes, request, replicas, model, later))


def _kept(nodes: Nodes, request: Request, replicas: int, model: str | None, later: dict[str, Free]) -> dict[str, Kept]:
    """Puts the replicas where most of them fit, so that few nodes are kept."""
    of_use = nodes.of_use(request, model)
    useful = (free for free in nodes.all() if free.node.name in of_use)
    rooms = [later.get(free.node.name) or free for free in useful]
    counted = [(free.count(request, replicas), n) for n, free in enumerate(rooms)]
    kept: dict[str, Kept] = {}
    left = replicas
    for count, n in sorted(counted, key=lambda each: (-each[0], each[1])):
        if not left:
            break
        mine = min(count, left)
        free = rooms[n].copy()
        kept[free.node.name] = Kept(free, mine, _beside(free, request, mine))
        left -= mine
    return kept
