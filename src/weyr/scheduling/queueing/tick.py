"""One decision: who of those that wait starts now, and who of those that run stops for them."""

import heapq
import math
from collections.abc import Collection
from typing import TYPE_CHECKING

from weyr.scheduling.placement import Placed, Request
from weyr.scheduling.placement.values import DEVICE_MILLI
from weyr.scheduling.queueing.accounts import OF_USER, Account
from weyr.scheduling.queueing.lanes import Lane
from weyr.scheduling.queueing.lines import Line
from weyr.scheduling.queueing.nodes import MIB, slice_milli
from weyr.scheduling.queueing.preempting import cheapest
from weyr.scheduling.queueing.reserving import Reservation, reserve
from weyr.scheduling.queueing.shapes import (
    CPU,
    GPU,
    MEMORY,
    MONEY,
    Backfill,
    Decisions,
    Lacking,
    Preemption,
    Start,
    Task,
    gpu_of,
)
from weyr.scheduling.queueing.verdicts import Behind, NoQueue, NoRoom, OverLimit, Verdict
from weyr.scheduling.queueing.victims import Lent, Victims, because_of

if TYPE_CHECKING:
    from weyr.scheduling.queueing.board import Queueing

SEARCHES_MAX = 8
"""So many searches for somebody to stop may be in vain in one tick: each looks at all that run in a queue."""
HEIRS_MAX = 32
"""So many may have others stopped for them in one tick; but for those within their queue's guarantee."""
SEARCHED_AGAIN_S = 60.0
"""What was not searched for lately has as many searches apart, so that all have their turn."""


