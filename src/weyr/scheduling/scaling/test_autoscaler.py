"""How many replicas an endpoint gets: rules that hold whatever is measured."""

import doctest
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.scheduling import scaling
from weyr.scheduling.scaling import Autoscaler, Load

STEADY = Load("chat", arrived=400, queued=0, ended=400, service_s=0.15, latency_target_s=0.7, concurrency=4)


def steady(loads: Sequence[Load], ticks: int, quota: int | None = None, tick_s: float = 10.0) -> list[dict[str, int]]:
    scaler = Autoscaler()
    return [scaler.targets(loads, (at + 1) * tick_s, quota) for at in range(ticks)]


def lived(
    scaler: Autoscaler, load: Load, arrivals: Iterable[float], start_s: float = 35.0, from_s: float = 0.0
) -> list[int]:
    """Targets of an endpoint whose replicas start as asked, ten seconds a tick."""
    up: list[float] = []
    targets = []
    for tick, arrived in enumerate(arrivals):
        now = from_s + 10.0 * (tick + 1)
        ready = sum(at <= now for at in up)
        waits = arrived if arrived and not ready else 0
        seen = replace(load, arrived=arrived, queued=waits, ended=arrived, replicas=ready, starting=len(up) - ready)
        target = scaler.targets([seen], now)[load.name]
        up = [*up, *[now + start_s] * (target - len(up))][:target]
        targets.append(target)
    return targets


def test_the_example_in_the_docs_is_right() -> None:
    """Who evaluates it begins with the example."""
    assert doctest.testmod(scaling).failed == 0


counts = st.one_of(st.none(), st.integers(0, 300), st.sampled_from([math.nan, math.inf, -1.0]))
times = st.one_of(st.none(), st.floats(0, 20), st.sampled_from([math.nan, 0.0, -3.0]))
loads = st.builds(
    Load,
    st.just("a"),
    arrived=counts,
    queued=counts,
    in_flight=counts,
    ended=counts,
    service_s=times,
    latency_s=times,
    replicas=st.one_of(st.none(), st.integers(0, 20)),
    starting=st.one_of(st.none(), st.integers(0, 5)),
    concurrency=st.integers(1, 16),
    latency_target_s=st.one_of(st.none(), st.floats(0.01, 30)),
    start_s=st.one_of(st.none(), st.floats(0, 120)),
    replicas_min=st.integers(0, 3),
    replicas_max=st.one_of(st.none(), st.integers(3, 12)),
    floor=st.integers(0, 4),
)


@settings(max_examples=30)
@given(st.lists(st.tuples(loads, loads, st.floats(1, 60)), min_size=1, max_size=4), st.integers(0, 12))
def test_no_history_breaks_a_bound(history: list[tuple[Load, Load, float]], quota: int) -> None:
    """Whatever is measured, or is not: never more than the quota or the ceiling, never less than a floor that fits."""
    scaler, free, now = Autoscaler(), Autoscaler(), 0.0
    for one, other, tick_s in history:
        now += tick_s
        both = [one, replace(other, name="b")]
        targets, unbound = scaler.targets(both, now, quota), free.targets(both, now)
        assert sum(targets.values()) <= quota
        for load in both:
            top = math.inf if load.replicas_max is None else load.replicas_max
            assert max(load.replicas_min, min(load.floor, top)) <= unbound[load.name] <= top
            assert 0 <= targets[load.name] <= top


@settings(max_examples=30)
@given(st.lists(st.tuples(loads, st.floats(1, 60)), min_size=2, max_size=5))
def test_what_was_learnt_survives_a_restart(history: list[tuple[Load, float]]) -> None:
    """A server that was restarted goes on as if it had not been; and equal calls have equal answers."""
    whole, part, now = Autoscaler(), Autoscaler(), 0.0
    for load, tick_s in history:
        now += tick_s
        part = Autoscaler(state=json.loads(json.dumps(part.state)))
        assert part.targets([load], now) == whole.targets([load], now)


