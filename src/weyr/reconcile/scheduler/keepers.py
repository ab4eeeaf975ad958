"""What do kinds hear of queues, pools and nodes? Three small providers over the scheduler's board."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from weyr.core.capability import Answers, Capability, Provider, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.pools import NodeBody, NodeFacts, NodeUse, PoolBody, PoolFacts, QueueBody, QueueFacts
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, Present, Seen, Unknown, newer_than
from weyr.reconcile.scheduler.demand import nodes_lacking
from weyr.reconcile.scheduler.groups import Stage
from weyr.reconcile.scheduler.shapes import MIB
from weyr.reconcile.scheduler.tasks import ScheduledTasks
from weyr.scheduling.queueing import CPU, GPU, MEMORY
from weyr.scheduling.queueing.nodes import Free
from weyr.store.kernel import ThingRow


@dataclass
class _Declared(ABC):
    """What is declared of queues and pools takes effect at once, and is nowhere else."""

    tasks: ScheduledTasks
    known: Iterable[ThingRow]
    _bodies: dict[ThingId, Wanted] = field(default_factory=dict, init=False)
    capability: Capability = field(init=False)

    def __post_init__(self) -> None:
        for want in _kept(self.known, self.capability):
            self._bodies[want.id] = want
            self._declare(want)

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        with self.tasks.lock:
            for want in wanted:
                self._bodies[want.id] = want
                self._declare(want)
        self.tasks.step()
        return {}

    def release(self, ids: Sequence[ThingId]) -> Answers:
        with self.tasks.lock:
            for id in ids:
                if self._bodies.pop(id, None):
                    self._retract(id)
        self.tasks.step()
        return {}

    def inventory(self) -> Sequence[ThingId]:
        return list(self._bodies)

    @abstractmethod
    def _declare(self, want: Wanted) -> None: ...

    @abstractmethod
    def _retract(self, id: ThingId) -> None: ...


@dataclass
class Queues(_Declared):
    """The QUEUES capability."""

    capability: Capability = field(default=Capability.QUEUES, init=False)

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        with self.tasks.lock:
            return {id: self._seen(id) for id in ids}

    def _declare(self, want: Wanted) -> None:
        assert isinstance(want.body, QueueBody), f"{want.id} is no queue"
        self.tasks.board.put_queue(want.id.ref.absolute, want.body)

    def _retract(self, id: ThingId) -> None:
        self.tasks.board.put_queue(id.ref.absolute, None)

    def _seen(self, id: ThingId) -> Seen:
        want = self._bodies.get(id)
        if want is None:
            return Absent()
        name, board = id.ref.absolute, self.tasks.board
        mine = [group for group in board.groups.values() if group.body.queue == name]
        waiting = sum(group.stage in (Stage.WAITING, Stage.GATHERING) for group in mine)
        account = board.queueing.accounts.get(name)
        return Present(QueueFacts(dict(account.used) if account else {}, len(mine) - waiting, waiting), want.generation)


@dataclass
class Pools(_Declared):
    """The POOLS capability: what a pool's nodes do, and how many more what waits would fill."""

    offers: Callable[[NodeBody, str], tuple[str, ...]] | None = None
    """The nodes that a cluster has for a pool, as `NodeEngines.offered`; None where there are no clusters."""
    fresh: Callable[[NodeBody], NodeBody] | None = None
    """What a node would have that were made now, where its pool leaves that to the machine: `LocalNodes.fresh`."""
    idle_since: dict[ThingId, float] = field(default_factory=dict, init=False)
    """By node: since when there is no task on it, as far as this server knows."""
    capability: Capability = field(default=Capability.POOLS, init=False)

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        offered, fresh = {id: self._offered(id) for id in ids}, self._fresh() if ids else {}
        with self.tasks.lock:
            lacking = nodes_lacking(self.tasks.board, fresh) if ids else {}
            return {id: self._seen(id, lacking, *offered[id]) for id in ids}

    def _offered(self, id: ThingId) -> tuple[tuple[str, ...] | None, str]:
        """What a cluster has for this pool, or why nobody knows. An engine is asked: not under the lock."""
        want = self._bodies.get(id)
        if want is None or not isinstance(want.body, PoolBody) or not want.body.node.engine or self.offers is None:
            return None, ""
        try:
            return self.offers(want.body.node, id.ref.stack), ""
        except EngineSilent as e:
            return None, str(e)

    def _fresh(self) -> dict[str, NodeBody]:
        """By pool, where the machine is asked; not under the lock. Of a machine that is silent nothing is known."""
        found: dict[str, NodeBody] = {}
        for id, want in list(self._bodies.items()):
            if self.fresh and isinstance(want.body, PoolBody) and want.body.node.is_left_to_the_machine:
                with suppress(EngineSilent):
                    found[id.ref.absolute] = self.fresh(want.body.node)
        return found

    def _declare(self, want: Wanted) -> None:
        assert isinstance(want.body, PoolBody), f"{want.id} is no pool"
        self.tasks.board.put_pool(want.id.ref.absolute, want.body)

    def _retract(self, id: ThingId) -> None:
        self.tasks.board.put_pool(id.ref.absolute, None)

    def _seen(self, id: ThingId, lacking: Mapping[str, int], offered: tuple[str, ...] | None, trouble: str) -> Seen:
        want = self._bodies.get(id)
        if want is None:
            return Absent()
        board, name, now = self.tasks.board, id.ref.absolute, self.tasks.now()
        uses = []
        for node in sorted(node for node in board.nodes if node.ref == id.ref):
            tasks = len(board.on(str(node)))
            if tasks:
                self.idle_since.pop(node, None)
            else:
                self.idle_since.setdefault(node, now)
            free = board.queueing.nodes.free_on(str(node))
            uses.append(NodeUse(node.part, tasks, self.idle_since.get(node), _amounts(free) if free else {}))
        waiting = sum(
            len(group.members)
            for group in board.groups.values()
            if group.stage is Stage.WAITING and group.body.pool == name
        )
        facts = PoolFacts(lacking.get(name, 0), waiting, tuple(uses), offered, trouble)
        return Present(facts, want.generation)


