"""Nodes vanish, come back with their tasks or without, tell the time wrongly, and answers may be old."""

import pytest

from weyr.core.capability import TaskBody, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, EndReason, Present, Seen, TaskFacts, TaskState, Unknown, newer_than
from weyr.sim import Script, SimEngine, VirtualClock
from weyr.sim.chance import chance_of
from weyr.sim.faults import FaultRates
from weyr.sim.nodes import HERE, Node, NodeRates

BODY = TaskBody(("serve",), "/", probe="/ready", grace_s=2.0)
TASKS = [ThingId(Ref("digits", "job", "train"), str(part)) for part in range(1, 13)]


def engine_with(nodes: NodeRates, faults: FaultRates | None = None, seed: int = 1) -> SimEngine:
    """A dozen tasks that serve until they are stopped, spread over the nodes."""
    engine = SimEngine(VirtualClock(), seed, faults, lambda _: Script(work_s=1e9, starts_after_s=0.0), nodes)
    engine.tasks.ensure([Wanted(id, 1, BODY) for id in TASKS])
    engine.clock.advance(1.0)
    return engine


def a_vanished(engine: SimEngine) -> Node:
    """The first node to vanish, at the moment after it did."""
    for _ in range(10_000):
        engine.clock.advance(0.1)
        engine.nodes.catch_up()
        for node in engine.nodes:
            if engine.nodes.is_silent(node):
                return node
    raise AssertionError("no node ever vanished")


def facts(seen: Seen) -> TaskFacts:
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, TaskFacts)
    return seen.facts


def test_of_what_a_vanished_node_runs_nothing_is_known_and_it_runs_on() -> None:
    """Some tasks of one job are unknown while others answer; an inventory still lists them all."""
    engine = engine_with(NodeRates(count=3, vanishes_every_s=20.0, reboots=0.0))
    node = a_vanished(engine)

    seen = engine.tasks.observe(TASKS)

    unknown = [id for id in TASKS if isinstance(seen[id], Unknown)]
    assert 0 < len(unknown) < len(TASKS)
    assert set(engine.tasks.live()) == set(TASKS)
    assert engine.tasks.inventory() == sorted(TASKS)
    engine.clock.advance(node.silent_until - engine.clock())
    assert facts(engine.tasks.peek(unknown[0])).state is TaskState.RUNNING


def test_a_release_reaches_a_vanished_node_when_it_comes_back() -> None:
    """Accepted is not done: until then the task runs, and costs."""
    engine = engine_with(NodeRates(count=3, vanishes_every_s=20.0, reboots=0.0))
    node = a_vanished(engine)
    seen = engine.tasks.observe(TASKS)
    lost = next(id for id in TASKS if isinstance(seen[id], Unknown))

    assert engine.tasks.release([lost]) == {}
    assert lost in set(engine.tasks.live())
    engine.nodes.stop()
    engine.clock.advance(node.silent_until - engine.clock() + 60)

    assert facts(engine.tasks.observe([lost])[lost]).state is TaskState.ENDED
    engine.tasks.release([lost])
    assert engine.tasks.observe([lost])[lost] == Absent()


def test_a_node_that_was_started_anew_has_lost_its_tasks() -> None:
    """They are told to be lost, and nobody else's are."""
    engine = engine_with(NodeRates(count=3, vanishes_every_s=20.0, reboots=1.0))
    node = a_vanished(engine)
    engine.clock.advance(node.silent_until - engine.clock())

    ends = {id: facts(engine.tasks.peek(id)).end for id in TASKS}

    assert {end.reason for end in ends.values() if end is not None} == {EndReason.LOST}
    assert any(end is None for end in ends.values())


def test_a_power_cut_takes_the_tasks_of_this_machine_only() -> None:
    """Remote nodes live on while the server comes back."""
    engine = engine_with(NodeRates(count=1))
    engine.nodes.cut_power()

    states = {facts(engine.tasks.observe([id])[id]).state for id in TASKS}

    assert states == {TaskState.ENDED, TaskState.RUNNING}


def test_a_node_tells_the_time_by_its_own_clock() -> None:
    """Each within its bound, and the same for start and end."""
    engine = engine_with(NodeRates(count=3, skew_s=3.0))
    skews = [facts(engine.tasks.observe([id])[id]).started_at for id in TASKS]

    offs = {round((at or 0.0) - (engine.clock() - 1.0), 3) for at in skews}

    assert len(offs) >= 3
    assert max(abs(off) for off in offs) <= 3.0
    assert {node.name: node.skew_s for node in engine.nodes}[HERE] == 0.0


def test_an_old_answer_says_of_when_it_is() -> None:
    """What was asked since then is not in it, so "absent" in it proves nothing."""
    engine = engine_with(NodeRates(), FaultRates(stales=0.5))
    asked_at, found = engine.clock() - 1.0, set()
    for _ in range(40):
        seen = engine.tasks.observe(TASKS[:1])[TASKS[0]]
        found.add(type(seen))
        if isinstance(seen, Absent):
            assert isinstance(newer_than(asked_at, seen), Unknown)
            assert newer_than(asked_at - 1.0, seen) == seen
    assert found == {Present, Absent}


def test_a_call_that_is_overtaken_has_its_effect_after_the_next() -> None:
    """A release that was said before an `ensure` must not take away what that made."""
    engine = SimEngine(VirtualClock(), 1)
    engine.tasks.ensure([Wanted(TASKS[0], 1, BODY)])
    engine.faults.rates = FaultRates(reorders=1.0)
    with pytest.raises(EngineSilent):
        engine.tasks.ensure([Wanted(TASKS[1], 1, BODY)])
    engine.faults.rates = FaultRates()

    assert engine.tasks.inventory() == [TASKS[0]]
    assert engine.tasks.inventory() == [TASKS[0], TASKS[1]]


def test_what_comes_late_is_void() -> None:
    """The order in which things were said counts, as every engine promises."""
    engine = SimEngine(VirtualClock(), 1)
    engine.faults.rates = FaultRates(reorders=1.0)
    with pytest.raises(EngineSilent):
        engine.tasks.ensure([Wanted(TASKS[0], 1, BODY)])
    engine.faults.rates = FaultRates()
    engine.tasks.release([TASKS[0]])

    assert engine.tasks.inventory() == []


def test_a_draw_of_one_concern_changes_nothing_for_another() -> None:
    """A world that was understood stays recognisable when a new sort of trouble is added."""
    quiet, busy = chance_of(7, "people"), chance_of(7, "people")
    noise = chance_of(7, "store")
    assert [quiet.random() for _ in range(3)] == [busy.random() for _ in range(3) if noise.random() >= 0]
    assert chance_of(7, "people").random() != chance_of(7, "store").random()
