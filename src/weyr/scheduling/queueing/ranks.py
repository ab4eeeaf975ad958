"""In which turn is a task, given how long it has run? Levels: a lower one goes first, within one priority.

A level holds until the task has run for so long, so nothing has to be sorted anew while time goes by.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from weyr.scheduling.placement.values import DEVICE_MILLI
from weyr.scheduling.queueing.nodes import slice_milli
from weyr.scheduling.queueing.shapes import Task


class Ranker(Protocol):
    def level(self, task: Task, attained_s: float) -> tuple[int, float]:
        """The task's level once it has run for `attained_s`, and until when it has it (in seconds that it ran)."""
        ...


@dataclass(frozen=True, slots=True)
class InOrder:
    """First come, first served."""

    def level(self, task: Task, attained_s: float) -> tuple[int, float]:
        return 0, math.inf


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


def width_of(task: Task) -> float:
    """How many GPUs (or cores, where it uses no GPU) it occupies."""
    request = task.request
    share_milli = request.share_milli or (slice_milli(request.profile) if request.profile else 0)
    per_replica = request.devices * DEVICE_MILLI + share_milli or request.cpu_milli
    return max(task.replicas * per_replica / DEVICE_MILLI, 1 / DEVICE_MILLI)
