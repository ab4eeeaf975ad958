"""What objects tell of their demand, put to the autoscaler."""

import json
from dataclasses import replace

from weyr.core.ref import Ref
from weyr.core.scaling import Demand, Quota
from weyr.reconcile.scaling import LEARNING_S, Scaling

A, B = Ref("lab", "endpoint", "a"), Ref("lab", "endpoint", "b")
IDLE = Demand(
    arrived=0, worked=0, worked_s=0.0, queued=0, in_flight=0, replicas=1, starting=0, concurrency=4,
    latency_target_s=0.7, replicas_min=1, replicas_max=20, idle_after_s=300.0,
)  # fmt: skip


def lived(
    scaling: Scaling, rates: dict[Ref, float], seconds: int, demand: Demand = IDLE, from_s: int = 0
) -> dict[Ref, int]:
    """Looks once a second at endpoints whose replicas start at once, each request worked on for 0.15 s."""
    counts = dict.fromkeys(rates, demand.replicas)
    for now in range(from_s + 1, from_s + seconds + 1):
        for ref, rate in rates.items():
            ended = round(rate * (now - from_s))
            told = replace(demand, arrived=ended, worked=ended, worked_s=0.15 * ended, replicas=counts[ref])
            advice = scaling.advice(ref, told, 1e9 + now)
            assert advice is not None
            counts[ref] = advice.replicas
    return counts


def test_each_is_advised_by_itself_where_nothing_is_shared() -> None:
    """What one endpoint is asked is no matter of another's."""
    assert lived(Scaling(), {A: 2.0, B: 100.0}, 120) == {A: 1, B: lived(Scaling(), {B: 100.0}, 120)[B]}


def test_a_shared_quota_is_never_passed() -> None:
    """However much all of them are asked."""
    shared = replace(IDLE, quota=Quota("lab:queue/serving", 6))
    counts = lived(Scaling(), {A: 300.0, B: 300.0}, 120, shared)
    assert sum(counts.values()) <= 6


def test_a_plane_that_was_restarted_counts_anew() -> None:
    """Its counts begin at 0: that is not less than nothing arrived, and not a burst either."""
    scaling = Scaling()
    before = lived(scaling, {A: 100.0}, 120)
    assert lived(scaling, {A: 100.0}, 20, replace(IDLE, replicas=before[A]), from_s=120) == before


def test_a_server_that_was_restarted_lets_nothing_go_before_it_knows() -> None:
    """What is there was there for a reason that is forgotten with the process."""
    there = replace(IDLE, replicas=9)
    assert lived(Scaling(), {A: 1.0}, int(LEARNING_S) - 5, there) == {A: 9}
    assert lived(Scaling(), {A: 1.0}, 200, there)[A] < 9


def test_silence_keeps_the_advice_and_a_forgotten_object_has_none() -> None:
    """An engine that does not answer is no reason to start or stop anything."""
    scaling = Scaling()
    counts = lived(scaling, {A: 100.0}, 120)
    kept = scaling.advice(A, None, 2e9)
    assert kept is not None
    assert kept.replicas == counts[A]
    scaling.forget(A)
    assert scaling.advice(A, None, 2e9) is None


def test_a_clock_that_was_set_back_harms_nothing() -> None:
    """Advice begins anew with what is there."""
    scaling = Scaling()
    counts = lived(scaling, {A: 100.0}, 120)
    again = scaling.advice(A, replace(IDLE, replicas=counts[A]), 5.0)
    assert again is not None
    assert again.replicas == counts[A]


def test_what_was_learnt_is_taken_up_by_the_next_server() -> None:
    """Its counts went on while it was away: nothing is begun anew, and what is not needed may go at once."""
    scaling = Scaling()
    before = lived(scaling, {A: 100.0}, 120)
    assert dict(scaling.unsaved(1e9 + 110)) == {}, "not before all were heard"
    stored = dict(scaling.unsaved(1e9 + 120))
    assert stored.keys() == {A.absolute}
    assert dict(scaling.unsaved(1e9 + 121)) == {}, "once a minute"

    after = Scaling(stored)
    told = replace(IDLE, replicas=before[A], arrived=15_000, worked=15_000, worked_s=0.15 * 15_000)
    advice = after.advice(A, told, 1e9 + 150)
    assert advice is not None
    assert 95 < float(advice.why.split()[0]) < 105, advice.why
    assert 4 <= advice.replicas <= before[A]

    begun_anew = Scaling({A.absolute: '{"at": 1, "other": "words"}'}).advice(A, told, 1e9 + 150)
    assert begun_anew is not None
    assert begun_anew.replicas == before[A], "what cannot be read is not known, and nobody goes for that"


def test_what_came_last_before_a_silence_is_stored_too() -> None:
    """Who asks for what came lately finds all of it, also of what has slept since; a silence itself is no news."""
    scaling, asked = Scaling(), 0
    stored: list[dict[str, str]] = []
    for second in range(400):
        asked += 5 if second < 95 else 0
        told = replace(IDLE, replicas_min=0, arrived=asked, worked=asked, worked_s=0.15 * asked, in_flight=second < 95)
        scaling.advice(A, told, 1e9 + second)
        stored.append(dict(scaling.unsaved(1e9 + second)))
    saved = [second for second, each in enumerate(stored) if each]
    steps = json.loads(stored[saved[-1]][A.absolute])["scaler"]["endpoints"][A.absolute]["arrivals"]["steps"]
    assert saved[-1] < 300, "a silence is stored once or twice, and not for ever"
    assert max(steps) > 0


def test_a_look_that_had_to_wait_for_another_costs_nothing_that_was_learnt() -> None:
    """It is told a time from before the other's, and that is no clock that was set back: whoever was asked a hundred
    times a second would be started anew, with one replica."""
    scaling = Scaling()
    before = lived(scaling, {A: 100.0}, 120)[A]
    told = replace(IDLE, arrived=12_100, worked=12_100, worked_s=0.15 * 12_100, replicas=before)
    for second in (118.0, 121.0, 119.5, 122.0):
        scaling.advice(A, told, 1e9 + second)
    given = scaling.given(A)
    assert given is not None
    assert given.replicas == before
    scaling.advice(A, told, 1e9 - 3600)
    given = scaling.given(A)
    assert given is not None
    assert given.why == "it was not looked at before" or "0 requests/s" in given.why, "a clock that was set begins anew"


def test_the_reason_names_what_binds() -> None:
    """Whoever asks why there are so few hears of the limit, the quota or the calendar."""
    reasons = {}
    for what, demand in {
        "max is 2": replace(IDLE, replicas_max=2),
        "its calendar keeps 3": replace(IDLE, floor=3),
        "min is 1": IDLE,
        "all 4 replicas of lab:queue/serving are given out, shared by fairness": replace(
            IDLE, quota=Quota("lab:queue/serving", 4)
        ),
    }.items():
        scaling = Scaling()
        lived(scaling, {A: 1.0 if what.startswith(("its", "min")) else 100.0}, 90, demand)
        given = scaling.given(A)
        assert given is not None
        reasons[what] = given.why
    assert all(what in why for what, why in reasons.items()), reasons
