"""The journal read from end to end on a real database."""

from weyr.core.kind import Usage
from weyr.core.ref import Ref
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import CPU, MEMORY, Catalogue
from weyr.store.charges import charges, count
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore

NOON = 1_795_348_800.0
"""2026-11-22 12:00 UTC."""


def test_every_line_comes_once_with_its_price(db: Database) -> None:
    """In the journal's order, those of the days that were asked for, of one stack or of all."""
    ledger = Ledger(LedgerStore(db), Catalogue.shipped())
    for stack in ("digits", "other"):
        ref = Ref(stack, "job", "train")
        usages = [Usage("1", sku, 1000, NOON) for sku in (CPU, MEMORY)]
        with db.write() as connection:
            ledger.open(connection, ref, "1", usages, "aws/fargate", NOON)
            for hours in (1, 13, 37):
                ledger.read(connection, ref, usages, "aws/fargate", NOON + hours * 3600)

    found = list(charges(db))
    days = [charge.line.day for charge in charges(db, "digits", "2026-11-23", "2026-11-23")]
    with db.read() as connection:
        counted = count(connection), count(connection, "digits", "2026-11-23", "2026-11-23")

    assert len(found) == len(ledger.lines()) == counted[0] == 20
    assert days == ["2026-11-23"] * counted[1]
    assert [charge.line.seq for charge in found] == list(range(1, 21))
    assert {(c.line.sku, c.meter.price and c.meter.price.micros, c.meter.book) for c in found} == {
        (CPU, 40_480, "aws/fargate"), (MEMORY, 4_445, "aws/fargate"),
    }  # fmt: skip
    assert sum(c.line.signed_micros for c in found) == 2 * 37 * (40_480 + 4_445)
