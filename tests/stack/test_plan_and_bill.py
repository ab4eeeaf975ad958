"""What a plan says of a month is what the ledger bills in it, tiers and free part and all."""

from pathlib import Path

from known_kinds import KINDS

from weyr.core.kind import Usage
from weyr.core.ref import Ref
from weyr.ledger.grouping import By
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import EGRESS_FAR, REQUESTS_READ, STORAGE, Catalogue
from weyr.stack.costs import Known
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.world import World
from weyr.store.database import Database, metadata
from weyr.store.ledger import LedgerStore

DECEMBER = 1_796_083_200.0
"""2026-12-01 00:00 UTC: a month that 730 hours fit into."""
HOURS = 730
TEXT = """stack: busy
on: local
buckets:
  lake:
  logs:
usage:
  bucket/lake: {stored: 60TiB, egress: 70GiB}
  bucket/logs: {stored: 3GiB, reads: 21900000, egress: 11TiB}
"""
MONTH = {
    "lake": {STORAGE: 60 * 2**40, EGRESS_FAR: 70 * 2**30},
    "logs": {STORAGE: 3 * 2**30, REQUESTS_READ: 21_900_000, EGRESS_FAR: 11 * 2**40},
}


def test_a_month_of_tiers_is_billed_as_it_was_planned(tmp_path: Path) -> None:
    """One price is behind both: storage that passes 50 TB, egress that passes its free part and then 10 TB, requests.

    Which bucket has the free part is a matter of who sent first; what both pay is not.
    """
    catalogue = Catalogue.shipped()
    stack = parse_stack(TEXT, "weyr.yaml", KINDS, price_lists=catalogue.books)
    plan = make_plan(stack, World("busy"), KINDS, catalogue.book("aws/fargate"), known=Known(usage=stack.usage))

    bill = a_month(tmp_path, catalogue)

    assert plan.after.micros == sum(bill.values()) > 2_000 * 10**6
    assert all("free" in " ".join(cost.notes) for cost in plan.costs)


def a_month(folder: Path, catalogue: Catalogue) -> dict[str, int]:
    """The ledger's bill of a month in which both buckets are used evenly, looked at twice a day."""
    db = Database(folder / "store.db")
    with db.write() as connection:
        metadata.create_all(connection)
    ledger = Ledger(LedgerStore(db), catalogue)
    for hour in (*range(0, HOURS, 12), HOURS):
        now = DECEMBER + hour * 3600
        for name, month in MONTH.items():
            usages = [Usage("bucket", sku, amount if sku == STORAGE else amount * hour // HOURS,
                            since=None if sku == STORAGE else DECEMBER) for sku, amount in month.items()]  # fmt: skip
            with db.write() as connection:
                ledger.read(connection, Ref("busy", "bucket", name), usages, "aws/fargate", now)
    for name in MONTH:
        with db.write() as connection:
            ledger.close(connection, Ref("busy", "bucket", name), "bucket", DECEMBER + HOURS * 3600)
    bill = {row.key: row.micros for row in ledger.cost("busy", By.OBJECT, DECEMBER + HOURS * 3600).rows}
    db.close()
    return bill
