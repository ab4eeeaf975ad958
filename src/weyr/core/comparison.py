"""Do two versions differ, or is it chance? Tests on counts, for reports and for automatic steps. Pure.

`p_value` is of a test that may be looked at once, at a moment that was fixed before. `p_always` may be looked at as
often as anybody likes, and the test ended whenever it is small: what a rollout or a person does who looks every minute.
It is greater, which is its price. All use the normal approximation and say nothing below LEAST requests of each.

Source: always-valid p-values by the mixture sequential probability ratio test with a normal mixture, Johari, Koomen,
Pekelis, Walsh, "Always Valid Inference", Operations Research 70 (2022); the t distribution by the continued fraction of
the incomplete beta function, Abramowitz and Stegun 26.5.8.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from weyr.core.routes import VersionCounts

LEAST = 50
"""Of each version, below which nothing is said."""
ALPHA = 0.05
LOOKED_FOR = 0.2
"""What the always-valid tests are sharpest for: a fifth more or less than the control has."""
LOOKED_FOR_RATE = 0.01
"""The same for errors at least, in points: a fifth of one in ten thousand would take years to find."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one version: how often, its mean and its variance."""

    count: int
    mean: float
    variance: float

    @classmethod
    def of_sums(cls, count: int, total: float, squares: float) -> "Sample":
        """From a count, the sum and the sum of the squares."""
        if count < 2:
            return cls(count, total if count else 0.0, 0.0)
        mean = total / count
        return cls(count, mean, max(0.0, (squares - count * mean * mean) / (count - 1)))

    @classmethod
    def of_rate(cls, hits: int, count: int) -> "Sample":
        """From how many of `count` did it."""
        rate = hits / count if count else 0.0
        return cls(count, rate, rate * (1 - rate))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much greater the second is than the first. `low` and `high` hold it with 95 % at any look."""

    value: float
    p_value: float
    p_always: float
    low: float
    high: float


Measure = Literal["errors", "latency", "outcome"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one measure says of `version` beside `control`. `verdict` is "too few", "no difference shown", "better" or
    "worse", by the always-valid test with Bonferroni's correction for all that was compared."""

    measure: Measure
    control: str
    version: str
    control_mean: float
    mean: float
    count: int
    difference: Difference | None
    verdict: str


def report(counts: Sequence[VersionCounts], control: str = "", looked_for: float = LOOKED_FOR) -> tuple[Finding, ...]:
    """Every version beside `control`, by default the one with the most requests, by every measure that there is.

    Takes: the difference that is worth finding, relative to the control's mean; it only says for which the test is
    sharpest. Raises: LookupError where there is no such control.
    """
    served = [one for one in counts if one.requests]
    names = [one.name for one in served]
    if control and control not in names:
        raise LookupError(f"no requests of a version {control} were counted; of these some were: {', '.join(names)}")
    if len(served) < 2:
        return ()
    first = next(o for o in served if o.name == control) if control else max(served, key=lambda o: o.requests)
    others = [one for one in served if one is not first]
    measures: list[Measure] = ["errors", "latency"]
    if any(one.outcomes for one in served):
        measures.append("outcome")
    tests = len(others) * len(measures)
    return tuple(_finding(measure, first, other, looked_for, tests) for other in others for measure in measures)


def _finding(measure: Measure, control: VersionCounts, other: VersionCounts, looked_for: float, tests: int) -> Finding:
    before, after = _sample(measure, control), _sample(measure, other)
    difference = None
    verdict = "too few"
    if min(before.count, after.count) >= LEAST:
        difference = rates(before, after, looked_for) if measure == "errors" else means(before, after, looked_for)
        verdict = "no difference shown"
        if difference.p_always * tests < ALPHA:
            is_more_good = measure == "outcome"
            verdict = "better" if (difference.value > 0) is is_more_good else "worse"
    return Finding(measure, control.name, other.name, before.mean, after.mean, after.count, difference, verdict)


def _sample(measure: Measure, counts: VersionCounts) -> Sample:
    if measure == "errors":
        return Sample.of_rate(counts.errors, counts.requests)
    if measure == "latency":
        return Sample.of_sums(counts.requests, counts.latency_sum_s, counts.latency_squares)
    return Sample.of_sums(counts.outcomes, counts.outcome_sum, counts.outcome_squares)


def rates(before: Sample, after: Sample, looked_for: float = LOOKED_FOR) -> Difference:
    """Two proportions: the z test on the pooled rate."""
    count = before.count + after.count
    pooled = (before.mean * before.count + after.mean * after.count) / count
    variance = pooled * (1 - pooled) * (1 / before.count + 1 / after.count)
    value = after.mean - before.mean
    p_value = math.erfc(abs(value) / math.sqrt(2 * variance)) if variance else 1.0
    return _difference(value, p_value, variance, max(looked_for * before.mean, LOOKED_FOR_RATE))


def means(before: Sample, after: Sample, looked_for: float = LOOKED_FOR) -> Difference:
    """Two means of unlike variances: Welch's t test."""
    shares = before.variance / before.count, after.variance / after.count
    variance = sum(shares)
    value = after.mean - before.mean
    if not variance:
        # Neither ever varied: then they are alike or they are not, and nothing about it is chance.
        p = 1.0 if not value else 0.0
        return Difference(value, p, p, value, value)
    freedom = variance**2 / (shares[0] ** 2 / (before.count - 1) + shares[1] ** 2 / (after.count - 1))
    p_value = t_two_sided(value / math.sqrt(variance), freedom)
    return _difference(value, p_value, variance, looked_for * abs(before.mean) or math.sqrt(before.variance) / 10)


def _difference(value: float, p_value: float, variance: float, looked_for: float) -> Difference:
    if not variance:
        return Difference(value, p_value, 1.0, value, value)
    half = always_half_width(variance, looked_for)
    return Difference(value, p_value, always_p(value, variance, looked_for), value - half, value + half)


def always_p(value: float, variance: float, looked_for: float) -> float:
    """The p-value that may be looked at at any time. Takes: the difference seen, the variance of that, and the size of
    differences that the test is sharpest for."""
    prior = looked_for**2
    log_ratio = prior * value**2 / (2 * variance * (variance + prior)) - math.log1p(prior / variance) / 2
    return min(1.0, math.exp(-min(log_ratio, 700.0)))


def always_half_width(variance: float, looked_for: float, alpha: float = ALPHA) -> float:
    """Half of the interval that holds the true difference at all times at once, with 1 - alpha."""
    prior = looked_for**2
    log_term = math.log1p(prior / variance) / 2 - math.log(alpha)
    return math.sqrt(2 * variance * (variance + prior) / prior * log_term)


def t_two_sided(t: float, freedom: float) -> float:
    """How probable a t at least as far from 0 is."""
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, for x in 0 to 1."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        # The fraction converges fast only below the mean; the rest follows by symmetry.
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    return front * _beta_fraction(x, a, b)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction by Lentz's method; 300 steps are far more than it needs for 1e-15."""
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    whole = d
    for m in range(1, 300):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + step * d or tiny)
            c = 1 + step / c or tiny
            whole *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return whole