def test_steady_traffic_gets_steady_replicas() -> None:
    """Each change costs a start: constant load is no reason for one."""
    targets = [each["chat"] for each in steady([STEADY], 60)]
    assert len(set(targets[18:])) == 1
    assert 2 <= targets[-1] <= 4


@pytest.mark.parametrize("tick_s", [1.0, 5.0, 30.0, 60.0])
def test_the_length_of_a_tick_does_not_matter(tick_s: float) -> None:
    """The same traffic asks for the same replicas, however often one looks."""
    load = replace(STEADY, arrived=40 * tick_s, ended=40 * tick_s)
    assert 2 <= steady([load], math.ceil(600 / tick_s), tick_s=tick_s)[-1]["chat"] <= 4


def test_the_first_tick_is_answered_sensibly() -> None:
    """An evaluator that asks once, without a history, gets what the traffic needs and not many times as much."""
    assert 2 <= Autoscaler().targets([STEADY], 10.0)["chat"] <= 8


def test_a_burst_of_ten_times_is_followed_at_once() -> None:
    """After an hour of the same, the first tick of a new time starts what it needs."""
    targets = lived(Autoscaler(), STEADY, [*[400] * 360, *[4000] * 3])
    assert targets[359] <= 4
    assert targets[360] >= 0.6 * 4000 / 10 * 0.15 / 4


def test_bursts_that_nothing_announces_move_little() -> None:
    """Where a tick has nothing to do with the last, starting after each burst and ending after it helps nobody."""
    bursts = [4000 if tick % 7 in (0, 3) else 0 for tick in range(400)]
    targets = lived(Autoscaler(), STEADY, bursts)[200:]
    assert max(targets) - min(targets) <= 0.25 * max(targets)


def test_what_is_not_known_is_not_zero() -> None:
    """A scrape that failed for some ticks is no reason to end replicas."""
    scaler = Autoscaler()
    for tick in range(30):
        before = scaler.targets([replace(STEADY, in_flight=6)], 10.0 * (tick + 1))["chat"]
    unknown = Load("chat", latency_target_s=0.7, concurrency=4, replicas=before, starting=0)
    after = [scaler.targets([unknown], 300.0 + 10.0 * (tick + 1))["chat"] for tick in range(6)]
    assert min(after) >= before


def test_nothing_is_started_without_traffic() -> None:
    """An endpoint that nobody asks costs nothing, whatever else is told of it."""
    idle = Load("idle", arrived=0, queued=0, in_flight=0, replicas=0, starting=0, replicas_min=0)
    assert {each["idle"] for each in steady([idle], 50)} == {0}


def test_it_sleeps_once_idle_and_wakes_at_the_first_request() -> None:
    """Scale to zero after `idle_after_s`, not before; a request that waits has a replica asked for at once."""
    load = replace(STEADY, replicas_min=0, idle_after_s=100.0)
    targets = lived(Autoscaler(), load, [0, 40, 40, *[0] * 14, 1])
    assert targets[0] == 0
    assert targets[1] >= 1
    assert min(targets[1:12]) >= 1
    assert targets[14:17] == [0, 0, 0]
    assert targets[17] == 1


def test_more_traffic_never_gets_fewer() -> None:
    """A rule that can be read off a graph."""
    last = [steady([replace(STEADY, arrived=n, ended=n)], 20)[-1]["chat"] for n in (0, 50, 200, 400, 1000, 4000)]
    assert last == sorted(last)
    assert last[-1] >= 4000 / 10 * 0.15 / 4


def test_a_larger_quota_is_used_where_it_helps() -> None:
    """Who buys capacity has more of it used, until all that is worth its price is there."""
    others = [replace(STEADY, name=name, arrived=n, ended=n) for name, n in (("a", 300), ("b", 600), ("c", 900))]
    used = [sum(steady(others, 15, quota)[-1].values()) for quota in range(3, 25)]
    assert used == sorted(used)
    assert used[-1] == sum(steady(others, 15)[-1].values())


