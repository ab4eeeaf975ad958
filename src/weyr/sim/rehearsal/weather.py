"""What befalls tasks and nodes in a rehearsal? Spot capacity that comes and goes by a trace, and losses by chance."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from weyr.core.capability import TaskBody
from weyr.core.pools import Market, NodeBody
from weyr.core.ref import Ref, ThingId
from weyr.reconcile.world import World
from weyr.sim.chance import chance_of
from weyr.sim.engine import SimEngine
from weyr.sim.rehearsal.bells import Bells, RingingTasks
from weyr.sim.rehearsal.setting import Setting
from weyr.store.kernel import ThingRow


@dataclass(slots=True)
class NodeSpans:
    """For how long a pool had nodes of this sort: begun and gone, by node."""

    body: NodeBody
    began: dict[ThingId, float] = field(default_factory=dict)
    gone: dict[ThingId, float] = field(default_factory=dict)

    def total_s(self, end: float) -> float:
        return sum(max(0.0, min(self.gone.get(id, end), end) - at) for id, at in self.began.items())


class Weather:
    """`stir` tells an object that something happened to it."""

    def __init__(
        self,
        setting: Setting,
        engine: SimEngine,
        tasks: RingingTasks,
        bells: Bells,
        world: World,
        stir: Callable[[Ref], None],
    ) -> None:
        self.setting, self.engine, self.tasks, self.bells = setting, engine, tasks, bells
        self.world, self.stir, self.clock = world, stir, engine.clock
        self.node_spans: dict[Ref, NodeSpans] = {}
        self._lives: dict[str, random.Random] = {}
        engine.pool_nodes.granted_at, engine.pool_nodes.on_gone = self._granted_at, self._node_gone

    def begin(self) -> None:
        """From here on spot comes and goes."""
        if self.setting.spot is not None:
            self._plan_flip(0.0)

    def spot_s(self) -> float:
        """How long until there is spot capacity."""
        spot, at_s = self.setting.spot, self.clock.now() - self.setting.began_at
        return spot.next_there(at_s) - at_s if spot else 0.0

    def task_began(self, id: ThingId, body: TaskBody) -> None:
        """What runs on a pool's node is lost with that."""
        if not body.node:
            self._doom(str(id.ref), lambda: self._lose_task(id))

    def node_began(self, id: ThingId, body: NodeBody) -> None:
        self.node_spans.setdefault(id.ref, NodeSpans(body)).began[id] = self._granted_at(body)
        self._doom("node", lambda: self._lose_node(id))

    def _doom(self, concern: str, lose: Callable[[], None]) -> None:
        if not self.setting.mtbf_s:
            return
        chance = self._lives.setdefault(concern, chance_of(self.setting.seed, f"failures/{concern}"))
        self.bells.at(self.clock.now() + chance.expovariate(1 / self.setting.mtbf_s), lose)

    def _lose_task(self, id: ThingId) -> None:
        if self.world.thing(id) is not None:
            self.engine.tasks.lose(id)
            self.tasks.ring(id)

    def _lose_node(self, id: ThingId) -> None:
        if self.engine.pool_nodes.has(str(id)):
            self.engine.pool_nodes.lose(id)
            self._tell_all_on(id)

    def _node_gone(self, id: ThingId) -> None:
        self.node_spans[id.ref].gone[id] = self.clock.now()

    # --- spot

    def _granted_at(self, body: NodeBody) -> float:
        return self.clock.now() + (self.spot_s() if body.market is Market.SPOT else 0.0)

    def _plan_flip(self, after_s: float) -> None:
        assert self.setting.spot is not None, "there is no spot trace"
        at_s = self.setting.spot.next_flip(after_s)
        if at_s < self.setting.length_s:
            self.bells.at(self.setting.began_at + at_s, lambda: self._flip(at_s))

    def _flip(self, at_s: float) -> None:
        """Capacity has come or gone; where it has gone, whoever is on spot has notice."""
        spot, notice_s = self.setting.spot, self.setting.notice_s
        assert spot is not None, "there is no spot trace"
        if not spot.is_there(at_s + 1e-3):
            for thing in list(self._things()):
                match thing.body:
                    case TaskBody(is_spot=True, node="") if self._is_here(thing.id):
                        if self.engine.tasks.reclaim(thing.id, notice_s):
                            self.tasks.ring(thing.id)
                            self.stir(thing.id.ref)
                    case NodeBody(market=Market.SPOT):
                        self._reclaim_node(thing.id, notice_s)
        self._plan_flip(at_s)

    def _reclaim_node(self, id: ThingId, notice_s: float) -> None:
        if self.engine.pool_nodes.reclaim(id, notice_s):
            self.engine.tasks.reclaim_all_on(str(id), notice_s)
            self._tell_all_on(id)
            self.bells.at(self.clock.now() + notice_s, id.ref)

    # --- whom it concerns

    def _things(self) -> Iterator[ThingRow]:
        return (thing for parts in self.world.things.values() for thing in parts.values())

    def _is_here(self, id: ThingId) -> bool:
        """Whether the engine has it: one that stands in line has nothing that could be taken away."""
        return id in self.engine.tasks.starts and not self.engine.tasks.node_of(id)

    def _tell_all_on(self, node: ThingId) -> None:
        self.stir(node.ref)
        for thing in list(self._things()):
            if thing.id in self.engine.tasks.starts and self.engine.tasks.node_of(thing.id) == str(node):
                self.tasks.ring(thing.id)
