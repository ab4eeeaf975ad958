"""Who has room, when may it end, and what would be lost by stopping it?"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from weyr.scheduling.queueing.shapes import Running, Task

SOONEST_S = 60.0
"""What is known to run on beyond its expected end, or has just begun with none known, is thought to take so long."""


@dataclass(slots=True, eq=False)
class Held:
    """A running task with what decisions ask of it. Each is itself: comparing their fields took most of long ticks."""

    running: Running
    demand: dict[str, int]
    share: float
    """The part of all nodes that it occupies."""
    level: int = 0
    until_s: float = math.inf
    """When its level changes."""
    ends_s: float | None = None
    """By when it must have ended; never, where it runs for good. None: nobody says."""

    def __post_init__(self) -> None:
        task = self.running.task
        if task.is_standing:
            self.ends_s = math.inf
        elif task.limit_s is not None:
            self.ends_s = self.running.started_s + task.limit_s

    @property
    def task(self) -> Task:
        return self.running.task

    def loss_s(self, now_s: float) -> float:
        """Seconds of work since its last checkpoint."""
        since = self.running.started_s if self.running.checkpoint_s is None else self.running.checkpoint_s
        return max(now_s - since, 0.0)

    def bound_s(self, now_s: float) -> float:
        """By when it will have ended: by its limit where it has one, else a guess.

        What nothing is known of is thought to run as long again as it has: half of what has run for an hour ends
        within the next, as measured of jobs everywhere.
        """
        if self.ends_s is not None:
            return self.ends_s if self.ends_s > now_s else now_s
        task, ran_s = self.running.task, max(now_s - self.running.started_s, 0.0)
        if task.expected_s is not None and task.expected_s > task.attained_s + ran_s:
            return now_s + task.expected_s - task.attained_s - ran_s
        return now_s + max(ran_s, SOONEST_S)


class Decks:
    """All that run, by queue, priority and level: who may have to stop for whom is found without looking at each."""

    def __init__(self) -> None:
        self.all: dict[str, Held] = {}
        self.stopping: dict[str, Held] = {}
        """Their room is given away already."""
        self._decks: dict[tuple[str, int, int], dict[str, Held]] = {}

    def add(self, held: Held) -> None:
        self.all[held.task.id] = held
        self._deck(held)[held.task.id] = held

    def remove(self, id: str) -> Held:
        held = self.all.pop(id)
        key = (held.task.queue, held.task.priority, held.level)
        del self._decks[key][id]
        if not self._decks[key]:
            del self._decks[key]
        return held

    def move(self, held: Held, level: int) -> None:
        self.remove(held.task.id)
        held.level = level
        self.add(held)

    def of_queue(self, queue: str) -> Iterator[tuple[int, int, dict[str, Held]]]:
        """Each deck of the queue with its priority and level."""
        return ((priority, level, deck) for (name, priority, level), deck in self._decks.items() if name == queue)

    def _deck(self, held: Held) -> dict[str, Held]:
        return self._decks.setdefault((held.task.queue, held.task.priority, held.level), {})
