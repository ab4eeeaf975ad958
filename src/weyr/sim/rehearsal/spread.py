"""How unlike are requests to each other? What was measured of them as factors of their mean, to draw from. Pure."""

import math
import random
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from weyr.core.work_times import WIDTH, seconds_in

SHARES = (0.2, 0.2, 0.2, 0.2, 0.1, 0.05, 0.04, 0.01)
"""How flows are cut up: what is slow is cut finer."""
LEAST = 20
"""Of fewer nobody knows how unlike they are."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of `count` that were measured: `places` are classes as `weyr.core.work_times` has them, in order, and `shares`
    what part of all is in each."""

    count: float
    places: tuple[int, ...]
    shares: tuple[float, ...]
    parts: tuple[tuple[float, float], ...] = field(init=False, repr=False, compare=False)
    """A few factors of the mean and what share has each, in the mean 1: for flows."""
    _upto: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _mean: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_upto", tuple(accumulate(self.shares)))
        mean = sum(share * seconds_in(place) for place, share in zip(self.places, self.shares, strict=True))
        object.__setattr__(self, "_mean", mean)
        object.__setattr__(self, "parts", self._cut())

    @classmethod
    def of(cls, classes: Mapping[int, float]) -> "Spread | None":
        """None where too few were measured."""
        total = sum(classes.values())
        if total < LEAST:
            return None
        places = tuple(sorted(place for place, count in classes.items() if count > 0))
        return cls(total, places, tuple(classes[place] / total for place in places))

    def factor(self, chance: random.Random) -> float:
        """How many times its mean one takes."""
        return self.at(chance.random())

    def at(self, share: float) -> float:
        """How many times the mean is not passed by `share` of them: within a class all are as likely."""
        number = min(bisect_left(self._upto, share), len(self.places) - 1)
        into = (share - (self._upto[number] - self.shares[number])) / self.shares[number]
        return math.exp(WIDTH * (self.places[number] + min(1.0, max(0.0, into)) - 0.5)) / self._mean

    def _cut(self) -> tuple[tuple[float, float], ...]:
        middles = [upto - share / 2 for upto, share in zip(accumulate(SHARES), SHARES, strict=True)]
        factors = [self.at(middle) for middle in middles]
        mean = sum(factor * share for factor, share in zip(factors, SHARES, strict=True))
        return tuple((factor / mean, share) for factor, share in zip(factors, SHARES, strict=True))

    @property
    def variation(self) -> float:
        """The square of the coefficient of variation: 0 where all take the same."""
        squares = sum(share * seconds_in(place) ** 2 for place, share in zip(self.places, self.shares, strict=True))
        return max(0.0, squares / self._mean**2 - 1)
