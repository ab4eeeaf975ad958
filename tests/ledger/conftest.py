"""A ledger over each store there is, for all of these tests."""

import pytest

from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import Catalogue
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(LedgerStore(db), Catalogue.shipped())
