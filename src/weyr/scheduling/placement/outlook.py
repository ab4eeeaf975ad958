"""What will be asked for next, and how much of a room would that leave unused?

The outlook is the mix of what was asked for so far: it knows nothing ahead.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from weyr.scheduling.placement.room import Need, Room, Shape, need_of
from weyr.scheduling.placement.values import DEVICE_MILLI, Request

GROWTH = 1.5
"""The mix is taken anew when half as many requests more have come: all that was worked out by it goes with it."""


class Outlook:
    """Counts requests; a new `generation` begins when the mix has changed enough to work all out anew."""

    def __init__(self, expected: Iterable[tuple[Request, float]] = ()) -> None:
        """*Takes* what is expected to be asked for, and how often; none: what is asked for tells."""
        self.generation = 0
        self._counts: Counter[Request] = Counter()
        self._seen = 0.0
        self._mix: dict[Request, float] = {}
        for request, times in expected:
            self._counts[request] += times  # type: ignore[assignment]  # a weight counts as well
            self._seen += times
        self._taken_at = self._seen
        if self._seen:
            self._take()

    def see(self, request: Request) -> None:
        """Count one more; *promises* to take no longer however many came before."""
        self._counts[request] += 1
        self._seen += 1
        if self._seen >= GROWTH * self._taken_at:
            self._take()

    def _take(self) -> None:
        self.generation += 1
        self._taken_at = self._seen
        self._mix = {request: times for request, times in self._counts.items() if _devices_milli(request)}

    def needs(self, shape: Shape) -> list[tuple[float, Need]]:
        """The mix on nodes of one shape: parts of 1. What they cannot take is left out."""
        total = sum(self._mix.values())
        needs = [(times / total, need_of(request, shape)) for request, times in self._mix.items()]
        return [(part, need) for part, need in needs if need]


def unused_milli(room: Room, needs: Sequence[tuple[float, Need]]) -> float:
    """How much of the devices' room a node would leave unused if it were filled with one kind of request: the mean over
    the mix, in thousandths of a device. What the node cannot take at all counts as all of it unused."""
    left = sum(room.free)
    if not left:
        return 0.0
    used = 0.0
    whole = room.free.count(DEVICE_MILLI)
    for part, need in needs:
        if need.share_milli:
            times = sum(free // need.share_milli for free in room.free)
            size = need.share_milli
        elif need.devices:
            times = whole // need.devices
            size = need.devices * DEVICE_MILLI
        else:
            continue
        if need.cpu_milli:
            times = min(times, room.cpu_milli // need.cpu_milli)
        if need.memory_mib:
            times = min(times, room.memory_mib // need.memory_mib)
        used += part * times * size
    return left - used


def _devices_milli(request: Request) -> int:
    return request.devices * DEVICE_MILLI + request.share_milli + request.share_memory_mib
