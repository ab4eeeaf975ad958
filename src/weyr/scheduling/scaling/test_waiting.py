"""Which share of requests is late with so many replicas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.scheduling.scaling.waiting import shares_late


def test_one_more_replica_never_makes_more_late() -> None:
    """The table of an M/M/c/K queue, from which replicas are bought one by one."""
    shares = shares_late(100.0, 0.15, 0.7, 50, 4, 10)
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[3] > 0.05 > shares[5]


def test_it_agrees_with_the_known_case_of_one_server() -> None:
    """M/M/1/K in closed form: with load 0.5 the share that finds more than n before it is about 0.5 ** (n + 1)."""
    # Nothing is set aside: the target is the work that is set aside, and three and a half services more.
    share = shares_late(5.0, 0.1, 1.3 * 0.1 + 0.35, 1000, 1, 1)[1]
    assert share == pytest.approx(0.5**5, rel=0.05)


@given(st.floats(0, 1e5), st.floats(1e-3, 100), st.floats(1e-3, 100), st.integers(0, 10_000), st.integers(1, 64))
def test_a_share_is_a_share(rate: float, service_s: float, target_s: float, queue_max: int, concurrency: int) -> None:
    """However extreme the traffic, nothing overflows, and large crowds do not take long."""
    shares = shares_late(rate, service_s, target_s, queue_max, concurrency, 200)
    assert len(shares) == 201
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares, reverse=True)