class Tick:
    """Takes the board, which is changed by what is decided, and now."""

    def __init__(self, board: "Queueing", now_s: float) -> None:
        self._board, self._now_s = board, now_s
        self._starts: list[Start] = []
        self._preemptions: list[Preemption] = []
        self._head: Reservation | None = None
        self._kept: dict[str, Reservation] = {}
        """Of who was first in line before."""
        self._patient: dict[tuple[str, str | None], Behind] = {}
        """By queue, or one user of it: who has waited so long for a limit that nobody may pass."""
        self._verdicts: dict[tuple[object, ...], Verdict] = {}
        self._started: set[str] = set()
        self._no_room: set[tuple[Request, int, str | None, bool]] = set()
        self._heirs = 0
        self._put_off_s = math.inf
        """When to look for whom this tick had no time for."""
        self._searches = {False: 0, True: 0}
        """In vain, by whether the same was searched for lately."""
        self._victims = Victims(board, now_s)
        self._no_victims: set[tuple[str, int, Request, int]] = set()

    def decisions(self) -> Decisions:
        """Tries the first of each lane in the order of turns, until none is left that could start."""
        board = self._board
        self._kept, board.heads = {head.id: head for head in board.heads}, []
        lanes: dict[str, list[Lane]] = {}
        for lane in board.lanes.lanes.values():
            lanes.setdefault(lane.alike.queue, []).append(lane)
        lines = {name: self._line(name, each) for name, each in lanes.items()}
        queues = [(line.key(), name) for name, line in lines.items()]
        heapq.heapify(queues)
        while queues and len(self._starts) < board.policy.starts_max:
            key, name = queues[0]
            line = lines[name]
            current = line.key()
            if current > key:
                heapq.heapreplace(queues, (current, name))
                continue
            self._first_of(line)
            if self._head is not None and board.policy.backfill is Backfill.NONE:
                break
            if line:
                heapq.heapreplace(queues, (line.key(), name))
            else:
                heapq.heappop(queues)
        return Decisions(tuple(self._starts), tuple(self._preemptions), self._lacking(), self._again_s())

    def _line(self, name: str, lanes: list[Lane]) -> Line:
        board = self._board
        return Line(lanes, board.accounts.get(name), board.policy.fairness, board.nodes.total, board.lanes)

    def _first_of(self, line: Line) -> None:
        """Tries the first lane of a queue, which leaves the line unless it has another that could start."""
        lane = line.settle()
        if lane is None:
            return
        if lane.tried_at == self._board.version:
            self._still(lane)
        else:
            queue, user = lane.alike.queue, lane.alike.user
            lane.verdict = self._patient.get((queue, None)) or self._patient.get((queue, user)) or self._try(lane)
            lane.tried_at = self._board.version
        if isinstance(lane.verdict, OverLimit):
            self._keep_limit(lane, lane.verdict)
        if lane.verdict is None:
            lane.tried_at = -1
        line.next(is_again=lane.verdict is None and lane.size > 0)

    def _keep_limit(self, lane: Lane, over: OverLimit) -> None:
        """Who has waited for its queue's limit longer than patience is passed by nobody of that queue: else smaller
        ones would use up for ever what comes free."""
        board = self._board
        task = board.lanes.tasks[board.lanes.first(lane)[2]]
        account = board.account(lane)
        if account is None or not board.is_overdue(task, self._now_s):
            return
        demands = [self._least_demand(task, model) for model in board.nodes.models_for(task.request)]
        if any(Account(account.queue).passed(task.user, demand) == "" for demand in demands):
            is_users = all(name.endswith(OF_USER) for name in over.names)
            self._patient.setdefault((task.queue, task.user if is_users else None), Behind(task.id, None))

    def _still(self, lane: Lane) -> None:
        """Nothing has happened that could let it start. If it was first in line, it still is."""
        if not self._kept or self._head is not None:
            return
        head = self._kept.get(self._board.lanes.first(lane)[2])
        if head is not None:
            self._head = head
            self._board.heads.append(head)

    def _try(self, lane: Lane) -> Verdict | None:
        """Starts the lane's first, or says why not."""
        board = self._board
        account = board.account(lane)
        if account is None:
            return NoQueue()
        task = board.lanes.tasks[board.lanes.first(lane)[2]]
        alike = (task.queue, task.priority, task.preempts, task.request, task.replicas, self._is_bound(task))
        if alike in self._verdicts:
            return self._verdicts[alike]
        verdict = self._try_models(account, task)
        if isinstance(verdict, NoRoom | Behind) and self._is_bound(task) == alike[-1]:
            self._verdicts[alike] = verdict
        return verdict

    def _is_bound(self, task: Task) -> bool:
        """Whether it may take only what the first in line does not need."""
        head = self._head
        return head is not None and not (task.limit_s is not None and self._now_s + task.limit_s <= head.from_s)

    def _try_models(self, account: Account, task: Task) -> Verdict | None:
        board = self._board
        over: set[str] = set()
        is_without_room = False
        for model in board.nodes.models_for(task.request):
            verdict = self._start(account, task, model)
            match verdict:
                case None:
                    return None
                case OverLimit(names):
                    over.update(names)
                case _:
                    is_without_room = True
        if over and not is_without_room:
            return OverLimit(tuple(sorted(over)))
        if is_without_room and self._preempt(account, task):
            return None
        return self._wait(task)

    def _passed(self, account: Account, task: Task, model: str | None) -> str:
        """Which limit it would pass on nodes of that model. What it costs is known once it has its nodes."""
        return account.passed(task.user, self._least_demand(task, model))

    def _least_demand(self, task: Task, model: str | None) -> dict[str, int]:
        """As far as it is known before it has its nodes: not what it costs, nor a share of a device by memory."""
        request = task.request
        milli = request.devices * DEVICE_MILLI + request.share_milli
        milli += slice_milli(request.profile) if request.profile else 0
        demand = {CPU: request.cpu_milli, MEMORY: request.memory_mib * MIB, GPU: milli}
        if model is not None:
            demand[gpu_of(request.profile or model)] = milli
        return {name: amount * task.replicas for name, amount in demand.items() if amount}

    def _most_demand(self, task: Task, model: str | None) -> dict[str, int]:
        """What it may come to on whichever nodes of that model."""
        demand = self._least_demand(task, model)
        queue = self._board.accounts[task.queue].queue
        if MONEY in queue.limit or MONEY in queue.user_limit:
            demand[MONEY] = self._board.nodes.dearest_micros(task.request, model) * task.replicas
        if task.request.share_memory_mib:
            demand[GPU] = demand[gpu_of(model or "")] = DEVICE_MILLI * task.replicas
        return demand

    def _start(self, account: Account, task: Task, model: str | None, but: Collection[str] = ()) -> Verdict | None:
        """Starts it on nodes of that model, others than `but`, or says what is in the way there."""
        board, head = self._board, self._head
        passed = self._passed(account, task, model)
        if passed:
            return OverLimit((passed,))
        is_bound = self._is_bound(task)
        shape = (task.request, task.replicas, model, is_bound)
        if shape in self._no_room:
            return NoRoom()

        def may_go(name: str, replicas: int) -> bool:
            return name not in but and (head is None or head.allows(task.request, name, replicas))

        places = board.nodes.take(task.request, task.replicas, model, may_go if is_bound else None)
        if places is None:
            self._no_room.add(shape)
            return NoRoom()
        demand = board.demand(places)
        passed = account.passed(task.user, demand)
        if passed:
            board.nodes.give(places)
            return OverLimit((passed,))
        if head is not None and is_bound and not head.admit(places):
            board.nodes.give(places)
            self._no_room.add(shape)
            return NoRoom()
        after = tuple(sorted(self._must_end(account, task, demand, places)))
        board.start(task, places, self._now_s)
        self._starts.append(Start(task.id, places, after))
        self._started.add(task.id)
        return None

    def _must_end(self, account: Account, task: Task, demand: dict[str, int], places: tuple[Placed, ...]) -> set[str]:
        """Who of those that are being stopped is still where it goes, or still counts against its queue."""
        stopping = self._board.decks.stopping
        if not stopping:
            return set()
        nodes = {placed.node for placed in places}
        found = {id for id, held in stopping.items() if nodes & {placed.node for placed in held.running.places}}
        if account.passed(task.user, demand, is_stopping_counted=True):
            found |= {id for id, held in stopping.items() if held.task.queue == task.queue}
        return found

    def _preempt(self, account: Account, task: Task) -> bool:
        """Stops what costs least to let it start. Nothing is stopped unless it then starts."""
        board = self._board
        signature = (task.queue, task.priority, task.request, task.replicas)
        if not task.preempts or signature in self._no_victims:
            return False
        is_repeated = board.searched_s.get(signature, -math.inf) + SEARCHED_AGAIN_S > self._now_s
        is_guaranteed = self._is_guaranteed(account, task)
        if not is_guaranteed and (self._searches[is_repeated] >= SEARCHES_MAX or self._heirs >= HEIRS_MAX):
            self._put_off_s = min(self._put_off_s, self._now_s + (SEARCHED_AGAIN_S if is_repeated else 1.0))
            return False
        decks = self._victims.below(task, is_guaranteed)
        but = () if self._head is None else tuple(self._head.nodes)
        for model in board.nodes.models_for(task.request) if decks else ():
            if account.passed(task.user, self._most_demand(task, model)):
                continue
            lent = Lent(board.accounts, task.queue)
            chosen = cheapest(
                board.nodes,
                task.request,
                task.replicas,
                model,
                self._victims.by_cost(decks, self._started),
                lent.take,
                but,
            )
            if chosen is None:
                continue
            for held in chosen:
                loss_s = held.loss_s(self._now_s) * held.share
                self._preemptions.append(
                    Preemption(held.task.id, task.id, because_of(held.task, task, is_guaranteed), loss_s)
                )
                board.stop(held)
            self._heirs += 1
            self._no_room.clear()
            self._verdicts.clear()
            verdict = self._start(account, task, model, but)
            assert verdict is None, f"{task.id}: {verdict} after {[held.task.id for held in chosen]} had to stop"
            return True
        self._no_victims.add(signature)
        if decks:
            self._searches[is_repeated] += 1
            board.searched_s[signature] = self._now_s
        return False

    def _is_guaranteed(self, account: Account, task: Task) -> bool:
        demand = [self._least_demand(task, model) for model in self._board.nodes.models_for(task.request)[:1]]
        return any(account.is_guaranteed(each) for each in demand)

    def _wait(self, task: Task) -> Verdict:
        """It has no room. The first such keeps what it will need from those behind it."""
        board, policy = self._board, self._board.policy
        is_keeping = policy.backfill is not Backfill.ANY or board.is_overdue(task, self._now_s)
        if self._head is None and is_keeping:
            models = board.nodes.models_for(task.request)
            running = board.decks.all.values()
            self._head = reserve(board.nodes, task.id, task.request, task.replicas, models, running, self._now_s)
            if self._head is not None:
                board.heads.append(self._head)
            return NoRoom()
        if self._head is not None and self._fits(task):
            return Behind(self._head.id, self._head.from_s)
        return NoRoom()

    def _fits(self, task: Task) -> bool:
        """Whether it would start but for the room that is kept for the first in line."""
        for model in self._board.nodes.models_for(task.request):
            shape = (task.request, task.replicas, model, False)
            if shape not in self._no_room:
                if self._board.nodes.count(task.request, model, task.replicas) >= task.replicas:
                    return True
                self._no_room.add(shape)
        return False

    def _lacking(self) -> tuple[Lacking, ...]:
        found: dict[tuple[Request, int], int] = {}
        for lane in self._board.lanes.lanes.values():
            if isinstance(lane.verdict, NoRoom):
                shape = (lane.alike.request, lane.alike.replicas)
                found[shape] = found.get(shape, 0) + lane.size
        return tuple(Lacking(request, replicas, tasks) for (request, replicas), tasks in found.items())

    def _again_s(self) -> float | None:
        """Only while somebody waits, when something changes by itself."""
        board = self._board
        if not board.lanes:
            return None
        if len(self._starts) >= board.policy.starts_max:
            return self._now_s
        # Whom this tick had no time for is tried again then, as are those that are old enough to be stopped by then.
        board.guarded_until_s = min(board.guarded_until_s, self._put_off_s)
        times = [board.guarded_until_s, board.next_change_s() or math.inf]
        soonest = min(times)
        return None if soonest == math.inf else max(soonest, self._now_s)
