"""When does something happen at the simulated engine? Noted when tasks begin and are told to go, so that nobody asks.

It stands before the engine's tasks as a doorbell does in production.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from weyr.core.capability import Answers, Capability, TaskBody, Wanted
from weyr.core.pools import NodeBody
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Seen
from weyr.sim.clock import VirtualClock
from weyr.sim.pool_nodes import SimPoolNodes
from weyr.sim.services import SimRoutes
from weyr.sim.tasks import FOREVER_S, SimTasks

AFTER_S = 0.05
"""How long a doorbell takes. What a start takes until it is ready has it in it, by whomever that was measured."""


@dataclass(slots=True)
class Bells:
    """Moments at which somebody is to look, or something is to be done; those of one moment in the order they came."""

    _heap: list[tuple[float, int, Ref | Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def at(self, moment: float, what: Ref | Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (moment, self._count, what))

    def next(self) -> float:
        return self._heap[0][0] if self._heap else float("inf")

    def rung(self, now: float) -> Iterator[Ref | Callable[[], None]]:
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]


class RingingTasks:
    """The TASKS capability. `began` is told of every task that was taken."""

    capability = Capability.TASKS

    def __init__(self, tasks: SimTasks, bells: Bells, clock: VirtualClock) -> None:
        self._tasks, self._bells, self._clock = tasks, bells, clock
        self.began: Callable[[ThingId, TaskBody], None] = lambda _id, _body: None

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        return self._tasks.observe(ids)

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        fresh = [want for want in wanted if want.id not in self._tasks.starts]
        answers = self._tasks.ensure(wanted)
        for want in fresh:
            if want.id not in answers and isinstance(want.body, TaskBody):
                self.ring(want.id)
                self.began(want.id, want.body)
        return answers

    def release(self, ids: Sequence[ThingId]) -> Answers:
        answers = self._tasks.release(ids)
        for id in ids:
            # That it was told to go wakes its owner anyway, as any answer does.
            self.ring(id, self._clock.now())
        return answers

    def inventory(self) -> Sequence[ThingId]:
        return self._tasks.inventory()

    def ring(self, id: ThingId, since: float = 0.0) -> None:
        """Whoever it belongs to is to look at each of its moments from `since` on; where that is past, at once."""
        moments = self._tasks.moments(id)
        for number, moment in enumerate(moments):
            if since <= moment < FOREVER_S / 2:
                is_ready = number == 1 and len(moments) == 3
                self._bells.at(moment if is_ready else moment + AFTER_S, id.ref)


class ToldRoutes:
    """The TRAFFIC capability. A plane goes by what it is told at once, and not from the next look on."""

    capability = Capability.TRAFFIC

    def __init__(self, routes: SimRoutes) -> None:
        self._routes = routes

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        return self._routes.observe(ids)

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        answers = self._routes.ensure(wanted)
        self._routes.observe([want.id for want in wanted if want.id not in answers])
        return answers

    def release(self, ids: Sequence[ThingId]) -> Answers:
        return self._routes.release(ids)

    def inventory(self) -> Sequence[ThingId]:
        return self._routes.inventory()


class RingingNodes:
    """The NODES capability. `began` is told of every node that was asked for."""

    capability = Capability.NODES

    def __init__(self, nodes: SimPoolNodes, bells: Bells, began: Callable[[ThingId, NodeBody], None]) -> None:
        self._nodes, self._bells, self._began = nodes, bells, began

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        return self._nodes.observe(ids)

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        fresh = [want for want in wanted if not self._nodes.has(str(want.id))]
        answers = self._nodes.ensure(wanted)
        for want in fresh:
            if want.id not in answers and isinstance(want.body, NodeBody):
                self._bells.at(self._nodes.ready_at(want.id) + AFTER_S, want.id.ref)
                self._began(want.id, want.body)
        return answers

    def release(self, ids: Sequence[ThingId]) -> Answers:
        return self._nodes.release(ids)

    def inventory(self) -> Sequence[ThingId]:
        return self._nodes.inventory()
