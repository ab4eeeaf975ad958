"""The state that decisions are made on. Events go in, decisions come out; the caller carries them out.

Each tick costs what changed and what starts, not what waits. Rebuilt from what waits and runs it decides the same.
"""

import heapq
from collections.abc import Iterable
from dataclasses import replace

from weyr.scheduling.placement import Node, Outlook, Placed
from weyr.scheduling.queueing.accounts import Account, demand_of, dominant_share
from weyr.scheduling.queueing.forecast import starts_s
from weyr.scheduling.queueing.held import Decks, Held
from weyr.scheduling.queueing.lanes import Lane, Lanes
from weyr.scheduling.queueing.nodes import Nodes
from weyr.scheduling.queueing.policy import Policy
from weyr.scheduling.queueing.reserving import Reservation
from weyr.scheduling.queueing.shapes import Decisions, Queue, Running, Task
from weyr.scheduling.queueing.tick import Tick
from weyr.scheduling.queueing.why import Reason, reason_of

SEARCHES_KEPT_MAX = 10_000
OVERDUE = -1
"""The level of who has waited longer than patience."""


class Queueing:
    """All queues over one set of nodes.

    Takes the queues (a task of a queue that is not among them waits for it to be declared; none at all: one without
    limits), the nodes, and what is expected to be asked for, by which nodes are chosen.
    """

    def __init__(
        self,
        queues: Iterable[Queue] = (Queue(""),),
        nodes: Iterable[Node] = (),
        policy: Policy | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.nodes = Nodes(outlook)
        self.accounts: dict[str, Account] = {}
        self._declared: set[str] = set()
        """The queues that there are: in one of which only something runs nobody starts."""
        self.lanes = Lanes()
        self.decks = Decks()
        self.heads: list[Reservation] = []
        """Who is first in line without room, as decided last."""
        self.version = 0
        """One more each time that somebody who waits might start now and could not before."""
        self.searched_s: dict[tuple[object, ...], float] = {}
        """When somebody to stop was last searched for in vain, by what it was for."""
        self.guarded_until_s = float("inf")
        """When the first of those that are too young to be stopped is old enough."""
        self._changes: list[tuple[float, str]] = []
        """When a level changes for somebody else to notice, and whose."""
        self._quiet: list[tuple[float, str]] = []
        """When a level changes for the better of who runs."""
        self.set_queues(queues)
        for node in nodes:
            self.put_node(node)

    # What happened

    def set_queues(self, queues: Iterable[Queue]) -> None:
        """These are the queues now. What runs in one that is gone goes on, and nothing starts in it."""
        named = {queue.name: queue for queue in queues}
        self._declared = set(named)
        for name, account in self.accounts.items():
            account.queue = named.pop(name, Queue(name))
        self.accounts |= {name: Account(queue) for name, queue in named.items()}
        self._change()

    def put_node(self, node: Node, price_micros_per_hour: int = 0, is_open: bool = True) -> None:
        """A node is there, or is other than it was: larger, dearer, closed to anything new or open again."""
        self.nodes.put(node, price_micros_per_hour, is_open)
        self._change()

    def remove_node(self, name: str) -> None:
        """A node is gone. Report the ends of what ran there apart."""
        self.nodes.remove(name)
        self._change()

    def submit(self, task: Task) -> None:
        """A task wants to run. Raises: ValueError where one of that id is known."""
        if task.id in self.lanes or task.id in self.decks.all or task.id in self.decks.stopping:
            raise ValueError(f"{task.id} is in line or runs already")
        level, _ = self.policy.ranker.level(task, task.attained_s)
        self.lanes.add(task, level)
        self.nodes.see(task.request, task.replicas)
        heapq.heappush(self._changes, (self._overdue_s(task), task.id))

    def adopt(self, running: Running) -> None:
        """A task runs already: found after a restart, or started by somebody else."""
        held = self._held(running)
        if running.is_stopping:
            self._account(running.task).add_stopping(held.demand)
            self.decks.stopping[running.task.id] = held
        else:
            self.nodes.hold(running.places)
            self._run(held)

    def end(self, id: str) -> None:
        """It is seen to have ended, or will not be run: its room is free. Nothing where it is not known."""
        self.lanes.remove(id)
        self.lanes.forget(id)
        if id in self.decks.all:
            held = self.decks.remove(id)
            self._account(held.task).add(held.task.user, held.demand, -1)
            self.nodes.give(held.running.places)
        elif id in self.decks.stopping:
            held = self.decks.stopping.pop(id)
            self._account(held.task).add_stopping(held.demand, -1)
        self.version += 1

    def succeeded(self, id: str, at_s: float) -> None:
        """It came to its own end, which is still to be told by `end`: those like it are expected to take as long."""
        held = self.decks.all.get(id)
        if held is not None:
            self.policy.ranker.ended(held.task, held.task.attained_s + at_s - held.running.started_s)

    def checkpoint(self, id: str, at_s: float) -> None:
        """It took a checkpoint, so stopping it costs less."""
        held = self.decks.all.get(id)
        if held is not None:
            running = held.running
            held.running = replace(running, checkpoint_s=at_s)
            if self.policy.is_slicing:
                self.version += 1

    # What to do

    def decide(self, now_s: float) -> Decisions:
        """Who starts and who stops now. Both are taken as done: report ends, and who could not start, by `end`."""
        self._age(now_s)
        if now_s >= self.guarded_until_s:
            self.version += 1
        self.guarded_until_s = float("inf")
        if len(self.searched_s) > SEARCHES_KEPT_MAX:
            self.searched_s.clear()
        return Tick(self, now_s).decisions()

    def why(self, id: str, now_s: float) -> Reason:
        """Why it waits, as of the last decision. Raises: KeyError where it does not wait."""
        return reason_of(self, id, now_s)

    def starts_s(self, id: str, now_s: float) -> float | None:
        """When it should start if nothing new comes; None: nobody knows. Plays on with a copy, so not for every task.

        Limits are taken for durations, then what users expect; of what nothing is known, as long again as it has run.
        """
        return starts_s(self.copy(), id, now_s)

    def copy(self) -> "Queueing":
        """Another board in the same state."""
        declared = [account.queue for name, account in self.accounts.items() if name in self._declared]
        other = Queueing(declared, (), self.policy)
        for free in self.nodes.all():
            other.put_node(free.node, free.price_micros_per_hour, free.is_open)
        for held in (*self.decks.all.values(), *self.decks.stopping.values()):
            is_stopping = held.task.id in self.decks.stopping
            other.adopt(replace(held.running, is_stopping=is_stopping))
        for task in self.lanes.in_order():
            other.submit(task)
        return other

    # What a tick asks and does

    def account(self, lane: Lane) -> Account | None:
        return self.accounts.get(lane.alike.queue) if lane.alike.queue in self._declared else None

    def demand(self, places: Iterable[Placed]) -> dict[str, int]:
        frees = ((placed, self.nodes.free_on(placed.node)) for placed in places)
        return demand_of((placed, free) for placed, free in frees if free is not None)

    def start(self, task: Task, places: tuple[Placed, ...], now_s: float) -> Held:
        """Its room is taken already."""
        self.lanes.remove(task.id)
        held = self._held(Running(task, now_s, places))
        self._run(held)
        return held

    def stop(self, held: Held) -> None:
        id = held.task.id
        self.decks.remove(id)
        self.decks.stopping[id] = held
        account = self._account(held.task)
        account.add(held.task.user, held.demand, -1)
        account.add_stopping(held.demand)
        self.nodes.give(held.running.places)

    def _change(self) -> None:
        self.version += 1
        for account in self.accounts.values():
            account.forget_shares()

    def next_change_s(self) -> float | None:
        return self._changes[0][0] if self._changes else None

    def is_overdue(self, task: Task, now_s: float) -> bool:
        return self._overdue_s(task) <= now_s

    def _overdue_s(self, task: Task) -> float:
        return (task.submitted_s if task.since_s is None else task.since_s) + self.policy.patience_s

    def _run(self, held: Held) -> None:
        task, started_s = held.task, held.running.started_s
        held.level, until_s = self.policy.ranker.level(task, task.attained_s)
        held.until_s = started_s + until_s - task.attained_s
        self._account(task).add(task.user, held.demand)
        self.decks.add(held)
        self._expect(held)

    def _expect(self, held: Held) -> None:
        """Notes when its level changes. To a worse one: somebody may take its place, which is worth a look then."""
        if not self.policy.is_slicing or held.until_s == float("inf"):
            return
        attained_s = held.task.attained_s + held.until_s - held.running.started_s
        level, _ = self.policy.ranker.level(held.task, attained_s)
        heapq.heappush(self._changes if level > held.level else self._quiet, (held.until_s, held.task.id))

    def _held(self, running: Running) -> Held:
        demand = self.demand(running.places)
        return Held(running, demand, dominant_share(demand, self.nodes.total))

    def _account(self, task: Task) -> Account:
        """Of a queue that nobody declared too, where something runs in it."""
        if task.queue not in self.accounts:
            self.accounts[task.queue] = Account(Queue(task.queue))
        return self.accounts[task.queue]

    def _age(self, now_s: float) -> None:
        """Moves who has waited or run long enough to another level."""
        for changes in (self._quiet, self._changes):
            while changes and changes[0][0] <= now_s:
                _, id = heapq.heappop(changes)
                if id in self.lanes and self._overdue_s(self.lanes.tasks[id]) <= now_s:
                    task = self.lanes.remove(id)
                    assert task is not None
                    self.lanes.add(task, OVERDUE)
                elif id in self.decks.all and self.decks.all[id].until_s <= now_s:
                    self._move(self.decks.all[id], now_s)

    def _move(self, held: Held, now_s: float) -> None:
        ran_s = held.task.attained_s + now_s - held.running.started_s
        level, until_s = self.policy.ranker.level(held.task, ran_s)
        # Not before the next moment, whatever is lost in the sums.
        held.until_s = max(now_s + until_s - ran_s, now_s + 1e-3)
        if level > held.level:
            self.version += 1
        if level != held.level:
            self.decks.move(held, level)
        self._expect(held)
