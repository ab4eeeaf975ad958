"""How much of a node's devices will stay unused in the end, if what comes is like what came?

Three things leave devices unused. What is left of a device that is shared may be too small for what comes. CPU or
memory may run out before the devices do. And what wants many devices at once, or another model, cannot come here:
the longer devices stand free, the more of that is turned away meanwhile.

*Source* of the last: fragmentation as in "Beware of Fragmentation" (USENIX ATC 2023), which asks whether the *next*
request fits. Here the first two ask what becomes of the room once it is full; docs/decisions tells what was tried.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from weyr.scheduling.placement.room import Need, Room
from weyr.scheduling.placement.values import DEVICE_MILLI

STEP_MILLI = 10
"""Remainders of a device are told apart by hundredths of it."""
LAST_OF = 100
"""After each request one in so many devices sees no other that counts: requests so rare do not fill a remainder."""
STRANDED_COST = 2.0
"""A device without CPU stays unused for sure; a remainder may yet be filled."""


@dataclass(frozen=True, slots=True)
class Companion:
    """How much CPU or memory comes with a thousandth of a device.

    `wanted` are the amounts, rising. Of the devices asked for, `above[n]` is the part that comes with the n-th or
    more, and `spread[n]` the sum of those parts, each divided by its amount.
    """

    wanted: Sequence[float]
    above: Sequence[float]
    spread: Sequence[float]

    def stranded_milli(self, left: int, amount: int) -> float:
        """How much of the devices' room `left` stays unused with so much CPU or memory: were it filled with requests
        of one kind, the mean over the kinds."""
        each = amount / left
        at = bisect_right(self.wanted, each)
        return left * (self.above[at] - each * self.spread[at])


@dataclass(frozen=True, slots=True)
class Forecast:
    """For nodes of one shape. `rest_milli[left]` of what is left of one device stays unused; `barred[whole]` of all
    requests cannot come to a node with so many whole devices free."""

    rest_milli: Sequence[float]
    cpu: Companion
    memory: Companion
    barred: Sequence[float]

    def unused_milli(self, room: Room) -> float:
        free = room.free
        if not free:
            return 0.0
        left = sum(free)
        rest_milli = self.rest_milli
        rest = 0.0
        for part in free:
            rest += rest_milli[part]
        stranded = self.cpu.stranded_milli(left, room.cpu_milli)
        if stranded < left:
            stranded = max(stranded, self.memory.stranded_milli(left, room.memory_mib))
        return rest + STRANDED_COST * stranded + left * self.barred[free.count(DEVICE_MILLI)]


def forecast_of(mix: Sequence[tuple[float, Need | None]], devices: int) -> Forecast:
    """*Takes* the parts of all requests that want devices, each as a need of the shape; None: it cannot come there."""
    come = [(part, need, need.milli) for part, need in mix if need and need.milli]
    sizes: defaultdict[int, float] = defaultdict(float)
    for part, need, _ in come:
        sizes[-(-(need.share_milli or DEVICE_MILLI) // STEP_MILLI)] += part
    return Forecast(
        _rests(sizes),
        _companion([(part, need.cpu_milli, milli) for part, need, milli in come]),
        _companion([(part, need.memory_mib, milli) for part, need, milli in come]),
        [
            sum(part for part, need in mix if need is None or need.devices > max(whole, 1))
            for whole in range(devices + 1)
        ],
    )


def _rests(sizes: dict[int, float]) -> list[float]:
    """What stays unused of a device with so much left, in the mean, if it takes what comes as long as it fits.

    By the first that fits: of what is left, f, rest(f) is the mean of rest(f - g) over sizes g up to f, each by how
    often it is asked for, and of f itself, should it be the last of LAST_OF."""
    total = sum(sizes.values())
    parts = sorted((size, part / total) for size, part in sizes.items())
    steps = DEVICE_MILLI // STEP_MILLI
    rests = [0.0] * (steps + 1)
    for left in range(1, steps + 1):
        rest, weight = left * STEP_MILLI / LAST_OF, 1 / LAST_OF
        for size, part in parts:
            if size > left:
                break
            rest += part * rests[left - size]
            weight += part
        rests[left] = rest / weight
    return [rests[milli // STEP_MILLI] for milli in range(DEVICE_MILLI + 1)]


def _companion(come: Sequence[tuple[float, int, int]]) -> Companion:
    """*Takes* how often a request comes, what it wants, and of how much of a device."""
    total = sum(part * milli for part, _, milli in come)
    wanted = sorted((amount / milli, part * milli / total) for part, amount, milli in come if amount)
    above, spread = [0.0], [0.0]
    for each, part in reversed(wanted):
        above.append(above[-1] + part)
        spread.append(spread[-1] + part / each)
    return Companion([each for each, _ in wanted], above[::-1], spread[::-1])
