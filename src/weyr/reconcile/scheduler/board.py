"""What is known of tasks, nodes and queues, and what follows from it? The state behind the scheduler's providers.

Everything here is quick and asks no engine: it is done under a lock, so that `weyr why` may look at any time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from weyr.core.capability import TaskBody, Wanted
from weyr.core.pools import Market, NodeBody, NodeFacts, NodeState, PoolBody, QueueBody
from weyr.core.priorities import PriorityClass
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import TaskFacts
from weyr.reconcile.scheduler.bodies import put
from weyr.reconcile.scheduler.groups import Group, Member, Stage, group_id, rank_of, size_of
from weyr.reconcile.scheduler.market import Markets, is_bounded, label_of
from weyr.reconcile.scheduler.shapes import (
    MIB,
    SPOT_LABEL,
    here_node,
    here_of,
    is_pooled,
    mib,
    names_of,
    node_of,
    placed_as,
    queue_of,
    request_of,
    urgency_of,
)
from weyr.scheduling.placement import Placed, Request
from weyr.scheduling.queueing import Decisions, Lacking, Policy, Queue, Queueing, Running, Task

BOUNDLESS = 10**15
NOWHERE = "?"
"""No queue is called so."""


@dataclass(frozen=True, slots=True)
class _NodeState:
    """A node as it was seen last. `is_closed`: it is to go, or nobody knows how it is; `is_open`: things may start."""

    body: NodeBody
    facts: NodeFacts
    is_closed: bool
    is_open: bool


class Board:
    """Groups of tasks over nodes.

    Takes the room of this machine for tasks of no pool, and whether pools' nodes are slices of it. `key_of` gives the
    key of an engine, as a stack means it by its name; `owner_of` whose an object is, "" for its stack's.
    """

    key_of: Callable[[str, str], str] = staticmethod(lambda stack, engine: engine)
    owner_of: Callable[[Ref], str] = staticmethod(lambda _: "")

    def __init__(self, cpu: float, memory_bytes: int, is_sliced: bool = False, policy: Policy | None = None) -> None:
        self.cpu, self.memory_bytes, self.is_sliced = cpu, memory_bytes, is_sliced
        self.queueing = Queueing([Queue("")], [], policy)
        self.queues: dict[str, QueueBody] = {}
        self.groups: dict[str, Group] = {}
        self.members: dict[ThingId, Member] = {}
        self.busy: dict[str, Group] = {}
        """The groups of which engines have to be told something: few, where many wait."""
        self.nodes: dict[ThingId, _NodeState] = {}
        self.pools: dict[str, PoolBody] = {}
        self.expected: set[ThingId] = set()
        """Nodes that are known from before a restart and have not been seen yet."""
        self.unsure: set[ThingId] = set()
        """Tasks that may be on some pool's node, nobody knows which: until that is seen nothing starts in pools."""
        self.lacking: tuple[Lacking, ...] = ()
        self.again_s: float | None = None
        self.is_dirty = True
        self.markets = Markets()
        self._engines: set[str] = set()
        self._largest = 1
        """How many there are in the largest gang so far: each of it needs a part of the machine, however small."""
        self._standing: dict[str, tuple[int, int]] = {}
        """CPU and memory of those on this machine that stand for good, by group."""
        self._stands: tuple[int, int] = (0, 0)
        """The sum of them."""
        self._past: dict[Ref, tuple[float, float]] = {}
        """Since when an object stood in line whose attempt had to stop, and how long it ran for good."""
        self._open_here("")

    # --- tasks

    def join(self, want: Wanted, now: float) -> Group:
        """A task becomes a member of its group, which may be a new one."""
        body = want.body
        assert isinstance(body, TaskBody), f"{want.id} is no task"
        id = group_id(want.id, body)
        group = self.groups.get(id)
        if group is None:
            since_s, attained_s = self._past.pop(want.id.ref, (now, 0.0))
            group = self.groups[id] = Group(id, size_of(body), min(since_s, now), now, attained_s)
        self.members[want.id] = group.members[rank_of(body)] = Member(want, id)
        if group.size > self._largest:
            self._largest = group.size
            self._resize_here()
        if is_bounded(body):
            self.markets.bounded[id], self.markets.look_at = group, now
        return group

    def line_up(self, group: Group) -> None:
        """It stands in line as soon as it is whole."""
        if group.stage is Stage.GATHERING and len(group.members) == group.size:
            self._submit(group)

    def change(self, member: Member, want: Wanted) -> None:
        """What is wanted of one that waits is another now."""
        member.want, group = want, self.groups[member.group]
        if group.stage is Stage.WAITING:
            self._submit_again(group)

    def group_of(self, id: ThingId) -> Group | None:
        member = self.members.get(id)
        return self.groups.get(member.group) if member else None

    def adopt(self, group: Group, now: float) -> None:
        """It is at the engine already, its members at their places."""
        self._open_here(group.body.engine)
        places = tuple(member.place for member in group.in_order if member.place and not member.is_over)
        group.stage, task = Stage.TOLD, self._task(group)
        if not is_pooled(group.body):
            # As it was let in: what stands for good takes its room by making the machine smaller, not beside that.
            places = tuple(replace(place, request=task.request) for place in places)
        self.queueing.adopt(Running(replace(task, replicas=len(places)), now, places))
        self._stand(group)
        self.is_dirty = True

    def withdraw(self, id: ThingId) -> None:
        """A task leaves; what is left of its gang waits until it is whole again."""
        group = self.groups[self.members.pop(id).group]
        group.members = {rank: member for rank, member in group.members.items() if member.want.id != id}
        self._end(group)
        group.stage, group.after = Stage.GATHERING, set()
        if not group.members:
            self.forget(group)

    def over(self, id: ThingId) -> None:
        """A task that was told of is seen to have ended, or to be gone. Its room is free once all of its gang are."""
        group = self.group_of(id)
        if group is not None:
            self.members[id].is_over = True
            if group.is_over:
                self.forget(group)

    def forget(self, group: Group) -> None:
        self._end(group)
        for member in group.members.values():
            self.members.pop(member.want.id, None)
        self.groups.pop(group.id, None)
        self.markets.bounded.pop(group.id, None)
        for other in self.busy.values() if group.is_stopping else ():
            other.after.discard(group.id)

    def interrupted(self, ref: Ref, since_s: float, attained_s: float) -> None:
        """Its next attempt stands where this one stood."""
        self._past[ref] = since_s, attained_s

    def resubmit(self, group: Group) -> None:
        """It was thought to run, and does not: it stands in line again."""
        self._end(group)
        group.stage = Stage.GATHERING
        for member in group.members.values():
            member.told_at, member.is_accepted, member.is_over, member.place = None, False, False, None
        self.line_up(group)

    def weigh(self, now: float) -> list[Group]:
        """Lets those with a deadline choose between spot and on demand. Gives those that are to go on elsewhere."""
        movers = []
        for group, runs in self.markets.weigh(self.pools, now):
            if group.stage is Stage.WAITING and group.spot != label_of(runs):
                group.spot = label_of(runs)
                self._submit_again(group)
            elif group.stage is Stage.TOLD and group.body.checkpoint and group.spot != label_of(runs):
                movers.append(group)
        return movers

    def decide(self, now: float) -> Decisions:
        """Who starts and who stops; what is decided is taken as done."""
        found = self.queueing.decide(now)
        self.lacking, self.again_s, self.is_dirty = found.lacking, found.again_s, False
        for stop in found.preemptions:
            group = self.busy[stop.id] = self.groups[stop.id]
            group.heir, group.is_stopping = stop.heir, True
        for start in found.starts:
            group = self.busy[start.id] = self.groups[start.id]
            group.stage = Stage.CHOSEN
            group.after = {id for id in start.after if id in self.groups}
            for member, place in zip(group.in_order, start.places, strict=True):
                member.place = place
        for start in found.starts:
            self._stand(self.groups[start.id])
        return found

    def class_of(self, body: TaskBody) -> PriorityClass | None:
        """How urgent a task is; None: its queue has no such class."""
        return urgency_of(body, self.queues.get(body.queue))

    def filled(self, member: Member) -> Wanted:
        """A member with its place, as the engine is told of it."""
        if member.body.priority_class and (urgency := self.class_of(member.body)):
            member.want = replace(member.want, body=replace(member.body, priority=urgency.value))
        member.want = self.placed(member.want, member.place)
        return member.want

    def placed(self, want: Wanted, place: Placed | None) -> Wanted:
        """A task at its place. Which of a node's devices it gets is a cluster's to say: there they are only counted."""
        body = want.body
        assert isinstance(body, TaskBody), f"{want.id} is no task"
        id = ThingId.parse(place.node) if place and is_pooled(body) else None
        node = self.nodes.get(id) if id else None
        if id is None or place is None or node is None:
            return want
        engine = self.key_of(id.ref.stack, node.body.engine) if node.body.engine else body.engine
        devices = names_of(place, node.body, node.facts)
        return replace(want, body=replace(body, node=place.node, devices=devices, engine=engine))

    def place_of(self, body: TaskBody, ref: Ref, facts: TaskFacts) -> Placed:
        """Where a task is that an engine tells of."""
        request = request_of(body, ref.stack)
        name = facts.node if is_pooled(body) else here_of(body.engine)
        node = self.nodes.get(ThingId.parse(name)) if name and is_pooled(body) else None
        if node is None:
            return Placed(request, name)
        return placed_as(
            request, node_of(ThingId.parse(name), node.body, node.facts), facts.devices, node.body, node.facts
        )

    # --- nodes, queues and pools

    def put_node(self, id: ThingId, body: NodeBody, facts: NodeFacts, is_closed: bool = False) -> None:
        """A node is there, as it is now."""
        self.expected.discard(id)
        is_open = facts.state is NodeState.READY and not is_closed and not self.unsure
        state = _NodeState(body, facts, is_closed, is_open)
        if self.nodes.get(id) != state:
            self.nodes[id] = state
            if body.market is Market.SPOT and (facts.notice_at is not None or is_open):
                self.markets.note(id.ref.stack, facts.notice_at is None)
            price = body.price_micros_per_hour or 0
            self.queueing.put_node(node_of(id, body, facts), price, state.is_open)
            self._slices_changed()

    def drop_node(self, id: ThingId) -> None:
        self.expected.discard(id)
        node = self.nodes.pop(id, None)
        if node is not None:
            if node.body.market is Market.SPOT and not node.is_closed:
                self.markets.note(id.ref.stack, False)
            self.queueing.remove_node(str(id))
            self._slices_changed()

    def put_queue(self, name: str, body: QueueBody | None) -> None:
        """A queue is there, is other than it was, or (`None`) is gone."""
        if put(self.queues, name, body):
            declared = [queue_of(queue, each) for queue, each in self.queues.items()]
            self.queueing.set_queues([Queue(""), *declared])
            for group in [each for each in self.groups.values() if each.stage is Stage.WAITING]:
                if group.body.queue == name:
                    self._submit_again(group)  # its priority classes may be others now
            self.is_dirty = True

    def put_pool(self, name: str, body: PoolBody | None) -> None:
        """As `put_queue`."""
        put(self.pools, name, body)

    def settle(self, id: ThingId) -> None:
        """It is known where this task is; once it is of all, the pools' nodes may be open."""
        if id in self.unsure:
            self.unsure.discard(id)
            for node_id, node in list(self.nodes.items()) if not self.unsure else ():
                self.put_node(node_id, node.body, node.facts, node.is_closed)

    def on(self, node: str) -> list[Member]:
        """Those that are, or are about to be, on a node."""
        placed = (member for member in self.members.values() if member.place is not None and not member.is_over)
        return [member for member in placed if member.place and member.place.node == node]

    # --- within

    def _submit(self, group: Group) -> None:
        self._open_here(group.body.engine)
        group.stage = Stage.WAITING
        self.queueing.submit(self._waiting(group))
        self.is_dirty = True

    def _submit_again(self, group: Group) -> None:
        """It may need something else now, and keeps its turn."""
        if self.queueing.lanes.tasks[group.id] != self._waiting(group):
            self.queueing.end(group.id)
            self._submit(group)

    def _waiting(self, group: Group) -> Task:
        """Of a priority that its queue has not heard of, it waits, as for a queue that nobody declared."""
        task = self._task(group)
        return task if self.class_of(group.body) else replace(task, queue=NOWHERE)

    def _task(self, group: Group) -> Task:
        body, ref = group.body, group.ref
        queue, urgency = self.queues.get(body.queue), self.class_of(body) or PriorityClass(0)
        return Task(
            group.id,
            self.request(group),
            group.size,
            queue=body.queue,
            user=self.owner_of(ref) or ref.stack,
            name=ref.absolute,
            priority=urgency.value,
            preempts=urgency.preempts,
            submitted_s=group.since_s,
            since_s=group.again_since_s,
            limit_s=body.time_limit_s,
            expected_s=body.expected_s,
            attained_s=group.attained_s,
            is_preemptible=queue is not None and queue.is_preemptible and not body.probe,
            is_standing=bool(body.probe),
        )

    def request(self, group: Group) -> Request:
        body = group.body
        request = request_of(body, group.ref.stack)
        if group.spot:
            request = replace(request, labels=request.labels | {(SPOT_LABEL, group.spot)})
        if is_pooled(body) or body.engine:
            return request
        if self._is_unbounded(group):
            return Request(labels=request.labels)
        # Larger than the machine, all of it together: it runs alone.
        cpu_milli, memory_mib = (left // group.size for left in self._left_here())
        return replace(
            request, cpu_milli=min(request.cpu_milli, cpu_milli), memory_mib=min(request.memory_mib, memory_mib)
        )

    def _is_unbounded(self, group: Group) -> bool:
        """What stands for good on this machine waits for nobody: the replica that it replaces goes only once it is
        ready, so on a full machine both would wait for ever. It takes its room from those that end."""
        body = group.body
        return bool(body.probe) and not body.queue and not is_pooled(body) and not body.engine

    def _stand(self, group: Group) -> None:
        if self._is_unbounded(group) and group.id not in self._standing:
            body = group.body
            each = self._standing[group.id] = round(body.cpu * 1000), mib(body.memory_bytes or 0)
            self._stands = self._stands[0] + each[0], self._stands[1] + each[1]
            self._resize_here()

    def _end(self, group: Group) -> None:
        self.queueing.end(group.id)
        self.busy.pop(group.id, None)
        self.is_dirty = True
        if each := self._standing.pop(group.id, None):
            self._stands = self._stands[0] - each[0], self._stands[1] - each[1]
            self._resize_here()

    def _left_here(self) -> tuple[int, int]:
        """Thousandths of CPUs and MiB for those that end: one of them may always run, whatever stands beside it."""
        cpu, memory = round(self.cpu * 1000) - self._stands[0], self.memory_bytes // MIB - self._stands[1]
        for node in self.nodes.values() if self.is_sliced else ():
            if node.body.engine:
                continue  # it is another machine
            cpu -= round((node.facts.cpu or node.body.cpu) * 1000)
            memory -= mib(node.facts.memory_bytes or node.body.memory_bytes)
        return max(cpu, self._largest), max(memory, self._largest)

    def _slices_changed(self) -> None:
        self.is_dirty = True
        if self.is_sliced:
            self._resize_here()

    def _resize_here(self) -> None:
        self.queueing.put_node(here_node("", *self._left_here()))
        for group in [each for each in self.groups.values() if each.stage is Stage.WAITING]:
            if self.queueing.lanes.tasks[group.id].request != self.request(group):
                self._submit_again(group)
        self.is_dirty = True

    def _open_here(self, engine: str) -> None:
        """This machine, or an engine that places by itself: one node without bounds."""
        if engine in self._engines:
            return
        self._engines.add(engine)
        if engine:
            self.queueing.put_node(here_node(engine, BOUNDLESS, BOUNDLESS))
        else:
            self._resize_here()
