"""Measured use as it is kept: only what was asked for and the most that was used of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from stores import place as place
from stores import postgres as postgres

from weyr.core.ref import Ref
from weyr.store.database import Database
from weyr.store.migrate import migrate
from weyr.store.place import PostgresUrl
from weyr.store.use_peaks import KEPT_MS, UsePeak, drop_old, note, peaks

PEAK = UsePeak(Ref("digits", "job", "train"), "task.memory", 4000, 900, 60_000, 1_000_000, 1_000_000)


@pytest.fixture
def db(place: Path | PostgresUrl) -> Iterator[Database]:
    database = Database(place)
    migrate(database)
    yield database
    database.close()


def known(db: Database) -> tuple[UsePeak, ...]:
    with db.read() as connection:
        return peaks(connection, "digits")


def noted(db: Database, *rows: UsePeak) -> None:
    with db.write() as connection:
        note(connection, rows)


def test_the_most_that_was_used_stays_however_often_and_in_whichever_order_it_is_told(db: Database) -> None:
    """A crash between two looks tells the same end twice; advice must not hang on it."""
    less = replace(PEAK, peak=300, ran_ms=90_000, last_ms=999_000, busy_ms=0)
    for rows in ([PEAK, less], [less], [PEAK]):
        noted(db, *rows)

    assert known(db) == (replace(PEAK, ran_ms=90_000),)


def test_another_request_begins_anew(db: Database) -> None:
    """What the small model needed is no reason to shrink the large one."""
    noted(db, PEAK)
    asks_more = replace(PEAK, asked=16_000, peak=100, ran_ms=10)

    noted(db, asks_more)

    assert known(db) == (asks_more,)


def test_what_nobody_ran_for_a_year_is_forgotten(db: Database) -> None:
    """The table is as large as what is used, not as its past."""
    noted(db, PEAK)
    with db.write() as connection:
        assert drop_old(connection, PEAK.last_ms + KEPT_MS) == 0
        assert drop_old(connection, PEAK.last_ms + KEPT_MS + 1) == 1
    assert known(db) == ()
