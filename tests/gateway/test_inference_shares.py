"""Weights are shares of the requests, exactly and evenly."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from weyr.gateway.inference.shares import Shares


def turns(weights: list[int], count: int) -> list[int | None]:
    shares = Shares(weights)
    return [shares.next() for _ in range(count)]


def test_a_small_share_is_spread_evenly() -> None:
    """5 of 100 is every twentieth request: a canary sees traffic from its first minute on, and no burst."""
    got = [at for at, who in enumerate(turns([95, 5], 1000)) if who == 1]
    assert len(got) == 50
    assert {after - before for before, after in pairwise(got)} == {20}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_each_has_exactly_its_weight_after_every_round(weights: list[int]) -> None:
    """And nobody is ever far from its share on the way there; who has no weight gets nothing."""
    total = sum(weights)
    if not total:
        assert turns(weights, 3) == [None] * 3
        return
    got = turns(weights, total)
    assert [got.count(at) for at in range(len(weights))] == weights
    for at, weight in enumerate(weights):
        for count in range(1, total + 1):
            assert abs(got[:count].count(at) - count * weight / total) <= len(weights) / 2
