"""Tasks in line for a machine, on a simulated engine."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from weyr.core.capability import Answers, Capability, TaskBody, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Present, Seen, TaskFacts
from weyr.reconcile.scheduler import Room, Scheduler
from weyr.sim import FaultRates, Script, SimEngine, VirtualClock
from weyr.store.kernel import ThingRow

ROOM = Room(2, 2**30)
BODY = TaskBody(("work",), "/")


class World:
    """A simulated engine behind a line, and jobs of ten seconds by their numbers."""

    def __init__(self, seed: int = 0, loses_replies: float = 0.0) -> None:
        self.clock = VirtualClock()
        script = Script(work_s=10, starts_after_s=0)
        self.engine = SimEngine(self.clock, seed, FaultRates(loses_replies=loses_replies), lambda _: script)
        self.line = Scheduler(self.engine.tasks, ROOM, self.clock).tasks

    def ensure(self, *numbers: int, body: TaskBody = BODY) -> None:
        assert self.line.ensure([Wanted(id_of(n), 1, body) for n in numbers]) == {}

    def states(self, *numbers: int) -> list[str]:
        return [word(seen) for seen in self.line.observe([id_of(n) for n in numbers]).values()]

    def rows(self, *numbers: int) -> list[ThingRow]:
        """What the store would know of them."""
        seen = self.line.observe([id_of(n) for n in numbers])
        return [ThingRow(id, Capability.TASKS, 1, BODY, found, is_accepted=True) for id, found in seen.items()]


def id_of(number: int) -> ThingId:
    return ThingId(Ref("many", "job", f"j{number}"), "1")


def word(seen: Seen) -> str:
    match seen:
        case Present(facts=TaskFacts(waits=waits, state=state)):
            return "waits" if waits else state.value
        case Absent():
            return "absent"
        case _:
            return "unknown"


def test_no_more_run_than_there_is_room_for_and_each_has_its_turn() -> None:
    """A thousand jobs at once would starve each other, and the server."""
    world = World()
    world.ensure(1, 2, 3, 4, 5)
    assert world.states(1, 2, 3, 4, 5) == ["running", "running", "waits", "waits", "waits"]
    world.clock.advance(10)
    assert world.states(1, 2) == ["ended", "ended"]
    assert world.states(3, 4, 5) == ["running", "running", "waits"]
    world.clock.advance(10)
    assert world.states(3, 4, 5) == ["ended", "ended", "starting"]
    assert world.engine.tasks.starts == {id_of(n): 1 for n in (1, 2, 3, 4, 5)}


def test_who_waits_says_for_what() -> None:
    """ "starting" for an hour would send its owner to look for a fault."""
    world = World()
    world.ensure(1, 2, 3, body=TaskBody(("work",), "/", memory_bytes=2**29))
    seen = world.line.observe([id_of(3)])[id_of(3)]
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, TaskFacts)
    assert seen.facts.waits == "it waits its turn for 1 CPU and 512 MiB of the 2 CPU here"


def test_a_waiting_task_can_leave_and_is_proved_absent() -> None:
    """`weyr down` need not wait until its turn comes."""
    world = World()
    world.ensure(1, 2, 3)
    assert id_of(3) in world.line.inventory()
    world.line.release([id_of(3)])
    assert world.states(3) == ["absent"]
    world.clock.advance(10)
    assert world.states(1, 2, 3) == ["ended", "ended", "absent"]


def test_a_restart_keeps_the_line_and_counts_what_runs() -> None:
    """The line is written down nowhere: it follows from what the store and the engine know."""
    world = World()
    world.ensure(1, 2, 3, 4)
    world.line = Scheduler(world.engine.tasks, ROOM, world.clock, world.rows(1, 2, 3, 4)).tasks
    world.ensure(5)
    assert world.states(1, 2, 3, 4, 5) == ["running", "running", "waits", "waits", "waits"]
    world.clock.advance(10)
    assert world.states(1, 2) == ["ended", "ended"]
    assert sorted(world.states(3, 4, 5)) == ["running", "running", "waits"]


def test_what_ran_and_is_gone_is_not_put_in_line_again() -> None:
    """Its kind has to hear that it is lost."""
    world = World()
    world.ensure(1)
    rows = world.rows(1)
    world.line = Scheduler(SimEngine(world.clock).tasks, ROOM, world.clock, rows).tasks
    assert world.states(1) == ["absent"]


@pytest.mark.parametrize("seed", range(30))
def test_an_unreliable_engine_loses_nobody_and_runs_nobody_twice(seed: int) -> None:
    """A launcher that does not answer, or whose answer is lost, costs time and no more."""
    world = World(seed, loses_replies=0.3)
    ids = [id_of(n) for n in range(6)]
    wanted = [Wanted(id, 1, BODY) for id in ids]
    over: set[ThingId] = set()
    for _ in range(300):
        with suppress(EngineSilent):
            world.line.ensure([want for want in wanted if want.id not in over])
        with suppress(EngineSilent):
            over |= {id for id, seen in world.line.observe(ids).items() if word(seen) == "ended"}
        running = [ran for ran in world.engine.tasks.ran() if ran.ended_at is None]
        assert len(running) <= ROOM.cpu
        world.clock.advance(1)
    assert over == set(ids)
    assert world.engine.tasks.starts == dict.fromkeys(ids, 1)


class Recalling:
    """An engine that answers from what it knew at a moment of the past."""

    def __init__(self, engine: SimEngine) -> None:
        self.capability, self._tasks = Capability.TASKS, engine.tasks
        self.as_of: float | None = None
        self.past: Present | Absent = Absent()

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        found = self._tasks.observe(ids)
        return found if self.as_of is None else dict.fromkeys(ids, replace(self.past, as_of=self.as_of))

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        return self._tasks.ensure(wanted)

    def release(self, ids: Sequence[ThingId]) -> Answers:
        return self._tasks.release(ids)

    def inventory(self) -> Sequence[ThingId]:
        return self._tasks.inventory()


def test_an_answer_from_before_its_turn_proves_nothing() -> None:
    """Who asked knows only when the task was put in line; it was handed on later, and "absent" is from before
    that (seed 191)."""
    world = World()
    engine = Recalling(world.engine)
    world.line = Scheduler(engine, ROOM, world.clock).tasks
    world.ensure(1, 2, 3)
    world.clock.advance(10)
    before = world.clock()
    world.clock.advance(1)
    assert world.states(1, 2) == ["ended", "ended"]
    engine.as_of = before
    assert world.states(3) == ["unknown"]
    engine.as_of = None
    assert world.states(3) == ["running"]
    world.line = Scheduler(engine, ROOM, world.clock, world.rows(3)).tasks
    engine.as_of = before
    assert world.states(3) == ["unknown"], "a new server does not know when the one before handed it on"


def test_an_end_that_only_the_scheduler_saw_is_not_let_go() -> None:
    """A new server looks at what ran before it, and the engine has told of the end then. Were it released at once, how
    long it ran would be lost, and its owner billed until somebody proved that it is gone (seeds 76, 83)."""
    world = World()
    world.ensure(1, 2)
    known = world.rows(1, 2)
    world.clock.advance(10)
    anew = Scheduler(world.engine.tasks, ROOM, world.clock, known)
    anew.tasks.observe([id_of(1)])
    assert id_of(2).ref in anew.tasks.rung()
    for _ in range(2):
        assert anew.tasks.release([id_of(2)]).keys() == {id_of(2)}
    assert word(anew.tasks.observe([id_of(2)])[id_of(2)]) == "ended"
    assert anew.tasks.release([id_of(2)]) == {}
    assert word(anew.tasks.observe([id_of(2)])[id_of(2)]) == "absent"


def test_an_old_answer_does_not_count_as_having_told_of_an_end() -> None:
    """Its owner may have asked for something since, and then does not believe it (seed 2536)."""
    world = World()
    world.ensure(1, 2)
    known = world.rows(1, 2)
    world.clock.advance(10)
    engine = Recalling(world.engine)
    anew = Scheduler(engine, ROOM, world.clock, known)
    anew.tasks.observe([id_of(1)])
    world.clock.advance(1)
    ended = world.engine.tasks.peek(id_of(2))
    assert isinstance(ended, Present)
    engine.past, engine.as_of = ended, world.clock()
    assert word(anew.tasks.observe([id_of(2)])[id_of(2)]) == "ended"
    assert anew.tasks.release([id_of(2)]).keys() == {id_of(2)}
    engine.as_of = None
    anew.tasks.observe([id_of(2)])
    assert anew.tasks.release([id_of(2)]) == {}


class Late:
    """An engine that does not answer when it is told of a task: that may take effect yet."""

    def __init__(self, engine: SimEngine) -> None:
        self.capability, self._tasks = Capability.TASKS, engine.tasks
        self.told: set[ThingId] = set()
        self.observe, self.release, self.inventory = self._tasks.observe, self._tasks.release, self._tasks.inventory

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        self.told |= {want.id for want in wanted}
        raise EngineSilent("no answer in time")


def test_what_may_still_begin_keeps_its_room() -> None:
    """It is absent, and nobody knows for how long: a third one in its place would be one too many."""
    world = World()
    engine = Late(world.engine)
    world.line = Scheduler(engine, ROOM, world.clock).tasks
    world.line.ensure([Wanted(id_of(n), 1, BODY) for n in (1, 2, 3)])
    for _ in range(3):
        assert world.states(1, 2, 3) == ["unknown", "unknown", "waits"]
        world.clock.advance(1)
    assert engine.told == {id_of(1), id_of(2)}
