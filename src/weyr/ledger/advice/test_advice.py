"""What counts as waste, what it costs, and what is never proposed. Plain values in, findings out."""

from dataclasses import replace

import pytest

from weyr.core.ref import Ref
from weyr.core.units import DAY_S, HOUR_S
from weyr.ledger.advice.advise import savings_of, total_micros
from weyr.ledger.advice.values import (
    Asked,
    Change,
    Confidence,
    IdleNode,
    Interruptible,
    Left,
    Looked,
    Pool,
    Rule,
    Saving,
    Session,
    Stored,
    Subject,
    Traffic,
)
from weyr.ledger.prices import Catalogue
from weyr.store.use_peaks import UsePeak

FARGATE = Catalogue.shipped().book("aws/fargate")
MONDAY_9 = 1_764_579_600_000
"""2025-12-01 09:00 UTC, a Monday."""
LOOKED = Looked(MONDAY_9)
GIB = 2**30


def hours_before(hours: float) -> int:
    return MONDAY_9 - round(hours * HOUR_S * 1000)


def subject(kind: str = "job", name: str = "train", **fields: object) -> Subject:
    return Subject(Ref("digits", kind, name), FARGATE, **fields)  # type: ignore[arg-type]


def peak(sku: str, asked: int, used: int, ran_h: float = 3.0, busy_ms: int = 0) -> UsePeak:
    ref = Ref("digits", "job", "train")
    return UsePeak(ref, sku, asked, used, round(ran_h * HOUR_S * 1000), MONDAY_9, busy_ms)


def only(found: Subject, looked: Looked = LOOKED) -> Saving:
    (saving,) = savings_of([found], looked)
    return saving


TRAIN = subject(
    ran_hours=100.0,
    asked=Asked(4000, 16 * GIB, ends=True),
    peaks={"task.cpu": peak("task.cpu", 4000, 900), "task.memory": peak("task.memory", 16_000, 2000)},
)


def test_what_is_asked_for_and_never_used_is_priced_by_the_hours_that_ran() -> None:
    """4 CPUs for 0.9 used and 16 GiB for 2 used: what fits leaves half of the CPU and a third of the memory free."""
    saving = only(TRAIN)

    assert saving.rule is Rule.OVERSIZED
    assert [(c.path, c.value) for c in saving.changes] == [
        (("resources", "cpu"), 1.4), (("resources", "memory"), "2688MiB"),
    ]  # fmt: skip
    assert saving.micros_per_month == round((2.6 * 40_480 + (16 - 2.625) * 4_445) * 100)
    assert saving.confidence is Confidence.MEDIUM
    assert "0.9 of its 4 CPUs" in saving.detail


@pytest.mark.parametrize(
    "peaks",
    [
        {},
        {"task.cpu": peak("task.cpu", 4000, 2000)},
        {"task.cpu": peak("task.cpu", 8000, 100)},
        {"task.cpu": peak("task.cpu", 4000, 100, ran_h=5 / HOUR_S)},
    ],
    ids=["nothing measured", "little to gain", "measured of another request", "over before it worked"],
)
def test_nothing_is_made_smaller_without_having_seen_it_work(peaks: dict[str, UsePeak]) -> None:
    """A task that runs out of memory costs more than a large one."""
    assert savings_of([replace(TRAIN, peaks=peaks)], LOOKED) == ()


def test_a_service_is_made_smaller_only_after_it_was_watched_for_as_long_as_idle_means() -> None:
    """A server that began a minute ago has not met its load yet."""
    served = replace(TRAIN, asked=Asked(4000), tasks_running=2)
    young = replace(served, peaks={"task.cpu": peak("task.cpu", 4000, 100, ran_h=0.5)})

    assert savings_of([young], LOOKED) == ()
    saving = only(young, replace(LOOKED, idle_s=60))
    assert saving.micros_per_month == pytest.approx(2 * 3.8 * 40_480 * 730, rel=1e-6), "both replicas, all month"


def test_on_a_pools_node_a_smaller_task_costs_the_same_node() -> None:
    """No money is promised that nobody would save."""
    assert savings_of([replace(TRAIN, asked=Asked(4000, 16 * GIB, is_on_pool=True, ends=True))], LOOKED) == ()


def test_a_session_is_not_made_smaller_for_what_was_done_in_it_so_far() -> None:
    """Yesterday it was an editor, today it is a training."""
    assert savings_of([replace(TRAIN, session=Session(3600.0))], LOOKED) == ()