def test_a_short_quota_goes_where_it_saves_most() -> None:
    """By fairness the small endpoint is not starved by the large; by value it is served whose requests count more."""
    small, large = (replace(STEADY, name=name, arrived=n, ended=n) for name, n in (("small", 400), ("large", 3000)))
    quota = steady([small, large], 15)[-1]["large"]
    fair = steady([small, large], 15, quota)[-1]
    assert fair["small"] == steady([small], 15)[-1]["small"]
    dear = [small, replace(large, weight=9.0)]
    by_value = Autoscaler(share="value")
    valued = [by_value.targets(dear, 10.0 * (at + 1), quota) for at in range(15)][-1]
    assert valued["large"] > fair["large"]


def test_floors_are_met_by_turns_where_the_quota_is_less() -> None:
    """Two endpoints of three replicas each share four as two and two, not three and one."""
    loads = [Load(name, arrived=0, replicas_min=3) for name in ("a", "b")]
    assert steady(loads, 1, 4)[-1] == {"a": 2, "b": 2}


def test_the_start_of_a_replica_is_learnt() -> None:
    """A model that takes minutes to load is asked for in time: how long is seen, not configured."""
    scaler = Autoscaler()
    lived(scaler, STEADY, [*[40] * 10, *[2000] * 30], start_s=80.0)
    assert "starts in 80 s" in scaler.why("chat")


def test_a_rhythm_is_foreseen() -> None:
    """Traffic that comes back every 20 minutes finds its replicas up."""
    wave = [max(0.0, 400 + 380 * math.sin(2 * math.pi * tick / 120)) for tick in range(720)]
    targets = lived(Autoscaler(), STEADY, wave)
    bottom = max(range(480, 600), key=lambda tick: -wave[tick])
    assert max(targets[bottom + 20 : bottom + 30]) > max(targets[bottom - 5 : bottom + 5])


KNOWN: dict[str, dict[str, Any]] = {
    "arrivals alone": {"arrived": 400},
    "arrivals and a service time": {"arrived": 400, "service_s": 0.15},
    "in flight, waiting and a service time": {"in_flight": 6, "queued": 0, "service_s": 0.15},
    "arrivals, in flight and what ended": {"arrived": 400, "in_flight": 6, "ended": 400, "queued": 0},
    "what ended and what waits": {"ended": 400, "queued": 0, "service_s": 0.15},
    "latency, a service time and replicas": {"latency_s": 0.17, "service_s": 0.15, "replicas": 3},
}


@pytest.mark.parametrize("known", KNOWN.values(), ids=list(KNOWN))
def test_what_is_known_is_enough(known: dict[str, Any]) -> None:
    """An evaluator that has only some of the measures gets about the same replicas for the same traffic."""
    last = steady([Load("chat", latency_target_s=0.7, concurrency=4, **known)], 30)[-1]["chat"]
    assert 2 <= last <= 6, last


def test_long_waits_seen_by_latency_alone_grow_it() -> None:
    """Latency says that it is too few, if not by how many: it grows until it is enough."""
    scaler, now, target = Autoscaler(), 0.0, 1
    for _ in range(8):
        now += 30
        late = Load("chat", latency_s=3.0, service_s=0.15, replicas=target, concurrency=4, latency_target_s=0.7)
        target = scaler.targets([late], now)["chat"]
    assert target >= 4


def test_mistakes_of_the_caller_are_said_all_at_once() -> None:
    """A wrong field is found in the first call, not in an odd figure."""
    with pytest.raises(ValueError, match=r"concurrency is 0.*replicas_max is 1, and is at least 2.*latency_target_s"):
        Load("chat", concurrency=0, replicas_min=2, replicas_max=1, latency_target_s=0)
    scaler = Autoscaler()
    with pytest.raises(ValueError, match="two loads have one name"):
        scaler.targets([STEADY, STEADY], 10.0)
    with pytest.raises(ValueError, match="quota"):
        scaler.targets([STEADY], 10.0, quota=-1)
    scaler.targets([STEADY], 10.0)
    with pytest.raises(ValueError, match="only goes forward"):
        scaler.targets([STEADY], 10.0)
    with pytest.raises(ValueError, match="more than 0"):
        Autoscaler(worth=0)
