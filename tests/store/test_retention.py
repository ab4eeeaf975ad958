"""What is kept of the past, on both stores: the newest, and never less than is in use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow, PlanRow, StackRow
from weyr.store.migrate import migrate
from weyr.store.place import PostgresUrl
from weyr.store.retention import drop_oldest


@pytest.fixture
def db(place: Path | PostgresUrl) -> Iterator[Database]:
    database = Database(place)
    migrate(database)
    yield database
    database.close()


def drop(db: Database) -> int:
    with db.write() as connection:
        return drop_oldest(connection, events_kept=5, plans_kept=3, events_at_once=4)


def test_the_newest_events_stay_and_the_others_go_little_by_little(db: Database) -> None:
    """A server that runs for years must not fill the disk with its story, nor stop for an hour to shorten it."""
    with db.write() as connection:
        kernel.add_events(connection, [EventRow(n, "digits", "job/train", "", "told", str(n)) for n in range(12)])

    assert [drop(db) for _ in range(3)] == [4, 3, 0]
    with db.read() as connection:
        assert [event.message for event in kernel.events_after(connection)] == ["7", "8", "9", "10", "11"]


def test_a_plan_that_a_stack_has_now_stays_however_old(db: Database) -> None:
    """What stands is compared with the plan it came from."""
    with db.write() as connection:
        for n in range(6):
            kernel.put_plan(connection, PlanRow(f"plan{n}", "digits", "", "{}", float(n)))
        kernel.put_stack(connection, StackRow("digits", "plan1", "", "weyr.yaml", False, 1.0))

    assert [drop(db), drop(db)] == [2, 0]
    with db.read() as connection:
        there = {n for n in range(6) if kernel.get_plan(connection, f"plan{n}")}
    assert there == {1, 3, 4, 5}