def session(idle_after_s: float, has_calendar: bool = False, idle_h: float = 63) -> Subject:
    busy_ms = hours_before(idle_h)
    return subject(
        "dev", "notebook", rate_micros_per_hour=1_000_000, running_since_ms=hours_before(90), tasks_running=1,
        asked=Asked(1000), session=Session(idle_after_s, has_calendar),
        peaks={"task.cpu": peak("task.cpu", 1000, 900, 90, busy_ms)},
    )  # fmt: skip


def test_a_session_that_was_forgotten_over_a_weekend_says_what_it_has_cost() -> None:
    """Friday 18:00 to Monday 9:00 is 63 hours; with four days of idle_after it would go on."""
    saving = only(session(4 * DAY_S))

    assert saving.rule is Rule.IDLE_SESSION
    assert "over a weekend" in saving.detail
    assert "63.00 so far" in saving.detail
    assert saving.changes == (Change(Ref("digits", "dev", "notebook"), ("idle_after",), "1h", "345600s"),)
    assert saving.micros_per_month == 570 * 1_000_000, "a month but its 160 working hours"
    assert saving.wake


def test_a_session_that_something_keeps_awake_gets_hours_and_one_with_hours_is_left_alone() -> None:
    """A page that is left open is activity: only a calendar ends it at night."""
    assert only(session(3600)).changes[0].path == ("calendar",)
    assert savings_of([session(3600, has_calendar=True)], LOOKED) == ()
    assert savings_of([session(4 * DAY_S, idle_h=0.5)], LOOKED) == (), "half an hour is a lunch"


def test_a_session_that_will_end_by_itself_is_no_finding() -> None:
    """Idle for a quarter of an hour, with an hour to go: nothing keeps it awake, and nobody needs a calendar."""
    asked = replace(LOOKED, idle_s=900.0)
    assert savings_of([session(3600, idle_h=0.5)], asked) == ()
    assert only(session(3600, idle_h=1.1)).changes[0].path == ("calendar",)


def test_a_night_is_not_called_a_weekend() -> None:
    """Whoever reads it should find the days right."""
    assert "weekend" not in only(session(4 * DAY_S, idle_h=8)).detail


def pool(kept: int, idle_after_s: float, price: int | None = 98_000_000) -> Subject:
    nodes = tuple(IdleNode(f"{n}", hours_before(63), 8, price) for n in range(2))
    return subject("pool", "gpu", pool=Pool(kept, idle_after_s, nodes))


def test_idle_gpus_cost_what_their_nodes_cost() -> None:
    """Two nodes of eight H100 that a pool keeps for nobody."""
    saving = only(pool(kept=2, idle_after_s=300))

    assert saving.rule is Rule.IDLE_GPU
    assert saving.detail.startswith("16 GPUs on 2 idle nodes")
    assert saving.micros_per_month == 2 * 98_000_000 * 730
    assert [(c.path, c.value) for c in saving.changes] == [(("min",), 0)]


def test_a_node_whose_price_is_unknown_is_told_without_one() -> None:
    """Unknown is never nothing; it is told last."""
    found = savings_of([pool(2, 300, price=None), TRAIN], LOOKED)

    assert [saving.micros_per_month is None for saving in found] == [False, True]
    assert total_micros(found) == found[0].micros_per_month


def test_nodes_that_go_by_themselves_are_no_finding() -> None:
    """A pool with nothing to keep lets them go within five minutes."""
    assert savings_of([pool(kept=0, idle_after_s=300)], LOOKED) == ()
    assert only(pool(kept=0, idle_after_s=DAY_S)).changes[0].value == "5m"


def test_devices_that_compute_nothing_are_told_and_left_to_a_person() -> None:
    """A job may wait for data; nobody stops it for that."""
    device = peak("device", 1000, 900, busy_ms=hours_before(5))
    found = subject(running_since_ms=hours_before(9), rate_micros_per_hour=2_000_000, tasks_running=1,
                    asked=Asked(1000, devices=1, is_on_pool=True, ends=True), peaks={"device": device})  # fmt: skip

    saving = only(found)

    assert saving.rule is Rule.IDLE_GPU
    assert "computed nothing for 5h" in saving.detail
    assert saving.changes == ()
    assert saving.by_hand


def endpoint(traffic: Traffic) -> Subject:
    return subject("endpoint", "chat", rate_micros_per_hour=4_000_000, running_since_ms=hours_before(200),
                   tasks_running=2, traffic=traffic)  # fmt: skip


def test_replicas_that_wait_for_nobody_may_sleep() -> None:
    """One of two replicas is kept at rest; the other goes by itself."""
    saving = only(endpoint(Traffic(hours_before(200), kept=1, most=4)))

    assert saving.rule is Rule.NO_TRAFFIC
    assert saving.micros_per_month == 2_000_000 * 730
    assert [(c.path, c.value) for c in saving.changes] == [(("scale", "min"), 0)]
    assert saving.confidence is Confidence.HIGH
    assert savings_of([endpoint(Traffic(hours_before(200), kept=0, most=4))], LOOKED) == (), "it sleeps already"
    assert savings_of([endpoint(Traffic(hours_before(0.5), kept=1, most=4))], LOOKED) == (), "somebody asks"


