"""Versions differ or they do not: the figures are those of SciPy, and looking often does not make chance a finding."""

import random

import pytest

from weyr.core.comparison import Sample, always_half_width, always_p, means, rates, report, t_two_sided
from weyr.core.routes import VersionCounts

# From scipy 1.17.1: 2 * stats.t.sf(abs(t), freedom).
T = [
    (0.5, 3.2, 0.6494501780131947),
    (2.0, 10, 0.07338803477074037),
    (-3.1, 150.7, 0.0023099698590147294),
    (4.2, 2.0, 0.05228326694629917),
    (1.96, 1e6, 0.04999606758526985),
    (8, 40, 7.905084110104538e-10),
    (0, 5, 1.0),
]
# stats.chi2_contingency(table, correction=False).pvalue, which is the z test of two pooled proportions.
RATES = [
    ((30, 1000), (45, 1000), 0.07748486513264485),
    ((5, 200), (19, 400), 0.18489759896559638),
    ((0, 500), (6, 500), 0.014015282939930075),
]
# stats.ttest_ind_from_stats(..., equal_var=False).pvalue; mean, standard deviation, count.
WELCH = [
    ((10.0, 2.0, 100), (11.0, 3.0, 80), 0.011571156215337377),
    ((0.05, 0.02, 1000), (0.052, 0.03, 300), 0.2787597182823699),
]


@pytest.mark.parametrize(("t", "freedom", "p"), T)
def test_the_t_distribution_is_scipys(t: float, freedom: float, p: float) -> None:
    """Weyr's report and a notebook must not disagree."""
    assert t_two_sided(t, freedom) == pytest.approx(p, rel=1e-7)


@pytest.mark.parametrize(("before", "after", "p"), RATES)
def test_two_rates_are_compared_as_scipy_does(before: tuple[int, int], after: tuple[int, int], p: float) -> None:
    """Error rates of a canary and of what it may replace."""
    assert rates(Sample.of_rate(*before), Sample.of_rate(*after)).p_value == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize(("before", "after", "p"), WELCH)
def test_two_means_are_compared_as_scipy_does(
    before: tuple[float, float, int], after: tuple[float, float, int], p: float
) -> None:
    """Latencies, whose spread is rarely the same."""
    first, second = (Sample(count, mean, spread**2) for mean, spread, count in (before, after))
    assert means(first, second).p_value == pytest.approx(p, rel=1e-7)


def test_sums_give_mean_and_variance() -> None:
    """The plane keeps a count, a sum and a sum of squares, and nothing of a single request."""
    values = [1.0, 2.0, 4.0, 9.0]
    sample = Sample.of_sums(4, sum(values), sum(value * value for value in values))
    assert sample.mean == 4.0
    assert sample.variance == pytest.approx(38 / 3)


def test_looking_often_does_not_make_chance_a_finding() -> None:
    """Two alike versions, looked at 100 times each: the usual test finds a difference in every third experiment or so,
    the always-valid one in fewer than its one in twenty."""
    dice = random.Random(7)
    fooled = {"once": 0, "always": 0}
    for _ in range(200):
        hits = [0, 0]
        found = {"once": False, "always": False}
        for look in range(1, 101):
            for side in (0, 1):
                hits[side] += max(0, round(dice.gauss(5, 4.5**0.5)))  # about 50 requests that fail once in 10
            difference = rates(Sample.of_rate(hits[0], 50 * look), Sample.of_rate(hits[1], 50 * look))
            found["once"] |= difference.p_value < 0.05
            found["always"] |= difference.p_always < 0.05
        for name, is_found in found.items():
            fooled[name] += is_found
    assert fooled["once"] > 40
    assert fooled["always"] <= 10


def test_a_true_difference_is_found() -> None:
    """And the interval at that look excludes none at all."""
    difference = rates(Sample.of_rate(100, 10_000), Sample.of_rate(300, 10_000))
    assert difference.p_always < 1e-6
    assert 0 < difference.low < 0.02 < difference.high


def test_the_interval_ends_where_the_test_does() -> None:
    """An interval that excludes 0 and a p-value below 5 % say the same."""
    half = always_half_width(0.0004, 0.05)
    assert always_p(half, 0.0004, 0.05) == pytest.approx(0.05)


def counted(name: str, requests: int, errors: int, latency_s: float, told: int = 0, goals: int = 0) -> VersionCounts:
    sum_s = requests * latency_s
    return VersionCounts(
        name,
        requests=requests,
        errors=errors,
        latency_sum_s=sum_s,
        latency_squares=requests * (latency_s**2 + 0.01**2),
        outcomes=told,
        outcome_sum=goals,
        outcome_squares=goals,
    )


def test_the_report_sets_each_version_beside_the_control() -> None:
    """Errors and latency are better when less, what callers report is better when more."""
    counts = [
        counted("3", 20_000, 200, 0.1, 5_000, 500),
        counted("4", 10_000, 400, 0.1, 5_000, 900),
        counted("5", 10_000, 100, 0.08, 10, 1),
    ]
    verdicts = {(f.version, f.measure): f.verdict for f in report(counts)}
    assert verdicts == {
        ("4", "errors"): "worse",
        ("4", "latency"): "no difference shown",
        ("4", "outcome"): "better",
        ("5", "errors"): "no difference shown",
        ("5", "latency"): "better",
        ("5", "outcome"): "too few",
    }
    assert {f.control for f in report(counts, control="5")} == {"5"}
    with pytest.raises(LookupError, match="of these some were: 3, 4, 5"):
        report(counts, control="9")


def test_one_version_alone_has_no_report() -> None:
    """There is nothing to compare with, and a version without requests is not compared."""
    assert report([counted("3", 100, 0, 0.1), VersionCounts("4")]) == ()


def test_what_never_varied_is_alike_or_it_is_not() -> None:
    """No division by the variance that there is not."""
    assert means(Sample(100, 1.0, 0.0), Sample(100, 1.0, 0.0)).p_value == 1.0
    assert means(Sample(100, 1.0, 0.0), Sample(100, 2.0, 0.0)).p_always == 0.0
    assert rates(Sample.of_rate(0, 100), Sample.of_rate(0, 100)).p_always == 1.0
