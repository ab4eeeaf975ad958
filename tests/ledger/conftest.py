"""A ledger over each store there is, for all of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import Catalogue
from weyr.store.database import Database, metadata
from weyr.store.ledger import LedgerStore
from weyr.store.place import PostgresUrl


@pytest.fixture
def db(place: Path | PostgresUrl) -> Iterator[Database]:
    database = Database(place)
    with database.write() as connection:
        metadata.create_all(connection)
    yield database
    database.close()


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(LedgerStore(db), Catalogue.shipped())
