"""What will arrive? Learnt from what has arrived, tick by tick.

Rates are kept as square roots: the noise of a count is then the same at any rate (Anscombe 1948), so that one spread
fits the quiet hours and the busy ones. Several levels follow the rate, from at once to slowly, and a rhythm repeats
what was; each counts by how near it came. What they missed by is kept as it was, not as a normal curve: bursts are the
part of a load that no curve fits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import mul

# Rhythms are looked for in means over so many seconds, between 5 of them and half of what is remembered.
STEP_S = 60.0
STEPS_KEPT = 480
STEPS_SHORTEST = 5
# From this length on a tick is several steps.
LONG_S = STEPS_SHORTEST * STEP_S
# A rhythm that explains less than this share of the ups and downs is chance more often than not.
LIKENESS_MIN = 0.4
# How much each level takes on of ten seconds: the last remembers half an hour, for bursts that nothing announces.
GAINS = (0.9, 0.4, 0.15, 0.03, 0.005)
# The one of them that follows at once.
QUICK = 0
# What each level, and the rhythm, is taken to miss by before anything was missed: at first the last is the best guess.
ERRORS_FIRST = (0.05, 0.07, 0.1, 0.15, 0.15, 0.1)
# Whoever begins, grows: that is no burst of which more are to be expected.
BEGINS_S = 90.0
# The errors of about so many seconds count, and what was missed is kept for as long.
ERRORS_S = 1800.0
MISSED_MAX = 180
# Before so many were missed, what is missed is as a share of the root: a rate may fall to a quarter, or be four times
# as high, as whoever begins mostly grows.
UNKNOWN = (-0.5, -0.3, -0.15, 0.0, 0.15, 0.3, 0.5, 1.0)
# Parts of what was missed, from the least to the most: the upper ones decide, so they are cut finer.
PARTS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.97, 1.0)

Case = tuple[float, float]
"""A rate in requests per second, and how likely it is."""


@dataclass(slots=True)
class Arrivals:
    """The arrivals of one endpoint. `levels` of each gain, then the rhythm: their roots and mean square errors."""

    levels: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=lambda: list(ERRORS_FIRST))
    missed_next: list[float] = field(default_factory=list)
    missed_later: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    period: int = 0
    foreseen: list[list[float | None]] = field(default_factory=list)
    """What each way foresaw for `ahead_s` from each of the last ticks; the last of a row is all of them together."""
    step_root: float = 0.0
    step_s: float = 0.0
    unsought: int = 0
    """Steps since a rhythm was looked for last, while ticks are long."""
    age_s: float = 0.0
    mean: float = 0.0
    """Requests per second, over the last half hour."""

    def learn(self, arrived: float, tick_s: float, ahead_s: float) -> None:
        """Takes what arrived in a tick. `ahead_s`: how far ahead is forecast, to learn how good that is."""
        root = math.sqrt(arrived / tick_s)
        if not self.levels:
            self.levels = [root] * len(GAINS)
        ticks = max(1, round(ahead_s / tick_s))
        kept = max(len(UNKNOWN), min(MISSED_MAX, round(ERRORS_S / tick_s)))
        if len(self.foreseen) >= ticks:
            self._learn_from(self.foreseen[-ticks], root, tick_s, kept)
        if self.age_s > BEGINS_S:
            self.missed_next = [*self.missed_next, root - self._mixed(self.levels)][-kept:]
        self.age_s += tick_s
        self.mean += max(tick_s / ERRORS_S, tick_s / self.age_s) * (arrived / tick_s - self.mean)
        # Until there were enough ticks, a level is their mean: the first of them was no better than the others.
        self.levels = [
            level + max(1 - (1 - gain) ** (tick_s / 10), tick_s / self.age_s) * (root - level)
            for gain, level in zip(GAINS, self.levels, strict=True)
        ]
        self._step(root, tick_s)
        rhythm = self._by_rhythm(ahead_s)
        self.foreseen.append([*self.levels, rhythm, self._mixed([*self.levels, rhythm])])
        del self.foreseen[: -ticks - 1]

    def soon(self, tick_s: float) -> list[Case]:
        """Until a replica that is asked for now would be ready."""
        return self._cases(self._mixed(self.levels), self.missed_next, tick_s)

    def later(self, from_s: float, to_s: float, tick_s: float) -> list[Case]:
        """Between two times from now: the most that it comes to."""
        rhythm = [self._by_rhythm(at) for at in (from_s, (from_s + to_s) / 2, to_s)]
        most = max((root for root in rhythm if root is not None), default=None)
        return self._cases(self._mixed([*self.levels, most]), self.missed_later, tick_s)

    @property
    def rate(self) -> float:
        """In requests per second, as it is now."""
        return self._mixed(self.levels) ** 2 if self.levels else 0.0

    def _cases(self, root: float, missed: list[float], tick_s: float) -> list[Case]:
        if self.age_s <= BEGINS_S or len(missed) < len(UNKNOWN):
            share = max(1.0, root) if self.age_s <= BEGINS_S else 0.5
            return _cases(root, [miss * share for miss in UNKNOWN], tick_s)
        # What was missed within the last minute is this rise itself.
        before = missed[: -max(1, round(STEP_S / tick_s))] or missed
        return _cases(self._risen(root, before), missed, tick_s)

    def _risen(self, root: float, missed: list[float]) -> float:
        """A rise by more than was ever missed is a new time, in which only what is quick to follow counts."""
        quick = self.levels[QUICK] if self.levels else root
        return quick if quick > root + max(missed) else root

    def _learn_from(self, foreseen: list[float | None], root: float, tick_s: float, kept: int) -> None:
        *ways, mixed = foreseen
        gain = tick_s / (tick_s + ERRORS_S / 2)
        self.errors = [
            error if way is None else error + gain * ((root - way) ** 2 - error)
            for error, way in zip(self.errors, ways, strict=True)
        ]
        if mixed is not None and self.age_s - tick_s * len(self.foreseen) > BEGINS_S:
            self.missed_later = [*self.missed_later, root - mixed][-kept:]

    def _mixed(self, roots: Sequence[float | None]) -> float:
        """Each way counts by the inverse of its error, to the fourth: the best one mostly has its way."""
        known = [(root, error + 1e-3) for root, error in zip(roots, self.errors, strict=False) if root is not None]
        least = min(error for _, error in known)
        weights = [(least / error) ** 4 for _, error in known]
        return sum(weight * root for weight, (root, _) in zip(weights, known, strict=True)) / sum(weights)

    def _step(self, root: float, tick_s: float) -> None:
        self.step_root += root * tick_s
        self.step_s += tick_s
        if self.step_s >= LONG_S:
            self._long_step()
        elif self.step_s >= STEP_S - 1e-9:
            self.steps.append(self.step_root / self.step_s)
            self.step_root = self.step_s = 0.0
            if len(self.steps) > STEPS_KEPT:
                del self.steps[: STEPS_KEPT // 8]
            if len(self.steps) % STEPS_SHORTEST == 0:
                self.period = period_of(self.steps)

    def _long_step(self) -> None:
        """So long a tick is as many steps of one mean. A rhythm shorter than it cannot be seen, so one is looked for
        only when half of what is remembered is new."""
        count, mean = int(self.step_s // STEP_S), self.step_root / self.step_s
        self.steps = [*self.steps, *[mean] * min(count, STEPS_KEPT)][-STEPS_KEPT:]
        self.step_s -= count * STEP_S
        self.step_root = mean * self.step_s
        self.unsought += count
        if self.unsought >= STEPS_KEPT // 2:
            self.unsought, self.period = 0, period_of(self.steps)

    def _by_rhythm(self, ahead_s: float) -> float | None:
        if not self.period or self.period > len(self.steps):
            return None
        ahead = int((self.step_s + ahead_s) // STEP_S) % self.period
        return self.steps[len(self.steps) - self.period + ahead]


def period_of(steps: list[float]) -> int:
    """After how many steps it repeats itself; 0 when it does not. The shortest of those that are about as like."""
    count = len(steps)
    mean = sum(steps) / count
    offs = [step - mean for step in steps]
    variance = sum(off * off for off in offs) / count
    if variance < 1e-6:
        return 0
    best, found = LIKENESS_MIN, 0
    products = _products(offs, count // 2)
    for lag in range(STEPS_SHORTEST, count // 2 + 1):
        likeness = products[lag] / (count - lag) / variance
        if likeness > best + 0.02:
            best, found = likeness, lag
    return found


def _products(offs: list[float], lag_max: int) -> list[float]:
    """For each lag, each step times the one so many steps later, added up.

    Long ticks are many steps of one mean. Between the jumps of such a row these sums run along straight lines, so that
    they follow from the jumps alone: at each lag they bend by what the jumps that are so far apart come to.
    """
    jumps = [(at, after - before) for at, (before, after) in enumerate(pairwise([0.0, *offs, 0.0])) if after != before]
    if 4 * len(jumps) > len(offs):
        return [sum(map(mul, offs, offs[lag:])) for lag in range(lag_max + 1)]
    bends = [0.0] * (lag_max + 1)
    for place, (at, jump) in enumerate(jumps):
        for later, other in jumps[place:]:
            if later - at > lag_max:
                break
            bends[later - at] += jump * other
    products = [sum(off * off for off in offs)]
    products.append(products[0] - bends[0] / 2)
    for lag in range(1, lag_max):
        products.append(2 * products[lag] - products[lag - 1] - bends[lag])
    return products


def _cases(root: float, missed: list[float], tick_s: float) -> list[Case]:
    """What may come, by what was missed before, less what only the counting of a tick scatters."""
    count, in_order = len(missed), sorted(missed)
    variance = sum(miss * miss for miss in missed) / count
    shrunk = math.sqrt(max(0.0, 1 - 1 / (4 * tick_s) / variance)) if variance > 0 else 0.0
    cases = []
    for low, high in pairwise(PARTS):
        part = in_order[min(count - 1, int(low * count)) : max(int(low * count) + 1, int(high * count))]
        cases.append((max(0.0, root + shrunk * sum(part) / len(part)) ** 2, high - low))
    return cases
