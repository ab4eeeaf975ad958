"""Who may have to stop for whom, and in which order? Sorted once a tick, however many ask."""

import heapq
import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from weyr.scheduling.queueing.accounts import Account
from weyr.scheduling.queueing.held import Held
from weyr.scheduling.queueing.shapes import Because, Reclaim, Task

if TYPE_CHECKING:
    from weyr.scheduling.queueing.board import Queueing

Costed = tuple[float, float, float, float, str, Held]


class Victims:
    """Takes the board and now, as a tick does."""

    def __init__(self, board: "Queueing", now_s: float) -> None:
        self._board, self._now_s = board, now_s
        self._by_deck: dict[tuple[str, int, int, float | None], list[Costed]] = {}

    def below(self, task: Task, is_guaranteed: bool) -> list[list[Costed]]:
        """Who may have to stop for it, the cheapest of each deck first: never an equal.

        `is_guaranteed`: it is within its queue's guarantee, so what others have borrowed is its own.
        """
        board, policy = self._board, self._board.policy
        level, _ = policy.ranker.level(task, task.attained_s)
        found: list[list[Costed]] = []
        for priority, other, deck in board.decks.of_queue(task.queue):
            if priority < task.priority:
                found.append(self._costed((task.queue, priority, other, math.inf), deck))
            elif policy.is_slicing and priority == task.priority and other > level:
                found.append(self._costed((task.queue, priority, other, policy.turn_loss_max_s), deck))
        mine = board.accounts[task.queue].queue
        is_any = is_guaranteed and mine.reclaims is Reclaim.ANY
        if is_any or (mine.reclaims is Reclaim.LOWER_PRIORITY if is_guaranteed else mine.displaces):
            # What is taken back is taken from whoever has it; what is only outbid may have its reasons to stay.
            loss_max_s = None if is_guaranteed else math.inf
            for name, other_account in board.accounts.items():
                if name != task.queue and other_account.is_borrowing():
                    for priority, other, deck in board.decks.of_queue(name):
                        if is_any or priority < task.priority:
                            found.append(self._costed((name, priority, other, loss_max_s), deck))
        return [deck for deck in found if deck]

    def _costed(self, key: tuple[str, int, int, float | None], deck: Mapping[str, Held]) -> list[Costed]:
        """Those of a deck that may be stopped, sorted once a tick. `key` ends with what each may lose; None: all."""
        if key not in self._by_deck:
            may = (each for each in deck.values() if key[-1] is None or self._may_stop(each, key[-1]))
            self._by_deck[key] = sorted((*self._cost(held), held.task.id, held) for held in may)
        return self._by_deck[key]

    def by_cost(self, decks: list[list[Costed]], but: Collection[str]) -> Iterator[Held]:
        """Those that still run, the cheapest first over all decks, but who is in `but`."""
        for *_, held in heapq.merge(*decks):
            if held.task.id in self._board.decks.all and held.task.id not in but:
                yield held

    def _cost(self, held: Held) -> tuple[float, float, float, float]:
        """The least work lost; of those alike whoever has had most, and then the last to start."""
        return (held.loss_s(self._now_s), -held.level, -held.running.started_s, held.share)

    def _may_stop(self, held: Held, loss_max_s: float) -> bool:
        if not held.task.is_preemptible or held.loss_s(self._now_s) > loss_max_s:
            return False
        guarded_until_s = held.running.started_s + self._board.policy.min_run_s
        if guarded_until_s > self._now_s:
            self._board.guarded_until_s = min(self._board.guarded_until_s, guarded_until_s)
            return False
        return True


def because_of(stopped: Task, heir: Task, is_guaranteed: bool) -> Because:
    if stopped.queue != heir.queue:
        return Because.LENT if is_guaranteed else Because.PRIORITY
    return Because.PRIORITY if stopped.priority < heir.priority else Because.TURN


class Lent:
    """What queues other than `queue` have beyond their guarantees, while some of it is taken back."""

    def __init__(self, accounts: Mapping[str, Account], queue: str) -> None:
        self._accounts, self._queue = accounts, queue
        self._left: dict[str, dict[str, int]] = {}

    def take(self, held: Held) -> bool:
        """Whether it may be taken: it is of the same queue, or its own still has more than its guarantee."""
        queue = held.task.queue
        if queue == self._queue:
            return True
        left = self._left.get(queue) or dict(self._accounts[queue].used)
        if not self._accounts[queue].is_borrowing(left):
            return False
        self._left[queue] = {name: amount - held.demand.get(name, 0) for name, amount in left.items()}
        return True
