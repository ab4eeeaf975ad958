"""One database, two verbs: what a reader and a writer may rely on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from weyr.store.database import Database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "store.db")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE things (name TEXT)"))
    yield database
    database.close()


def put(db: Database, name: str) -> None:
    with db.write() as connection:
        connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})


def names(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT name FROM things ORDER BY rowid")).scalars())


def test_a_reader_sees_one_state_for_as_long_as_its_block_lasts(db: Database) -> None:
    """A bill read in three statements must not change between them."""
    put(db, "first")
    with db.read() as connection:
        assert names(connection) == ["first"]
        put(db, "second")
        assert names(connection) == ["first"]
    with db.read() as connection:
        assert names(connection) == ["first", "second"]


def test_what_a_reader_writes_is_not_kept(db: Database) -> None:
    """Only `write()` changes anything, so only it has to be durable."""
    with db.read() as connection:
        connection.execute(text("INSERT INTO things VALUES ('stray')"))
    with db.read() as connection:
        assert names(connection) == []


def test_a_writer_that_raises_changes_nothing(db: Database) -> None:
    """A step and its intent are kept together or not at all."""

    def fail() -> None:
        with db.write() as connection:
            connection.execute(text("INSERT INTO things VALUES ('half')"))
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    with db.read() as connection:
        assert names(connection) == []
