"""How many replicas does a metric of their own ask for?"""

from dataclasses import replace

import pytest

from weyr.core.ref import Ref
from weyr.core.scaling import Demand, Measured
from weyr.reconcile.scaling import LEARNING_S, Scaling
from weyr.reconcile.scaling_metrics import OLD_S, with_metric

A, NOW = Ref("lab", "endpoint", "a"), 1e9
IDLE = Demand(
    arrived=0, worked=0, worked_s=0.0, queued=0, in_flight=0, replicas=2, starting=0, concurrency=4,
    replicas_min=0, replicas_max=9, idle_after_s=60.0, desired=2, metric="jobs", per_replica=10.0, ready=("1", "2"),
)  # fmt: skip


def asked(demand: Demand, values: dict[str, float], at: float = NOW, **troubles: str) -> tuple[int, str]:
    told = with_metric(demand, Measured(at, values, troubles), NOW)
    return told.metric_floor, told.metric_says


@pytest.mark.parametrize(
    ("values", "count"),
    [
        pytest.param({"1": 30.0, "2": 50.0}, 8, id="the mean of all counts"),
        pytest.param({"1": 10.9, "2": 10.9}, 2, id="near enough moves nobody"),
        pytest.param({"1": 2.0, "2": 3.0}, 1, id="few need few"),
        pytest.param({"1": 0.0, "2": 0.0}, 0, id="nothing is known to be nothing"),
        pytest.param({"1": 900.0, "2": 900.0}, 9, id="never above max"),
        pytest.param({"2": 40.0}, 8, id="who is silent is taken to be as the others"),
    ],
)
def test_there_are_as_many_as_bring_the_mean_down(values: dict[str, float], count: int) -> None:
    """What the user named is what one replica should have."""
    assert asked(IDLE, values)[0] == count


@pytest.mark.parametrize(
    ("values", "at", "why"),
    [
        pytest.param({}, NOW, "/metrics has no jobs", id="no such name"),
        pytest.param({"1": 0.0, "2": 0.0}, NOW - OLD_S - 1, "were not asked just now", id="long ago"),
        pytest.param({"1": 0.0}, NOW, "until all tell it", id="one is silent"),
        pytest.param({"7": 0.0}, NOW, "/metrics has no jobs", id="of one that is not ready"),
    ],
)
def test_what_is_not_known_lets_nobody_go_and_is_said(values: dict[str, float], at: float, why: str) -> None:
    """A page that fails while the work piles up must not look like an idle replica."""
    count, says = asked(IDLE, values, at, **{"2": "/metrics has no jobs"})
    assert (count, why in says) == (2, True), says


def test_one_that_names_no_metric_is_left_as_it_is() -> None:
    """Most do not."""
    plain = replace(IDLE, metric="")
    assert with_metric(plain, None, NOW) is plain


def test_the_advice_follows_the_metric_and_names_it() -> None:
    """Work that comes by no request needs replicas too; once there is none left it sleeps again."""
    scaling, there = Scaling(), 2

    def lived(seconds: int, value: float | None, from_s: float) -> tuple[int, str]:
        nonlocal there
        for second in range(seconds):
            now, parts = from_s + second, tuple(str(part) for part in range(there))
            scaling.measured = {} if value is None else {A: Measured(now, dict.fromkeys(parts, value))}
            told = replace(IDLE, replicas=there, ready=parts, desired=there, replicas_max=5)
            advice = scaling.advice(A, told, now)
            assert advice is not None
            there = advice.replicas
        given = scaling.given(A)
        assert given is not None
        return there, given.why

    count, why = lived(90, 25.0, NOW)
    assert (count, "jobs is 25 in the mean of a replica and should be 10" in why) == (5, True), why
    count, why = lived(120, None, NOW + 90)
    assert (count, "jobs is nobody knows" in why) == (5, True), why
    assert lived(int(LEARNING_S) + 120, 0.0, NOW + 210)[0] == 0
