"""Of the rooms that nodes of one shape have now, which loses least by taking a need?

Kept up as rooms come and go: a need looks only at rooms that came since it was last asked for.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple

from weyr.scheduling.placement.forecast import Forecast
from weyr.scheduling.placement.room import Need, Room, rooms_after

REMEMBERED_MAX = 200_000
"""Rooms of one shape of which it is known what stays unused: some 100 bytes each."""


class Option(NamedTuple):
    """One way to take a need. `left` is what is left of the device it shares, 0 where it shares none."""

    loss_milli: float
    spare: int
    room: Room
    left: int


class _Options:
    """One need's options, the best on top. `read` is how many of the rooms that came it has looked at."""

    __slots__ = ("heap", "read")

    def __init__(self) -> None:
        self.heap: list[Option] = []
        self.read = -1


class Rooms:
    """The rooms there are, how many nodes have each, and each need's options among them."""

    def __init__(self) -> None:
        self.counts: dict[Room, int] = {}
        self.nodes = 0
        self.free_milli = 0
        self._forecast: Forecast | None = None
        self._came: list[Room] = []
        self._options: dict[Need, _Options] = {}
        self._unused: dict[Room, float] = {}

    def expect(self, forecast: Forecast) -> None:
        """Judge by this from now on: all that was worked out by the forecast before goes."""
        self._forecast = forecast
        self._unused.clear()
        self._forget_options()

    def enter(self, room: Room) -> None:
        """One more node has this room."""
        count = self.counts.get(room, 0)
        self.counts[room] = count + 1
        self.nodes += 1
        self.free_milli += sum(room.free)
        if not count:
            self._came.append(room)

    def leave(self, room: Room) -> bool:
        """One node fewer has this room. Whether none has it now."""
        self.nodes -= 1
        self.free_milli -= sum(room.free)
        self.counts[room] -= 1
        if self.counts[room]:
            return False
        del self.counts[room]
        return True

    def best(self, need: Need) -> Option | None:
        """The option that loses least. Options that no node has are forgotten."""
        heap = self._up_to_date(need).heap
        while heap and heap[0].room not in self.counts:
            heappop(heap)
        return heap[0] if heap else None

    def put_aside(self, need: Need) -> Option:
        """Take the best away, until it is brought back."""
        return heappop(self._options[need].heap)

    def bring_back(self, need: Need, option: Option) -> None:
        heappush(self._options[need].heap, option)

    def _up_to_date(self, need: Need) -> _Options:
        if len(self._came) > 4 * self.nodes + 10_000:
            self._forget_options()
        options = self._options.get(need)
        if options is None:
            options = self._options[need] = _Options()
        if options.read == len(self._came):
            return options
        came: Iterable[Room]
        if options.read >= 0 and len(self._came) - options.read < len(self.counts):
            came = [room for room in self._came[options.read :] if room in self.counts]
        else:
            # Most of what came is gone again: it takes less to begin anew.
            came = self.counts
            options.heap = []
        options.read = len(self._came)
        self._add(options.heap, need, came)
        return options

    def _add(self, heap: list[Option], need: Need, rooms: Iterable[Room]) -> None:
        known = self._unused
        for room in rooms:
            # `rooms_after` asks this too, but most rooms of a full cluster fail here.
            if room.cpu_milli < need.cpu_milli or room.memory_mib < need.memory_mib:
                continue
            ways = rooms_after(room, need)
            if not ways:
                continue
            unused = known.get(room)
            if unused is None:
                unused = self._work_out(room)
            # Between options that lose the same: where least is left.
            spare = room.cpu_milli + room.memory_mib + sum(room.free)
            for left, after in ways:
                then = known.get(after)
                if then is None:
                    then = self._work_out(after)
                heappush(heap, Option(then - unused, spare, room, left))

    def _work_out(self, room: Room) -> float:
        assert self._forecast is not None
        if len(self._unused) >= REMEMBERED_MAX:
            self._unused.clear()
        unused = self._unused[room] = self._forecast.unused_milli(room)
        return unused

    def _forget_options(self) -> None:
        self._came = list(self.counts)
        self._options.clear()
