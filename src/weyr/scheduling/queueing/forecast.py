"""When should a task start? The same decisions played forward, each running task ending when it is expected to."""

import heapq
from typing import TYPE_CHECKING

from weyr.scheduling.queueing.held import SOONEST_S

if TYPE_CHECKING:
    from weyr.scheduling.queueing.board import Queueing

TASKS_MAX = 1_000
"""With more than so many in line or running it would take longer than somebody who asks wants to wait."""


def starts_s(board: "Queueing", id: str, now_s: float) -> float | None:
    """When it should start if nothing new comes; None: not before all that is known of has ended, or too many to play.

    Takes a board of its own, see `Queueing.copy`: it is played with.
    """
    if len(board.lanes) + len(board.decks.all) > TASKS_MAX:
        return None
    ends: list[tuple[float, str]] = []
    for held in board.decks.all.values():
        heapq.heappush(ends, (max(held.bound_s(now_s), now_s), held.task.id))
    for stopping in list(board.decks.stopping):
        board.end(stopping)
    while True:
        found = board.decide(now_s)
        for each in found.preemptions:
            # What is stopped comes back, but that is after this one has had its turn.
            board.end(each.id)
        for start in found.starts:
            if start.id == id:
                return now_s
            task = board.decks.all[start.id].task
            expected_s = task.limit_s or task.expected_s or SOONEST_S
            heapq.heappush(ends, (now_s + expected_s, start.id))
        if not ends or ends[0][0] == float("inf"):
            return None
        now_s = ends[0][0]
        while ends and ends[0][0] <= now_s:
            board.end(heapq.heappop(ends)[1])
