"""A data folder with a database in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from weyr.store.database import Database, metadata
from weyr.store.place import PostgresUrl


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def db(place: Path | PostgresUrl) -> Iterator[Database]:
    database = Database(place)
    with database.write() as connection:
        metadata.create_all(connection)
    yield database
    database.close()
