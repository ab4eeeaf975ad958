"""One object that cannot be looked after, an engine that is not there, a store that refuses, a clock set back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import Connection, update

from weyr.compose.kinds import KINDS
from weyr.core.capability import Capability, Wanted
from weyr.core.diagnostic import StoreError
from weyr.core.kind import AnyKind, Kinds
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref
from weyr.reconcile.world import World
from weyr.sim.scripts import Script
from weyr.sim.world import SimWorld
from weyr.store.database import Database
from weyr.store.tables.kernel import objects

FIRST = "stack: first\njobs: {train: {run: sleep 600}}\nbuckets: {lake: {}}\n"
SECOND = "stack: second\nbuckets: {pond: {}}\n"
TRAIN = Ref("first", "job", "train")
LAKE = Ref("first", "bucket", "lake")


def for_long(_want: Wanted) -> Script:
    return Script(work_s=1e9)


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    """The first stack runs."""
    world = SimWorld(KINDS, tmp_path, scripts=for_long)
    world.up(FIRST)
    world.run(10)
    assert world.phases("first") == {"job/train": "working", "bucket/lake": "ready"}
    return world


def restart(world: SimWorld, kinds: Kinds) -> None:
    """The server comes back with other kinds."""
    world.crash()
    world.kinds = world.loop.kinds = kinds


def with_kind(name: str, kind: AnyKind) -> Kinds:
    return {**KINDS, name: kind}


def fails(*_: object) -> NoReturn:
    raise RuntimeError("this kind is mistaken")


def the_others_go_on(world: SimWorld) -> None:
    world.loop.tick(world.clock())
    with_all, world.loop.kinds = world.loop.kinds, KINDS
    world.up(SECOND)
    world.loop.kinds = with_all
    assert world.run(60, until=lambda: world.phases("second") == {"bucket/pond": "ready"})


def told(world: SimWorld, ref: Ref, event: str) -> int:
    return [line.event for line in world.story(ref.stack) if line.ref == str(ref)].count(event)


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(with_kind("job", replace(KINDS["job"], decide=fails)), id="decide raises"),
        pytest.param({name: kind for name, kind in KINDS.items() if name != "job"}, id="no such kind"),
        pytest.param(with_kind("job", replace(KINDS["job"], memory=World)), id="memory is unreadable"),
    ],
)
def test_an_object_that_nobody_understands_stops_no_other(world: SimWorld, kinds: Mapping[str, AnyKind]) -> None:
    """It is said to be broken, once; what it runs runs on and stays on the bill; a later Weyr goes on with it."""
    before = world.loop.world.objects[TRAIN]
    restart(world, kinds)

    the_others_go_on(world)
    world.run(120)

    assert world.phases("first") == {"job/train": "unknown", "bucket/lake": "ready"}
    assert told(world, TRAIN, "object.broken") == 1
    assert world.engine.tasks.held()
    assert [meter for meter in world.ledger.open_meters() if meter.thing.ref == TRAIN]
    assert world.loop.world.objects[TRAIN].memory == before.memory
    restart(world, KINDS)
    world.run(10)
    assert world.phases("first")["job/train"] == "working"
    assert told(world, TRAIN, "attempt.started") == 1


def test_a_spec_that_cannot_be_read_any_more_is_metered_and_can_be_removed(world: SimWorld) -> None:
    """A field that today's kind refuses is no reason to stop the loop, or the meter."""
    with world.db.write() as connection:
        mine = (objects.c.stack == "first") & (objects.c.kind == "job")
        connection.execute(update(objects).where(mine).values(spec='{"gone": 1}'))
    restart(world, KINDS)

    the_others_go_on(world)
    spent = world.ledger.spend(Reach("first"), Every.MONTH, world.clock()).micros
    world.run(300)

    assert world.phases("first")["job/train"] == "unknown"
    assert world.ledger.spend(Reach("first"), Every.MONTH, world.clock()).micros > spent
    world.down("first")
    world.down("second")
    assert world.run(120, until=world.is_empty)


def test_what_an_unknown_kind_left_can_be_removed(world: SimWorld) -> None:
    """Removing needs no knowledge: every thing is released, and its absence proved."""
    world.down("first")
    restart(world, {name: kind for name, kind in KINDS.items() if name != "job"})

    assert world.run(120, until=world.is_empty)


def test_a_use_that_cannot_be_read_stops_nothing(world: SimWorld) -> None:
    """Its meters stay open until the thing is proved absent."""
    restart(world, with_kind("bucket", replace(KINDS["bucket"], usage=fails)))
    heard: list[str] = []
    world.loop.effects.log = lambda event, /, **_fields: heard.append(event)

    world.run(120)

    assert world.phases("first") == {"job/train": "working", "bucket/lake": "ready"}
    assert heard.count("object.unmetered") == 1
    world.down("first")
    assert world.run(120, until=world.is_empty)


def test_a_capability_without_an_engine_is_silence(world: SimWorld) -> None:
    """What it held is unknown, and the rest goes on."""
    effects = world.loop.effects
    effects.providers = {name: engine for name, engine in effects.providers.items() if name != Capability.TASKS}

    world.run(60)

    assert world.phases("first") == {"job/train": "unknown", "bucket/lake": "ready"}


class FullDisk(Database):
    """Takes every write up to its end, and then keeps none."""

    @contextmanager
    def write(self, *, is_synced: bool = True) -> Iterator[Connection]:
        with super().write(is_synced=is_synced) as connection:
            yield connection
            raise StoreError("the disk is full")


def test_memory_is_never_ahead_of_a_store_that_refused(world: SimWorld) -> None:
    """Whoever's thread the pass was in: a thing forgotten only in memory would keep its meter for ever."""
    world.down("first")
    full = FullDisk(world.db.place)

    while world.loop.world.objects:
        world.loop.db = full
        with pytest.raises(StoreError):
            world.loop.look("first", world.clock())
        assert world.loop.world == World.load(world.db)
        world.loop.db = world.db
        world.run(0.1)

    assert world.run(120, until=world.is_empty)


def test_a_clock_set_back_delays_nothing(world: SimWorld) -> None:
    """What was due by the old time is looked at now, not when that time comes again."""
    now = world.clock()
    world.loop.tick(now)
    assert (world.loop.world.due.next() or 0) >= now

    due = world.loop.tick(now - 3600)

    assert due is not None
    assert due <= now - 3600 + 30
