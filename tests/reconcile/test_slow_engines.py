"""An engine that takes long to answer holds up its own things and nobody else."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import Capability, Provider, Refused, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Seen, Unknown
from weyr.sim.scripts import Script
from weyr.sim.world import SimWorld
from weyr.store.database import Database

T = TypeVar("T")

LAKE = "buckets: {lake: {}}\n"
JOB = "jobs: {train: {run: sleep 600}}\n"
TRAIN = Ref("small", "job", "train")
WAIT_S = 20


def text(*sections: str) -> str:
    return "stack: small\n" + "".join(sections)


def for_a_while(_want: Wanted) -> Script:
    return Script(work_s=20)


class During:
    """An engine in the midst of whose calls something else happens, once."""

    def __init__(self, provider: Provider, verb: str, happens: Callable[[], object]) -> None:
        self.capability = provider.capability
        self._provider, self._verb, self._happens = provider, verb, happens
        self.is_over = False

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        return self._and("observe", lambda: self._provider.observe(ids))

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused | Unknown]:
        return self._and("ensure", lambda: self._provider.ensure(wanted))

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused | Unknown]:
        return self._and("release", lambda: self._provider.release(ids))

    def inventory(self) -> Sequence[ThingId]:
        return self._provider.inventory()

    def _and(self, verb: str, call: Callable[[], T]) -> T:
        answer = call()
        if verb == self._verb and not self.is_over:
            self.is_over = True
            self._happens()
        return answer


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    return SimWorld(KINDS, tmp_path, scripts=for_a_while)


def during(world: SimWorld, capability: Capability, verb: str, happens: Callable[[], object]) -> During:
    effects = world.loop.effects
    slow = During(effects.providers[capability], verb, happens)
    effects.providers = {**effects.providers, capability: slow}
    return slow


@pytest.fixture
def hanging(world: SimWorld) -> Iterator[threading.Event]:
    """A pass hangs in the task engine until the event is set."""
    asked, answers = threading.Event(), threading.Event()
    world.up(text(LAKE, JOB))
    world.run(5)

    def hang() -> None:
        asked.set()
        assert answers.wait(WAIT_S), "nobody let the engine answer"

    during(world, Capability.TASKS, "observe", hang)
    # A store is one thread's or another's; the pass gets a connection of its own like any other caller.
    thread = threading.Thread(target=world.loop.look, args=("small", world.clock()))
    thread.start()
    assert asked.wait(WAIT_S)
    yield answers
    answers.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()


def test_a_plan_is_applied_while_an_engine_hangs(world: SimWorld, hanging: threading.Event) -> None:
    """Whoever looks or applies waits for no engine; the pass goes on from what is wanted by then."""
    applied = threading.Thread(target=world.up, args=(text(LAKE),))
    applied.start()
    applied.join(WAIT_S)
    assert not applied.is_alive(), "the plan waited for the engine"
    assert world.phases("small")["job/train"] == "removing"

    hanging.set()

    assert world.run(60, until=lambda: TRAIN not in world.loop.world.objects)
    assert not world.engine.tasks.held()


def test_what_rings_while_an_engine_is_asked_is_looked_at_again(world: SimWorld, hanging: threading.Event) -> None:
    """What the engine says then may be older than the ring."""
    with world.loop.lock:
        world.loop.world.wake([TRAIN])
    hanging.set()
    with world.loop.turn:
        assert world.loop.world.due.times[TRAIN] == 0.0


@pytest.mark.parametrize("verb", ["observe", "ensure", "release"])
@pytest.mark.parametrize("capability", [Capability.TASKS, Capability.OBJECTS])
@pytest.mark.parametrize(
    "then",
    [
        pytest.param(text(LAKE), id="the job goes"),
        pytest.param(text(JOB), id="the bucket goes"),
        pytest.param(text(LAKE, "jobs: {train: {run: sleep 900}}\n"), id="the job changes"),
        pytest.param(text("buckets: {lake: {name: river}}\n", JOB), id="the bucket is replaced"),
        pytest.param("", id="all goes"),
    ],
)
def test_a_plan_between_question_and_answer_is_carried_out(
    world: SimWorld, capability: Capability, verb: str, then: str
) -> None:
    """Whatever was being asked when it was applied; what must never be is checked at every step."""
    world.up(text(LAKE, JOB))
    if verb == "release":
        world.run(5)
        world.up(text("buckets: {other: {}}\n"))
    elif verb == "observe":
        world.run(5)
    slow = during(world, capability, verb, lambda: world.up(then) if then else world.down("small"))

    world.run(60)

    assert slow.is_over
    world.check_settled(120)
    if then:
        wanted = {str(ref) for ref in world.loop.world.objects}
        assert wanted == {
            name for name, section in (("bucket/lake", "buckets"), ("job/train", "jobs")) if section in then
        }
        world.down("small")
    assert world.run(120, until=world.is_empty)
    world.check_bills()


def test_the_store_is_asked_for_no_more_than_three_transactions_a_pass(world: SimWorld) -> None:
    """A wait for the disk for each object would be felt at a hundred of them; settled, nothing is written at all."""
    begun: list[bool] = []

    class Counted(Database):
        def write(self, *, is_synced: bool = True):  # type: ignore[no-untyped-def]
            begun.append(is_synced)
            return super().write(is_synced=is_synced)

    world.up(text("buckets: {" + ", ".join(f"b{n}: {{}}" for n in range(50)) + "}\n"))
    world.loop.db = Counted(world.db.place)

    world.loop.tick(world.clock())
    assert begun == [True, False]
    world.loop.db = world.db
    world.run(20)
    world.loop.db, begun[:] = Counted(world.db.place), []
    world.loop.look("small", world.clock())

    assert begun == []
