"""Which replicas are left alone? What one broken or slow replica may cost its callers, and what it may not."""

from dataclasses import dataclass, field

import pytest

from weyr.core.route_limits import Ejection
from weyr.gateway.inference.outliers import Health, judge_failures, judge_latencies

RULE = Ejection(errors=3, for_s=10, share=0.5, slow=3)


@dataclass
class Replica:
    health: Health = field(default_factory=Health)


def fail(replica: Replica, everyone: list[Replica], now: float = 0.0, times: int = 3) -> bool:
    out = False
    for _ in range(times):
        replica.health.failed()
        out = judge_failures(RULE, replica.health, everyone, now)
    return out


def test_failures_in_a_row_put_a_replica_out_and_a_success_between_does_not() -> None:
    """A replica whose model is broken gets no more of the traffic; one that fails now and then does."""
    replicas = [Replica(), Replica()]
    assert not fail(replicas[0], replicas, times=2)
    replicas[0].health.succeeded(0.01)
    assert not fail(replicas[0], replicas, times=2)
    assert fail(replicas[0], replicas, times=1)
    assert not replicas[0].health.may_take(9.9)


def test_never_more_than_a_share_is_out() -> None:
    """Replicas that all fail are not outliers: the last ones go on answering, and the only one always does."""
    four, single = [Replica() for _ in range(4)], [Replica()]
    assert [fail(replica, four) for replica in four] == [True, True, False, False]
    assert not fail(single[0], single)


def test_one_request_tries_it_before_everybody_does() -> None:
    """A replica that came back is not met by the whole crowd, nor one that did not."""
    replicas = [Replica(), Replica()]
    health = replicas[0].health
    fail(replicas[0], replicas)
    assert health.may_take(10.0)
    health.sent()
    assert not health.may_take(10.0)
    health.succeeded(0.01)
    assert health.may_take(10.0)
    assert not health.is_on_trial


def test_it_is_left_alone_for_longer_each_time() -> None:
    """A replica that fails its trial waits twice as long for the next, up to a bound."""
    replicas = [Replica(), Replica()]
    health = replicas[0].health
    fail(replicas[0], replicas)
    now, waits = 10.0, []
    for _ in range(8):
        health.sent()
        assert fail(replicas[0], replicas, now, times=1)
        waits.append(health.out_until - now)
        now = health.out_until
    assert waits == [20, 40, 80, 160, 300, 300, 300, 300]


def test_a_caller_who_leaves_during_the_trial_does_not_lock_the_replica_out() -> None:
    """The trial's outcome may never come; the next request is then the trial."""
    replicas = [Replica(), Replica()]
    fail(replicas[0], replicas)
    replicas[0].health.sent()
    replicas[0].health.left()
    assert replicas[0].health.may_take(10.0)


@pytest.mark.parametrize(
    ("latencies", "out"),
    [
        ([0.01, 0.01, 0.05], [2]),
        ([0.01, 0.01, 0.02], []),
        ([0.01, 0.05], []),
        ([0.0001, 0.0001, 0.0009], []),
        ([0.01, 0.01, 0.05, 0.06, 0.07], []),
    ],
    ids=["far slower", "slower", "two have no median", "noise", "where most are slow the median is slow"],
)
def test_who_is_far_slower_than_the_others_is_put_out(latencies: list[float], out: list[int]) -> None:
    """A replica on a throttled or shared device is told from a model that is slow everywhere."""
    replicas = [Replica() for _ in latencies]
    for replica, latency in zip(replicas, latencies, strict=True):
        for _ in range(20):
            replica.health.succeeded(latency)
    judge_latencies(RULE, replicas, 0.0)
    assert [at for at, replica in enumerate(replicas) if replica.health.is_on_trial] == out


def test_few_answers_condemn_nobody() -> None:
    """The first request after a start loads caches; it alone says nothing."""
    replicas = [Replica() for _ in range(3)]
    for replica, latency in zip(replicas, (0.01, 0.01, 1.0), strict=True):
        replica.health.succeeded(latency)
    assert not judge_latencies(RULE, replicas, 0.0)
