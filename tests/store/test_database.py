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


def test_only_who_asks_for_it_does_not_wait_for_the_disk(db: Database) -> None:
    """A connection that was used without waiting is used again for what must be kept."""
    for is_synced in (True, False, True):
        with db.write(is_synced=is_synced) as connection:
            assert connection.execute(text("PRAGMA synchronous")).scalar_one() == (2 if is_synced else 1)
    with db.write() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2


def test_a_power_cut_takes_the_end_of_the_history_and_nothing_else(db: Database, tmp_path: Path) -> None:
    """Wherever the log breaks off, what is left is how the store once was: nothing later without the earlier."""
    history = [str(n) for n in range(12)]
    for n, name in enumerate(history):
        with db.write(is_synced=n % 3 == 0) as connection:
            connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})
    whole, log = db.path.read_bytes(), db.path.with_name("store.db-wal").read_bytes()

    found = []
    for kept_bytes in (*range(0, len(log), 1000), len(log)):
        cut = tmp_path / f"cut-{kept_bytes}.db"
        cut.write_bytes(whole)
        cut.with_name(f"{cut.name}-wal").write_bytes(log[:kept_bytes])
        after = Database(cut)
        with after.read() as connection:
            exists = connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one()
            found.append(names(connection) if exists else [])
        after.close()

    assert all(left == history[: len(left)] for left in found)
    assert found[0] == []
    assert found[-1] == history
    assert len({len(left) for left in found}) > 6
