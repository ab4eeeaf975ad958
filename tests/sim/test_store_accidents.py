"""A server that dies between any two steps of a write, a machine that loses power, a disk that fails: nothing is lost
that was promised, and nothing is done twice."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from weyr.compose.kinds import KINDS
from weyr.core.capability import Wanted
from weyr.core.diagnostic import StoreError
from weyr.sim.scripts import Script
from weyr.sim.store import Died, Moment, SimDatabase
from weyr.sim.world import SimWorld

STACK = "stack: s\nbuckets: {lake: {}}\njobs: {train: {run: work, resources: {memory: 64MiB}}}\n"
CHANGED = STACK.replace("64MiB", "128MiB")


def for_ten_seconds(_want: Wanted) -> Script:
    return Script(work_s=10.0)


def once(moment: Moment, number: int, accident: Callable[[], BaseException]) -> Callable[[Moment], None]:
    """A fate that strikes at the `number`th such moment, and never again."""
    seen = 0

    def fate(now: Moment) -> None:
        nonlocal seen
        seen += now is moment
        if now is moment and seen == number:
            raise accident()

    return fate


def befall(world: SimWorld, fate: Callable[[Moment], None]) -> None:
    assert isinstance(world.db, SimDatabase)
    world.db.fate = fate


@pytest.mark.parametrize("is_power_cut", [False, True], ids=["killed", "without power"])
@pytest.mark.parametrize("moment", Moment)
def test_a_server_may_die_between_any_two_steps(folder: Path, moment: Moment, is_power_cut: bool) -> None:
    """At every fifth such step of a stack's life in turn: it comes up all the same, and goes without a trace."""
    deaths, number = 1, 1
    while deaths:
        world = SimWorld(KINDS, folder, seed=number, scripts=for_ten_seconds)
        befall(world, once(moment, number, lambda: Died(moment.value, is_power_cut)))
        world.up(STACK)
        world.up(STACK)
        world.check_settled(60)
        assert world.phases("s")["job/train"] == "done"
        world.down("s")
        world.down("s") if "s" in world.loop.world.stacks else None
        world.check_settled(60)
        world.check_bills()
        deaths, number = world.deaths, number + 5
        world.db.close()
    assert number > 10, "no write was interrupted"


def test_a_plan_whose_answer_was_lost_is_not_undone(folder: Path) -> None:
    """The store kept it and could not say so: what the loop knows of it must not be older than what is kept."""
    world = SimWorld(KINDS, folder, scripts=for_ten_seconds)
    world.up(STACK)
    world.run(2)
    befall(world, once(Moment.COMMITTED, 1, lambda: StoreError("the answer was lost")))

    world.up(CHANGED)
    world.run(5)
    world.check_memory()
    world.crash()

    assert [row.generation for row in world.loop.world.objects.values() if row.ref.kind == "job"] == [2]


def rows(db: SimDatabase) -> list[int]:
    return [int(row[0]) for row in db.peek("SELECT n FROM counted ORDER BY n")]


def counted(db: SimDatabase, number: int, is_synced: bool) -> None:
    with db.write(is_synced=is_synced) as connection:
        connection.execute(text("INSERT INTO counted VALUES (:n)"), {"n": number})


def test_a_power_cut_takes_an_end_of_what_was_not_synced(folder: Path) -> None:
    """Never something before a synced commit, never a part of a commit, and sometimes nothing."""
    kept = set()
    for seed in range(12):
        db = SimDatabase(folder / f"{seed}.db", seed)
        with db.write() as connection:
            connection.execute(text("CREATE TABLE counted (n INTEGER)"))
        for number in range(1, 7):
            counted(db, number, is_synced=number == 2)
        lost = db.cut_power()
        assert rows(db) == list(range(1, 7 - lost)), f"seed {seed}"
        kept.add(6 - lost)
        counted(db, 99, is_synced=True)
        db.cut_power()
        assert rows(db)[-1] == 99
        db.close()
    assert min(kept) == 2
    assert len(kept) >= 3


def test_a_kill_takes_nothing_that_was_committed(folder: Path) -> None:
    """Not waiting for the disk is a matter of power alone."""
    db = SimDatabase(folder / "killed.db")
    with db.write() as connection:
        connection.execute(text("CREATE TABLE counted (n INTEGER)"))
    counted(db, 1, is_synced=False)
    db.fate = once(Moment.COMMIT, 1, lambda: Died("killed"))
    with pytest.raises(Died):
        counted(db, 2, is_synced=False)
    assert rows(db) == [1]
    db.close()
