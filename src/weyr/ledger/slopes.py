"""What do many meters come to that each count along a straight line? One line for each unit of a price. Pure."""

from collections.abc import Iterable
from math import inf, lcm
from typing import NamedTuple


class Slope(NamedTuple):
    """(`at_0` + `each_ms` x milliseconds) / `per` micro-units: whole numbers, so that sums stay exact."""

    per: int
    at_0: int
    each_ms: int


class Slopes:
    """A sum of straight lines, to which any may be added and taken off."""

    def __init__(self) -> None:
        self._sums: dict[int, tuple[int, int]] = {}

    def add(self, slope: Slope, sign: int = 1) -> None:
        at_0, each_ms = self._sums.get(slope.per, (0, 0))
        self._sums[slope.per] = at_0 + sign * slope.at_0, each_ms + sign * slope.each_ms

    def at(self, now_ms: int) -> int:
        """In micro-units, rounded down once for each unit."""
        return sum((at_0 + each_ms * now_ms) // per for per, (at_0, each_ms) in self._sums.items())


def reached_ms(slopes: Iterable[Slope], micros: int) -> float:
    """From which moment on lines that do not fall come to an amount together; never, where they do not get there."""
    slopes = tuple(slopes)
    per = lcm(*(slope.per for slope in slopes))
    at_0 = sum(slope.at_0 * (per // slope.per) for slope in slopes)
    each_ms = sum(slope.each_ms * (per // slope.per) for slope in slopes)
    short = micros * per - at_0
    if short <= 0:
        return -inf
    return -(-short // each_ms) if each_ms > 0 else inf