def test_a_fixed_number_of_replicas_becomes_a_scale() -> None:
    """`replicas` and `scale` may not both stand."""
    saving = only(endpoint(Traffic(hours_before(200), kept=2, most=2, has_scale=False)))

    assert [(c.path, c.value) for c in saving.changes] == [(("scale",), {"min": 0, "max": 2}), (("replicas",), None)]


def test_spot_is_proposed_only_for_what_survives_a_reclaim() -> None:
    """A job without checkpoints would begin anew each time."""
    could = Interruptible(("spot",), 100.0, "it goes on from its checkpoints", redone_milli=50)
    found = replace(TRAIN, peaks={}, interruptible=could)

    saving = only(found)

    assert saving.rule is Rule.SPOT
    assert [(c.path, c.value) for c in saving.changes] == [(("spot",), True)]
    on_demand, on_spot = 4 * 40_480 + 16 * 4_445, 4 * 12_140 + 16 * 1_330
    assert saving.micros_per_month == pytest.approx(100 * on_demand - 105 * on_spot, abs=2), "5 % is computed twice"
    assert TRAIN.asked is not None
    assert savings_of([replace(found, interruptible=None)], LOOKED) == ()
    for other in (replace(TRAIN.asked, is_spot=True), replace(TRAIN.asked, is_on_pool=True)):
        assert savings_of([replace(found, asked=other)], LOOKED) == ()


def test_old_checkpoints_get_a_rule_beside_those_there_are_and_are_never_ended_unasked() -> None:
    """A rule deletes: it says so, and whoever applies has to name it."""
    left = {"checkpoints/old/": Left(500 * GIB, hours_before(24 * 60))}
    kept = {"prefix": "tmp/", "expire_after": "7d"}
    saving = only(subject("bucket", "lake", stored=Stored(900 * GIB, rules=(kept,), old_checkpoints=left)))

    assert saving.rule is Rule.OLD_CHECKPOINTS
    assert saving.changes[0].value == [kept, {"prefix": "checkpoints/old/", "expire_after": "30d"}]
    assert saving.micros_per_month == 500 * 23_000
    assert saving.loses


def test_old_checkpoints_of_a_bucket_with_a_colder_tier_may_go_there_instead() -> None:
    """Who does not want to delete them is told what keeping them cheaply saves; what has no price is no offer."""
    left = {"checkpoints/old/": Left(500 * GIB, hours_before(24 * 60))}
    told = {
        tiers: only(subject("bucket", "lake", stored=Stored(900 * GIB, old_checkpoints=left, tiers=tiers))).detail
        for tiers in ((), ("cold",), ("standard_ia", "glacier_ir"))
    }

    assert [("would save" in detail) for detail in told.values()] == [False, False, True]
    assert "moves them to glacier_ir (move_after: 30d, to: glacier_ir) would save 83 %" in [*told.values()][2]


def test_a_bucket_that_nobody_names_or_reads_is_told_and_never_removed() -> None:
    """It may be somebody's only copy."""
    stored = Stored(900 * GIB, reads=0, since_ms=hours_before(24 * 40))
    saving = only(subject("bucket", "lake", stored=stored))

    assert saving.rule is Rule.UNUSED_BUCKET
    assert saving.changes == ()
    for other in (
        replace(stored, named_by=(Ref("digits", "job", "train"),)), replace(stored, reads=1),
        replace(stored, reads=None), replace(stored, since_ms=hours_before(24 * 20)),
    ):  # fmt: skip
        assert savings_of([subject("bucket", "lake", stored=other)], LOOKED) == ()


def test_what_is_worth_less_than_a_cent_a_month_is_not_told() -> None:
    """A list of trifles hides what matters."""
    assert savings_of([replace(TRAIN, ran_hours=0.001)], LOOKED) == ()
    assert len(savings_of([replace(TRAIN, ran_hours=0.001)], replace(LOOKED, least_micros=0))) == 1


def test_the_sum_counts_an_object_once() -> None:
    """A job made smaller and moved to spot does not save its price twice."""
    found = savings_of([replace(TRAIN, interruptible=Interruptible(("spot",), 100.0, "it has checkpoints"))], LOOKED)

    assert {saving.rule for saving in found} == {Rule.SPOT, Rule.OVERSIZED}
    assert total_micros(found) == max(saving.micros_per_month or 0 for saving in found)
