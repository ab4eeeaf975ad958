"""Both stores for every test that keeps something: `place` is a fresh one of each sort, in turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer, running_postgres

from weyr.store.database import Database, metadata
from weyr.store.place import PostgresUrl

SORTS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL, for this process of the test run alone."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=SORTS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | PostgresUrl:
    """Where a store may be kept: a file, and a PostgreSQL. The same rules hold in both."""
    return fresh_place(request, tmp_path)


@pytest.fixture
def db(place: Path | PostgresUrl) -> Iterator[Database]:
    """An open store with all of its tables, in both."""
    database = Database(place)
    with database.write() as connection:
        metadata.create_all(connection)
    yield database
    database.close()


def fresh_place(request: pytest.FixtureRequest, folder: Path) -> Path | PostgresUrl:
    """An empty store of the sort that the fixture is asked for, for fixtures of any scope."""
    if request.param == "sqlite":
        return folder / "store.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()
