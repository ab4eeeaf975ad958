"""Who waits? Tasks that are alike stand in one lane, the first of them for all: the rest need not be tried after it."""

import heapq
from dataclasses import dataclass, field

from weyr.scheduling.placement import Request
from weyr.scheduling.queueing.shapes import Task
from weyr.scheduling.queueing.verdicts import Verdict

Key = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """What makes two waiting tasks alike to a decision."""

    queue: str
    user: str
    priority: int
    level: int
    request: Request
    replicas: int
    limit_s: float | None
    preempts: bool
    is_preemptible: bool
    is_standing: bool


@dataclass(slots=True)
class Lane:
    """Tasks that are alike, in the order of their turns."""

    alike: Alike
    heap: list[tuple[float, int, str]] = field(default_factory=list)
    """When each was submitted, a number that breaks ties, its id. Some have left and are passed over."""
    size: int = 0
    verdict: Verdict | None = None
    """Why its first did not start when it was tried last."""
    tried_at: int = -1
    """The state of the world then: as long as it is the same, it need not be tried again."""
    key: Key | None = None
    """Where it stands in its queue's line, of the first it has now and what its user had when it was worked out."""


class Lanes:
    """All that wait, by lane."""

    def __init__(self) -> None:
        self.lanes: dict[Alike, Lane] = {}
        self._lane_of: dict[str, Lane] = {}
        self.tasks: dict[str, Task] = {}
        self._number_of: dict[str, int] = {}
        self._numbers = 0

    def __len__(self) -> int:
        return len(self.tasks)

    def __contains__(self, id: str) -> bool:
        return id in self.tasks

    def add(self, task: Task, level: int) -> Lane:
        alike = Alike(
            task.queue, task.user, task.priority, level, task.request, task.replicas, task.limit_s,
            task.preempts, task.is_preemptible, task.is_standing,
        )  # fmt: skip
        lane = self.lanes.get(alike)
        if lane is None:
            lane = self.lanes[alike] = Lane(alike)
        number = self._number_of.get(task.id)
        if number is None:
            number = self._number_of[task.id] = self._numbers
            self._numbers += 1
        heapq.heappush(lane.heap, (task.submitted_s, number, task.id))
        lane.size, lane.key = lane.size + 1, None
        self.tasks[task.id] = task
        self._lane_of[task.id] = lane
        return lane

    def remove(self, id: str) -> Task | None:
        task = self.tasks.pop(id, None)
        if task is None:
            return None
        lane = self._lane_of.pop(id)
        lane.size, lane.key = lane.size - 1, None
        if not lane.size:
            del self.lanes[lane.alike]
        return task

    def forget(self, id: str) -> None:
        """It will not come back."""
        self._number_of.pop(id, None)

    def lane_of(self, id: str) -> Lane:
        return self._lane_of[id]

    def first(self, lane: Lane) -> tuple[float, int, str]:
        """Whose turn it is in the lane, which is not empty."""
        while self._lane_of.get(lane.heap[0][2]) is not lane:
            heapq.heappop(lane.heap)
        return lane.heap[0]

    def before(self, id: str) -> int:
        """How many that are alike have their turn before it."""
        lane, mine = self._lane_of[id], (self.tasks[id].submitted_s, self._number_of[id])
        return len({other for *turn, other in lane.heap if tuple(turn) < mine and self._lane_of.get(other) is lane})

    def in_order(self) -> list[Task]:
        """All that wait, in the order that breaks ties."""
        return sorted(self.tasks.values(), key=lambda task: self._number_of[task.id])
