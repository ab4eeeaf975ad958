"""A data folder with a database in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from weyr.store.database import Database, metadata


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def db(home: Path) -> Iterator[Database]:
    engine = create_engine(f"sqlite:///{home / 'store.db'}")
    metadata.create_all(engine)
    engine.dispose()
    database = Database(home / "store.db")
    yield database
    database.close()
