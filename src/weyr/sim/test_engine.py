"""Is the simulated world one that can be reasoned about? Same seed, same luck; scripts end as real tasks would."""

import pytest

from weyr.core.capability import BucketBody, Capability, CheckpointBody, ModelBody, NoticeBody, TaskBody, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import (
    Absent,
    BucketFacts,
    BucketUse,
    EndReason,
    ModelFacts,
    NoticeFacts,
    Present,
    TaskFacts,
    TaskState,
)
from weyr.sim import Script, SimEngine, VirtualClock
from weyr.sim.faults import FaultRates
from weyr.sim.scripts import Signals, ending_of

BODY = TaskBody(("work",), "/", grace_s=5.0)


def thing(part: str = "1", kind: str = "job") -> ThingId:
    return ThingId(Ref("digits", kind, "train"), part)


def task(engine: SimEngine, part: str = "1") -> TaskFacts:
    seen = engine.tasks.observe([thing(part)])[thing(part)]
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, TaskFacts)
    return seen.facts


ENDS: dict[str, tuple[Script, Signals, float, EndReason]] = {
    "left alone": (Script(work_s=10), Signals(), 10.0, EndReason.SUCCEEDED),
    "failing by itself": (Script(work_s=10, exit_code=2), Signals(), 10.0, EndReason.FAILED),
    "starting up first": (Script(work_s=10, startup_s=3), Signals(), 13.0, EndReason.SUCCEEDED),
    "stopped": (Script(work_s=10, stop_s=1), Signals(stop_at=3), 4.0, EndReason.STOPPED),
    "stopped, and deaf": (Script(work_s=10, stop_s=None), Signals(stop_at=3), 8.0, EndReason.STOPPED),
    "stopped after its end": (Script(work_s=10), Signals(stop_at=12), 10.0, EndReason.SUCCEEDED),
    "reclaimed": (Script(work_s=10, stop_s=1), Signals(notice_at=3, notice_s=2), 4.0, EndReason.RECLAIMED),
    "reclaimed, and too slow": (
        Script(work_s=10, stop_s=9),
        Signals(notice_at=3, notice_s=2),
        5.0,
        EndReason.RECLAIMED,
    ),
    "stopped, then reclaimed": (
        Script(work_s=20, stop_s=9),
        Signals(stop_at=3, notice_at=4, notice_s=1),
        5.0,
        EndReason.STOPPED,
    ),
    "lost": (Script(work_s=10), Signals(lost_at=2), 2.0, EndReason.LOST),
    "lost after its end": (Script(work_s=10), Signals(lost_at=11), 10.0, EndReason.SUCCEEDED),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_script_ends_as_a_real_task_would(case: str) -> None:
    """The first cause wins, a later one can only hasten it."""
    script, signals, at, reason = ENDS[case]
    ending = ending_of(script, BODY, 0.0, 0.0, signals)
    assert (ending.at, ending.end.reason) == (at, reason)


def test_work_that_was_saved_is_not_done_twice() -> None:
    """An interrupted attempt's checkpoint shortens the next one: the reason to have them."""
    clock = VirtualClock()
    engine = SimEngine(clock, scripts=lambda _: Script(work_s=100, starts_after_s=0, stop_s=None))
    body = TaskBody(("work",), "/", checkpoint=CheckpointBody("lake", "checkpoints/train", 10))
    engine.tasks.ensure([Wanted(thing("1"), 1, body)])
    clock.advance(35)
    assert task(engine).saved == "30s#1"
    assert engine.tasks.reclaim(thing("1"), 2)
    clock.advance(5)
    end = task(engine).end
    assert end is not None
    assert end.reason is EndReason.RECLAIMED
    engine.tasks.ensure([Wanted(thing("2"), 1, body)])
    assert task(engine, "2").restored == "30s#1"
    clock.advance(69)
    assert task(engine, "2").state is TaskState.RUNNING
    clock.advance(1)
    assert task(engine, "2").state is TaskState.ENDED


def luck(seed: int) -> str:
    engine = SimEngine(VirtualClock(), seed, FaultRates(loses_replies=0.3, delays=0.1, crashes=0.05, down_s=0))
    story = ""
    for _ in range(200):
        try:
            engine.tasks.inventory()
            story += "."
        except EngineSilent:
            story += "x"
    return story


def test_the_same_seed_has_the_same_luck() -> None:
    """A failure that was found once can be looked at again."""
    assert luck(8841) == luck(8841)
    assert luck(8841) != luck(8842)
    assert 50 < luck(8841).count("x") < 120


def test_a_lost_reply_does_not_say_whether_it_happened() -> None:
    """Over many tries some effects are there and some are not; the caller saw the same each time."""
    clock = VirtualClock()
    engine = SimEngine(clock, 3, FaultRates(loses_replies=1.0))
    for part in range(50):
        with pytest.raises(EngineSilent):
            engine.tasks.ensure([Wanted(thing(str(part)), 1, BODY)])
    engine.faults.stop()
    assert 10 < len(engine.tasks.inventory()) < 40


def test_a_slow_call_takes_effect_after_all() -> None:
    """What was given up on may still come: only a list proves that it has not."""
    clock = VirtualClock()
    engine = SimEngine(clock, 3, FaultRates(delays=1.0, delay_s=5))
    with pytest.raises(EngineSilent):
        engine.tasks.ensure([Wanted(thing(), 1, BODY)])
    engine.faults.stop()
    assert engine.tasks.observe([thing()])[thing()] == Absent()
    clock.advance(5)
    assert engine.tasks.inventory() == [thing()]


def test_a_crashed_engine_is_silent_and_its_tasks_go_on() -> None:
    """Silence is not death."""
    clock = VirtualClock()
    engine = SimEngine(clock, 1)
    engine.tasks.ensure([Wanted(thing(), 1, BODY)])
    engine.faults.rates = FaultRates(crashes=1.0, down_s=30)
    with pytest.raises(EngineSilent):
        engine.tasks.inventory()
    engine.faults.rates = FaultRates()
    clock.advance(29)
    with pytest.raises(EngineSilent):
        engine.tasks.inventory()
    clock.advance(1)
    assert task(engine).ended_at is not None


def test_a_task_that_succeeds_registers_its_model() -> None:
    """The chain from job to model to endpoint can be played through."""
    clock = VirtualClock()
    engine = SimEngine(clock, scripts=lambda _: Script(work_s=1, metrics={"accuracy": 0.97}))
    model = thing("", "model")
    promoted = Wanted(model, 1, ModelBody("digits-digits", (("production", 1),)))
    assert model in engine.models.ensure([promoted]), "there is no version yet"
    engine.tasks.ensure([Wanted(thing(), 1, TaskBody(("work",), "/", model="digits-digits"))])
    clock.advance(5)
    assert task(engine).state is TaskState.ENDED
    assert engine.models.ensure([promoted]) == {}
    seen = engine.models.observe([model])[model]
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, ModelFacts)
    assert seen.facts.versions[0].metrics == (("accuracy", 0.97),)
    assert seen.facts.aliases == (("production", 1),)


