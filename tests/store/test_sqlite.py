"""What is SQLite's own: when a write waits for the disk, and what a power cut takes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from weyr.store.database import Database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def db(file: Path) -> Iterator[Database]:
    database = Database(file)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE things (name TEXT)"))
    yield database
    database.close()


def names(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT name FROM things ORDER BY rowid")).scalars())


def test_only_who_asks_for_it_does_not_wait_for_the_disk(db: Database) -> None:
    """A connection that was used without waiting is used again for what must be kept."""
    for is_synced in (True, False, True):
        with db.write(is_synced=is_synced) as connection:
            assert connection.execute(text("PRAGMA synchronous")).scalar_one() == (2 if is_synced else 1)
    with db.write() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2


def test_a_power_cut_takes_the_end_of_the_history_and_nothing_else(db: Database, file: Path, tmp_path: Path) -> None:
    """Wherever the log breaks off, what is left is how the store once was: nothing later without the earlier."""
    history = [str(n) for n in range(12)]
    for n, name in enumerate(history):
        with db.write(is_synced=n % 3 == 0) as connection:
            connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})
    whole, log = file.read_bytes(), file.with_name("store.db-wal").read_bytes()

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