@dataclass(slots=True)
class Nodes:
    """The NODES capability, the engines' own (`nodes`), with the board told of what is seen.

    A node that is to go takes nothing new at once, and goes when nothing is on it any more.
    """

    nodes: Provider
    tasks: ScheduledTasks
    known: Iterable[ThingRow]
    capability: Capability = Capability.NODES
    _bodies: dict[ThingId, NodeBody] = field(default_factory=dict, init=False)
    _told_at: dict[ThingId, float] = field(default_factory=dict, init=False)
    _closed: set[ThingId] = field(default_factory=set, init=False)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.tasks.now()
        for row in self.known:
            if row.capability is self.capability and isinstance(row.body, NodeBody):
                self._bodies[row.id] = row.body
                self.tasks.board.expected.add(row.id)
                if row.is_released:
                    self._closed.add(row.id)

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        found = self.nodes.observe(ids)
        seen = {id: newer_than(self._told_at.get(id, self._began), each) for id, each in found.items()}
        with self.tasks.lock:
            for id, each in seen.items():
                self._note(id, each)
        self.tasks.step()
        return seen

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        with self.tasks.lock:
            for want in wanted:
                assert isinstance(want.body, NodeBody), f"{want.id} is no node"
                self._bodies[want.id] = want.body
                self._told_at[want.id] = self.tasks.now()
        return self.nodes.ensure(wanted)

    def release(self, ids: Sequence[ThingId]) -> Answers:
        answers: dict[ThingId, Refused | Unknown] = {}
        with self.tasks.lock:
            for id in ids:
                self._close(id)
                if self.tasks.board.on(str(id)) or self.tasks.board.unsure:
                    answers[id] = Unknown("there are tasks on it, or nobody knows yet whether there are")
        free = [id for id in ids if id not in answers]
        return answers | dict(self.nodes.release(free)) if free else answers

    def inventory(self) -> Sequence[ThingId]:
        return self.nodes.inventory()

    def _close(self, id: ThingId) -> None:
        self._closed.add(id)
        if id in self.tasks.board.nodes:
            node = self.tasks.board.nodes[id]
            self.tasks.board.put_node(id, node.body, node.facts, is_closed=True)

    def _note(self, id: ThingId, found: Seen) -> None:
        board = self.tasks.board
        match found:
            case Present(facts=NodeFacts() as facts) if id in self._bodies:
                board.put_node(id, self._bodies[id], facts, is_closed=id in self._closed)
            case Absent():
                board.drop_node(id)
                self.tasks.node_is_gone(str(id))
                self._closed.discard(id)
            case Unknown() if id in board.nodes:
                board.put_node(id, board.nodes[id].body, board.nodes[id].facts, is_closed=True)
            case _:
                return


def _amounts(free: Free) -> dict[str, int]:
    """What is left of a node, as queues count it."""
    found = {CPU: free.cpu_milli, MEMORY: free.memory_mib * MIB}
    return found | ({GPU: sum(free.devices)} if free.devices else {})


def _kept(known: Iterable[ThingRow], capability: Capability) -> Iterable[Wanted]:
    """What the store knows to be wanted of a capability, be it that the server died before it said so here."""
    for row in known:
        if row.capability is capability and row.body is not None and not row.is_released:
            yield Wanted(row.id, row.generation, row.body)
