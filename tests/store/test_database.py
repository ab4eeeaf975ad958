"""One database, two verbs: what a reader and a writer may rely on."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from weyr.store.database import Database
from weyr.store.place import PostgresUrl

WRITER = Path(__file__).with_name("busy_writer.py")


@pytest.fixture
def db(place: Path | PostgresUrl) -> Iterator[Database]:
    database = Database(place)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE things (name TEXT)"))
    yield database
    database.close()


def put(db: Database, name: str) -> None:
    with db.write() as connection:
        connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})


def names(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT name FROM things ORDER BY name")).scalars())


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


def test_writers_at_once_take_turns(place: Path | PostgresUrl, db: Database) -> None:
    """Two servers, or a server and a command, that read and then write: neither undoes the other's work."""
    with db.write() as connection:
        connection.execute(text("CREATE TABLE counts (n INTEGER)"))
        connection.execute(text("INSERT INTO counts VALUES (0)"))
    others = [Database(place), Database(place)]

    def count(database: Database) -> None:
        for _ in range(25):
            with database.write() as connection:
                n = connection.execute(text("SELECT n FROM counts")).scalar_one()
                connection.execute(text("UPDATE counts SET n = :n"), {"n": n + 1})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, others * 2))

    with db.read() as connection:
        assert connection.execute(text("SELECT n FROM counts")).scalar_one() == 100
    for database in others:
        database.close()


@pytest.mark.parametrize("is_synced", [True, False])
def test_what_was_acknowledged_outlives_a_kill(place: Path | PostgresUrl, is_synced: bool) -> None:
    """`kill -9` of a writer amid its commits: every write that it reported is there, and nothing half."""
    word = place.secret_text if isinstance(place, PostgresUrl) else str(place)
    command = [sys.executable, str(WRITER), word, str(is_synced)]
    kept = 0
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(30):
                process.stdout.readline()
            process.kill()
            told = 30 + len(process.stdout.read().split())
        database = Database(place)
        with database.write() as connection:  # waits until the killed one's last transaction is over
            pairs = connection.execute(text("SELECT a, b FROM pairs")).all()
        database.close()
        assert all(a == b for a, b in pairs)
        assert len(pairs) - kept in (told, told + 1)
        kept = len(pairs)
