"""In which turn is a task, given how long it has run? Levels: a lower one goes first, within one priority.

A level holds until the task has run for so long, so nothing has to be sorted anew while time goes by.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

from weyr.scheduling.placement.values import DEVICE_MILLI
from weyr.scheduling.queueing.nodes import slice_milli
from weyr.scheduling.queueing.shapes import Task

LEVEL_S = 3600.0
"""The first level ends after one hour of one GPU."""
LEVEL_TIMES = 4.0
"""Each level lasts four times as long as the one before: a few hundred GPU-hours are five levels."""
LEVELS_MAX = 12
REMEMBERED_MAX = 50
"""So many earlier runs of one kind are remembered: their median is what the next is thought to take."""
KINDS_MAX = 100_000


class Ranker(Protocol):
    def level(self, task: Task, attained_s: float) -> tuple[int, float]:
        """The task's level once it has run for `attained_s`, and until when it has it (in seconds that it ran)."""
        ...

    def ended(self, task: Task, ran_s: float) -> None:
        """It came to its own end after running for so long in all."""
        ...


@dataclass(frozen=True, slots=True)
class InOrder:
    """First come, first served."""

    def level(self, task: Task, attained_s: float) -> tuple[int, float]:
        return 0, math.inf

    def ended(self, task: Task, ran_s: float) -> None:
        """Nothing to be learnt from it."""


@dataclass(frozen=True, slots=True)
class LeastAttained:
    """Who has had least goes first: levels by GPU-seconds (core-seconds, of what uses no GPU) had so far."""

    bounds: tuple[float, ...] = (11_520.0,)

    def level(self, task: Task, attained_s: float) -> tuple[int, float]:
        width = width_of(task)
        for n, bound in enumerate(self.bounds):
            if attained_s * width < bound:
                return n, bound / width
        return len(self.bounds), math.inf

    def ended(self, task: Task, ran_s: float) -> None:
        """Nothing to be learnt from it."""


@dataclass(slots=True)
class History:
    """How long do tasks of a kind take? As long as the median of its last runs: tell it of each that `ended`."""

    _ran_s: dict[tuple[object, ...], deque[float]] = field(default_factory=dict)
    """By kind, the least lately used first."""

    def ended(self, task: Task, ran_s: float) -> None:
        """It came to its own end after running for so long in all: not what was stopped or failed."""
        for kind in _kinds(task):
            ran = self._ran_s.pop(kind, None)
            if ran is None:
                ran = deque(maxlen=REMEMBERED_MAX)
            self._ran_s[kind] = ran
            ran.append(ran_s)
        while len(self._ran_s) > KINDS_MAX:
            del self._ran_s[next(iter(self._ran_s))]

    def expected_s(self, task: Task) -> float | None:
        """By its earlier runs if there are any, else by those of its user that are as large, else as its user says."""
        for kind in _kinds(task):
            if kind in self._ran_s:
                return median(self._ran_s[kind])
        return task.expected_s


@dataclass(frozen=True, slots=True)
class LeastExpected:
    """Who has had least, or is expected to need least, goes first: the default.

    Levels by GPU-seconds (core-seconds, of what uses no GPU): what it has had or is expected to need, the larger.
    What nothing is known of is taken for short until it has proved long.
    """

    history: History = field(default_factory=History)

    def level(self, task: Task, attained_s: float) -> tuple[int, float]:
        width = width_of(task)
        needed_s = max(attained_s, self.history.expected_s(task) or 0.0)
        bound_s = LEVEL_S / width
        for level in range(LEVELS_MAX):
            if needed_s < bound_s:
                return level, bound_s
            bound_s *= LEVEL_TIMES
        return LEVELS_MAX, math.inf

    def ended(self, task: Task, ran_s: float) -> None:
        self.history.ended(task, ran_s)


def width_of(task: Task) -> float:
    """How many GPUs (or cores, where it uses no GPU) it occupies."""
    request = task.request
    share_milli = request.share_milli or (slice_milli(request.profile) if request.profile else 0)
    per_replica = request.devices * DEVICE_MILLI + share_milli or request.cpu_milli
    return max(task.replicas * per_replica / DEVICE_MILLI, 1 / DEVICE_MILLI)


def _kinds(task: Task) -> tuple[tuple[object, ...], ...]:
    """What its earlier runs are found by, the closest first."""
    alike = (task.queue, task.user, task.request, task.replicas)
    return ((*alike, task.name), alike) if task.name else (alike,)
