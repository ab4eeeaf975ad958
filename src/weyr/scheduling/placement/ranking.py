"""Of the rooms that nodes have now, which loses least by taking a request?

Kept up as rooms come and go: a request looks only at rooms that came since it was last asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple, TypeVar

from weyr.scheduling.placement.forecast import Forecast, forecast_of
from weyr.scheduling.placement.outlook import Outlook
from weyr.scheduling.placement.room import Need, Room, Shape, need_of, rooms_after
from weyr.scheduling.placement.tolls import tolls
from weyr.scheduling.placement.values import DEVICE_MILLI, Request

TOLL = 4.0
"""What the whole toll of a shape weighs beside what stays unused. Above 1, for a remainder may be filled later, but
who is turned away is gone; from 1 to 8 it makes little difference."""
FULL_PARTS = 8
"""Tolls are worked out anew when a shape's room has changed by such a part of it."""
REMEMBERED_MAX = 400_000
"""Rooms of which it is known what stays unused: some 100 bytes each."""

Found = TypeVar("Found")


class Option(NamedTuple):
    """One way to take a request. `left` is what is left of the device it shares, 0 where it shares none."""

    loss_milli: float
    spare: int
    room: Room
    left: int


class _View:
    """One request's options, of each shape the best on top."""

    __slots__ = ("heaps", "milli", "needs", "read")

    def __init__(self, needs: Mapping[int, Need]) -> None:
        self.needs = needs
        self.milli = {shape: need.devices * DEVICE_MILLI + need.share_milli for shape, need in needs.items()}
        self.heaps: dict[int, list[Option]] = {}
        self.read = 0


class Ranking:
    """The rooms there are, how many nodes have each, and each request's options among them."""

    def __init__(self, outlook: Outlook) -> None:
        self.counts: dict[Room, int] = {}
        self._outlook = outlook
        self._shapes: list[Shape] = []
        self._nodes: list[int] = []
        self._free_milli: list[int] = []
        self._came: list[Room] = []
        self._views: dict[Request, _View] = {}
        self._generation = -1
        self._forecasts: list[Forecast] = []
        self._unused: dict[Room, float] = {}
        self._tolls: dict[tuple[int, ...], list[float]] = {}

    def know(self, shape: Shape) -> None:
        """A shape that is new; they are numbered in the order they come."""
        self._shapes.append(shape)
        self._nodes.append(0)
        self._free_milli.append(0)
        self._generation = -1

    def enter(self, room: Room) -> None:
        """One more node has this room."""
        count = self.counts.get(room, 0)
        self.counts[room] = count + 1
        self._nodes[room.shape] += 1
        self._free_milli[room.shape] += sum(room.free)
        if not count:
            self._came.append(room)

    def leave(self, room: Room) -> bool:
        """One node fewer has this room. Whether none has it now."""
        self._nodes[room.shape] -= 1
        self._free_milli[room.shape] -= sum(room.free)
        self.counts[room] -= 1
        if self.counts[room]:
            return False
        del self.counts[room]
        return True

    def need(self, request: Request, shape: int) -> Need | None:
        return need_of(request, self._shapes[shape])

    def best(self, request: Request, usable: Callable[[Room], Found | None]) -> tuple[Option, Found] | None:
        """The option that loses least of those where `usable` finds something, and what it finds."""
        view = self._view(request)
        tolls_now = self._tolls_now()
        passed: list[Option] = []
        found: tuple[Option, Found] | None = None
        while not found and (option := self._top(view, tolls_now)):
            if there := usable(option.room):
                found = option, there
            else:
                passed.append(heappop(view.heaps[option.room.shape]))
        for option in passed:
            heappush(view.heaps[option.room.shape], option)
        return found

    def _top(self, view: _View, tolls_now: Sequence[float]) -> Option | None:
        """The best option, by what it loses and what its shape's toll is. Options that no node has are forgotten."""
        best: Option | None = None
        best_cost = 0.0
        for shape, heap in view.heaps.items():
            while heap and heap[0].room not in self.counts:
                heappop(heap)
            if heap:
                cost = heap[0].loss_milli + TOLL * tolls_now[shape] * view.milli[shape]
                if best is None or (cost, heap[0]) < (best_cost, best):
                    best, best_cost = heap[0], cost
        return best

    def _view(self, request: Request) -> _View:
        """The request's view, brought up to date."""
        if self._generation != self._outlook.generation:
            self._look_ahead()
        if len(self._came) > 4 * sum(self._nodes) + 10_000:
            self._came = list(self.counts)
            self._views.clear()
        view = self._views.get(request)
        if view is None:
            needs = ((shape, need_of(request, self._shapes[shape])) for shape in range(len(self._shapes)))
            view = self._views[request] = _View({shape: need for shape, need in needs if need})
            came = list(self.counts)
        else:
            came = self._came[view.read :]
        view.read = len(self._came)
        for room in came:
            if (need := view.needs.get(room.shape)) and room in self.counts:
                self._options(view, room, need)
        return view

    def _options(self, view: _View, room: Room, need: Need) -> None:
        for left, after in rooms_after(room, need):
            loss = self._unused_of(after) - self._unused_of(room)
            # Between options that lose the same: where least is left.
            spare = after.cpu_milli + after.memory_mib + sum(after.free)
            heappush(view.heaps.setdefault(room.shape, []), Option(loss, spare, room, left))

    def _look_ahead(self) -> None:
        """A new mix is expected: all that was worked out by the one before goes."""
        self._generation = self._outlook.generation
        mix = [(part, request) for request, part in self._outlook.mix.items() if _wants_device(request)]
        self._forecasts = [
            forecast_of([(part, need_of(request, shape)) for part, request in mix], shape.devices)
            for shape in self._shapes
        ]
        self._unused.clear()
        self._tolls.clear()
        self._came = list(self.counts)
        self._views.clear()

    def _unused_of(self, room: Room) -> float:
        unused = self._unused.get(room)
        if unused is None:
            if len(self._unused) >= REMEMBERED_MAX:
                self._unused.clear()
            unused = self._unused[room] = self._forecasts[room.shape].unused_milli(room)
        return unused

    def _tolls_now(self) -> list[float]:
        """By how much room each shape has, roughly: the same for all states alike, whatever led to them."""
        whole = [nodes * shape.devices * DEVICE_MILLI for nodes, shape in zip(self._nodes, self._shapes, strict=True)]
        parts = tuple(
            -(-free * FULL_PARTS // most) if most else 0 for free, most in zip(self._free_milli, whole, strict=True)
        )
        found = self._tolls.get(parts)
        if found is None:
            demand = []
            for request, part in self._outlook.mix.items():
                if _wants_device(request):
                    needs = [(shape, need_of(request, self._shapes[shape])) for shape in range(len(self._shapes))]
                    milli = max(
                        (need.devices * DEVICE_MILLI + need.share_milli for _, need in needs if need), default=0
                    )
                    demand.append((part * milli, frozenset(shape for shape, need in needs if need)))
            room = [part * most / FULL_PARTS for part, most in zip(parts, whole, strict=True)]
            found = self._tolls[parts] = tolls(demand, room)
        return found


def _wants_device(request: Request) -> bool:
    return bool(request.devices or request.share_milli or request.share_memory_mib)
