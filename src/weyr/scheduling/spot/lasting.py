"""How long will spot last, and how long will it stay away? Pure.

What has lasted will last: the chance that a spell ends now falls about as one over its age, over minutes and over days
alike (a Lomax tail). Only the scale is learnt, from the spells that the job itself has seen, for presence and absence
apart: a handful of scales, each with the weight that its spells give it.

Source: the shape is that of waiting times in general; none of its numbers was fitted to a trace. Spells of spot
instances are known to be as uneven (Wu et al., Can't Be Late, NSDI 2024, figure 3).
"""

from dataclasses import dataclass, replace
from functools import cache
from math import exp, log

AGES_H = (0.15, 0.6, 2.5)
"""Where one phase of a spell ends and the next begins, in hours."""

PHASES = len(AGES_H) + 1

SCALES = (0.4, 1.0, 2.5)
"""How much faster than by the shape alone spells end. Pairs of them, for presence and absence, are the cases."""

CASES = tuple((ends, returns) for ends in SCALES for returns in SCALES)

_TAIL, _YOUNG_H = 0.7, 0.1
_SPREAD = 0.7
_TRUST = 0.7
"""Spells of one place come in bursts: two of them say less than two that are independent."""


@dataclass(frozen=True, slots=True)
class Spells:
    """What has been seen of spot at one place: counts of ends, and how many ends the shape alone would have had.

    `age_s` is how long it has been as it is now; `is_there` None before the first look.
    """

    is_there: bool | None = None
    age_s: float = 3600.0
    ends: int = 0
    ends_expected: float = 0.0
    returns: int = 0
    returns_expected: float = 0.0

    def seen(self, is_there: bool, after_s: float) -> "Spells":
        """The record with one more look, `after_s` after the last. How long the first spell has lasted is unknown."""
        if self.is_there is None:
            return replace(self, is_there=is_there)
        expected = HAZARDS[phase_of(self.age_s)] * after_s / 3600
        has_turned = is_there is not self.is_there
        age_s = 0.0 if has_turned else self.age_s + after_s
        if self.is_there:
            ends, ends_expected = self.ends + has_turned, self.ends_expected + expected
            return replace(self, is_there=is_there, age_s=age_s, ends=ends, ends_expected=ends_expected)
        returns, returns_expected = self.returns + has_turned, self.returns_expected + expected
        return replace(self, is_there=is_there, age_s=age_s, returns=returns, returns_expected=returns_expected)

    def weights(self) -> tuple[float, ...]:
        """How likely each of `CASES` is after what was seen; they add up to 1."""
        ends = _likelihoods(self.ends, round(self.ends_expected, 3))
        returns = _likelihoods(self.returns, round(self.returns_expected, 3))
        products = [one * other for one in ends for other in returns]
        total = sum(products)
        return tuple(product / total for product in products)


def phase_of(age_s: float) -> int:
    """The phase of a spell of this age."""
    age_h = age_s / 3600
    return next((phase for phase, end_h in enumerate(AGES_H) if age_h < end_h), PHASES - 1)


def _hazards() -> tuple[float, ...]:
    """Ends per hour in each phase, by the shape alone; in the last, which has no end, as of twice its beginning."""
    begins = (0.0, *AGES_H[:-1])
    inside = [
        _TAIL * log((end + _YOUNG_H) / (begin + _YOUNG_H)) / (end - begin)
        for begin, end in zip(begins, AGES_H, strict=True)
    ]
    return (*inside, _TAIL / (2 * AGES_H[-1] + _YOUNG_H))


HAZARDS = _hazards()


@cache
def _priors() -> tuple[float, ...]:
    return tuple(-(log(scale) ** 2) / (2 * _SPREAD**2) for scale in SCALES)


def _likelihoods(count: int, expected: float) -> list[float]:
    """For each scale, up to one factor: a Poisson count under a prior around the shape itself."""
    logs = [
        _TRUST * (count * log(scale) - scale * expected) + prior for scale, prior in zip(SCALES, _priors(), strict=True)
    ]
    top = max(logs)
    return [exp(each - top) for each in logs]
