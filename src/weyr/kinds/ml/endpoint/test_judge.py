"""A version is taken back for what it does, and not for chance, nor for what the old one does as well."""

from bisect import bisect_left
from typing import Any

import pytest

from weyr.core.routes import LATENCY_BUCKETS_S, VersionCounts
from weyr.core.schema import ValidationError, from_plain
from weyr.kinds.ml.endpoint.fields.rollout import AbortIf, Rollout
from weyr.kinds.ml.endpoint.judge import Figures, Tally, chance_of, judge, quantile_s

FINE = Figures(requests=2000, errors=2)


def timed(fast: int, slow: int = 0, slow_s: float = 1.0) -> Figures:
    """So many answers in 10 ms, and so many in `slow_s`."""
    buckets = [0] * (len(LATENCY_BUCKETS_S) + 1)
    buckets[bisect_left(LATENCY_BUCKETS_S, 0.01)] += fast
    buckets[bisect_left(LATENCY_BUCKETS_S, slow_s)] += slow
    return Figures(requests=fast + slow, buckets=tuple(buckets))


def rated(count: int, good: int) -> Figures:
    """Outcomes of 1 and 0."""
    return Figures(requests=count, outcomes=count, outcome_sum=good, outcome_squares=good)


CASES: dict[str, tuple[dict[str, str], Figures, Figures, str]] = {
    # what is seen: (the limits, the old version, the new one, what follows)
    "one failure of three": ({"errors": "2%"}, FINE, Figures(3, 1), "waits"),
    "three failures of three": ({"errors": "2%"}, FINE, Figures(3, 3), "abort"),
    "four in a hundred": ({"errors": "2%"}, FINE, Figures(100, 4), "waits"),
    "forty in a thousand": ({"errors": "2%"}, FINE, Figures(1000, 40), "abort"),
    "two in a hundred": ({"errors": "2%"}, FINE, Figures(100, 2), "goes on"),
    "as many as the old one's": ({"errors": "2%"}, Figures(2000, 800), Figures(200, 80), "waits"),
    "no failure may be": ({"errors": "0%"}, Figures(2000), Figures(500, 3), "abort"),
    "too few requests": ({"errors": "2%"}, FINE, Figures(99), "waits"),
    "slow ones above a time": ({"latency_p99": "300ms"}, timed(2000), timed(960, 40), "abort"),
    "a few slow ones": ({"latency_p99": "300ms"}, timed(2000), timed(197, 3), "waits"),
    "none above a time": ({"latency_p99": "300ms"}, timed(2000), timed(1000), "goes on"),
    "slower than the old one": ({"latency_p99": "1.5x"}, timed(2000), timed(500, 500, 0.05), "abort"),
    "as slow as the old one": ({"latency_p99": "1.5x"}, timed(1000, 1000), timed(100, 100), "goes on"),
    "an old one that nobody asked": ({"latency_p50": "1.2x"}, timed(3), timed(500), "waits"),
    "outcomes below a figure": ({"quality": "0.9"}, FINE, rated(400, 300), "abort"),
    "outcomes a little below": ({"quality": "0.9"}, FINE, rated(100, 88), "waits"),
    "no outcomes": ({"quality": "0.9"}, FINE, Figures(500), "waits"),
    "outcomes below the old one's": ({"quality": "0.98x"}, rated(4000, 3800), rated(400, 300), "abort"),
    "outcomes as the old one's": ({"quality": "0.98x"}, rated(4000, 3800), rated(400, 380), "goes on"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_seen_of_a_version_is_judged(case: str) -> None:
    """Early where it is certain, late where it is not, and with the reason in words."""
    limits, old, new, expected = CASES[case]

    verdict = judge(from_plain(AbortIf, limits), old, new, 100)

    assert ("abort" if verdict.abort else "waits" if verdict.waits else "goes on") == expected, verdict


def test_chances_are_those_of_a_binomial() -> None:
    """Against sums written out, at both ends and in the middle."""
    assert chance_of(1, 3, 0.5) == 1.0, "no more than is expected is never a surprise"
    assert chance_of(3, 3, 0.02) == pytest.approx(0.02**3)
    assert chance_of(2, 3, 0.02) == pytest.approx(3 * 0.02**2 * 0.98 + 0.02**3)
    assert chance_of(60, 1_000_000, 0.00001) < 1e-20
    assert (chance_of(0, 10, 0.1), chance_of(1, 10, 0.0)) == (1.0, 0.0)


def test_a_quantile_lies_in_its_bucket() -> None:
    """Latencies are told as a histogram knows them."""
    assert quantile_s(timed(99, 1).buckets, 0.5) == pytest.approx(0.0075, abs=0.0025)
    assert 0.5 <= quantile_s(timed(50, 50).buckets, 0.99) <= 1.0
    assert quantile_s((), 0.99) == 0.0


def test_counters_that_begin_anew_lose_nothing() -> None:
    """A plane that was started again counts from nothing."""
    tally = Tally()
    for requests, errors in ((100, 5), (150, 6), (20, 2), (30, 2)):
        tally = tally.read(VersionCounts("2", requests=requests, errors=errors))

    assert (tally.sum.requests, tally.sum.errors) == (50 + 20 + 10, 1 + 2 + 0)
    assert tally.read(None) == tally
    assert tally.anew().read(VersionCounts("2", requests=31, errors=2)).sum.requests == 1


WRONG: tuple[dict[str, Any], ...] = (
    {"abort_if": {"latency_p99": "0.5x"}}, {"abort_if": {"latency_p99": "fast"}}, {"abort_if": {"quality": "good"}},
    {"abort_if": {"errors": "2"}}, {"surge": "many"}, {"strategy": "big-bang"}, {"steps": []},
)  # fmt: skip


@pytest.mark.parametrize("fields", WRONG, ids=str)
def test_a_limit_that_says_nothing_is_refused(fields: dict[str, Any]) -> None:
    """In the plan, not in the night."""
    with pytest.raises(ValidationError):
        from_plain(Rollout, fields)


def test_answers_a_little_above_the_limit_are_seen_to_be_above_it() -> None:
    """400 ms where 300 are allowed is too slow, though a coarse histogram would have both below half a second."""
    limits = AbortIf(latency_p99="300ms")

    assert judge(limits, Figures(), timed(150, 50, 0.4), 100).abort
    assert not judge(limits, Figures(), timed(150, 50, 0.28), 100).abort