def test_a_bucket_has_one_owner_and_a_notice_is_sent_once() -> None:
    """The small capabilities keep the promises of the large ones."""
    clock = VirtualClock()
    engine = SimEngine(clock)
    first, second = thing("", "bucket"), ThingId(Ref("other", "bucket", "lake"))
    assert engine.buckets.ensure([Wanted(first, 1, BucketBody("lake"))]) == {}
    assert second in engine.buckets.ensure([Wanted(second, 1, BucketBody("lake"))])
    engine.buckets.fill("lake", 99)
    assert engine.buckets.observe([first])[first] == Present(BucketFacts(99, 1, use=BucketUse(clock.now())), 1)
    engine.buckets.ask("lake", writes=2, far_bytes=7)
    assert engine.buckets.observe([first])[first] == Present(
        BucketFacts(99, 1, use=BucketUse(clock.now(), 2, 0, 0, 7)), 1
    )
    notice = thing("80", "budget")
    for _ in range(3):
        engine.notices.ensure([Wanted(notice, 1, NoticeBody("80 % is spent"))])
    assert len(engine.notices.sent) == 1
    seen = engine.notices.observe([notice])[notice]
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, NoticeFacts)
    assert set(engine.providers) == set(Capability) - {Capability.POOLS, Capability.QUEUES}, "these the scheduler keeps"
