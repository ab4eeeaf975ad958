"""What is owed outside, added up by the database: the same to the last digit as its lines taken one by one."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from test_providers_bills import alone

from weyr.core.metering import Line, Meter
from weyr.core.ref import Ref, ThingId
from weyr.ledger.bills.owners import PART_CHARS_MIN
from weyr.ledger.bills.posted import Posted, add, owed_of, owed_row
from weyr.store.chain import FIRST
from weyr.store.charges import charges
from weyr.store.database import Database
from weyr.store.ledger import Head, LedgerStore, post
from weyr.store.owed import HOUR_MS, owed

MIDNIGHT = 1_793_491_200_000
"""2026-11-01 00:00 UTC."""
SKUS = ("task.cpu", "storage.standard", "node.money", "requests.read", "commitment.fee", "bill.instance.price", "odd")
BOOKS = ("aws/fargate", "aws/s3-standard", "openai")


def test_sums_are_those_of_the_lines(db: Database) -> None:
    """Terabytes, what was taken back, what came late, what a bill had posted, and what is only shared out."""
    store, chance = LedgerStore(db), Random(7)
    with db.write() as connection:
        made = [store.add(connection, meter) for meter in _meters(chance)]
        posted = [(meter, line) for meter in made for line in _lines(chance, meter)]
        post(connection, Head(0, FIRST, ""), posted)
    by_line, summed = Posted(), Posted()
    for charge in charges(db, None, "2026-11-02"):
        if f"payable:{charge.meter.book}" in (charge.line.credit, charge.line.debit):
            add(by_line, alone(charge.line, charge.meter.book, charge.meter.labels))
    told = list(owed(db, "2026-11-02", PART_CHARS_MIN, page=97))
    for each in told:
        add(summed, owed_of(owed_row(each)))

    assert len(told) < sum(1 for _ in charges(db, None, "2026-11-02"))
    assert summed.found.keys() == by_line.found.keys()
    for at, ours in by_line.found.items():
        theirs = summed.found[at]
        assert (theirs.kinds, theirs.posted, theirs.books, theirs.hours) == (
            ours.kinds, ours.posted, ours.books, ours.hours
        )  # fmt: skip
        if ours.quantity is None:
            assert theirs.quantity is None
        else:
            assert theirs.quantity is not None
            assert abs(theirs.quantity - ours.quantity) < Decimal(1) / 10**9, at
    assert (summed.labels, summed.newest) == (by_line.labels, by_line.newest)
    assert {t for t in summed.things if t.part} == {t for t in by_line.things if len(t.part) >= PART_CHARS_MIN}


def _meters(chance: Random) -> Iterator[Meter]:
    """Two objects, one of them with two states of its labels; each SKU owed to each book."""
    for number, sku in enumerate(SKUS * 3):
        ref = Ref("digits", "pool", "gpu") if number % 2 else Ref("digits", "bucket", "lake")
        thing = ThingId(ref, chance.choice(["", "1", "i-081360af11266"]) + f"{number}" * (number % 3))
        labels = (("team", chance.choice(["vision", "speech"])),)
        yield Meter(thing, sku, BOOKS[number % 3], None, MIDNIGHT, labels=labels)


def _lines(chance: Random, meter: Meter) -> Iterator[Line]:
    for number in range(1, 31):
        begin = MIDNIGHT + chance.randrange(72) * HOUR_MS + chance.choice([0, 1, 1_800_000])
        lasts = chance.choice([0, 60_000, HOUR_MS, 5 * HOUR_MS, -60_000])
        used = chance.choice([0, 7, 10**12 - 1, 10**12, 3 * 10**21 + chance.randrange(10**12)])
        expense = f"expense:{meter.thing.ref.absolute}"
        owes = f"payable:{meter.book}" if chance.random() < 0.9 else "expense:digits:pool/other"
        debit, credit = (owes, expense) if lasts < 0 else (expense, owes)
        note = chance.choice(["", "", f"late, of 2026-11-0{chance.randint(1, 3)}", "corrects 41: a test", "a word"])
        entry = "bill-aws-1" if meter.sku.startswith("bill.") else chance.choice(["", "openai-0311"])
        yield Line(
            meter.id, number, meter.thing, meter.sku, begin, begin + lasts, -used if lasts < 0 else used,
            chance.randrange(10**6), debit, credit, f"2026-11-0{1 + (begin - MIDNIGHT) // (24 * HOUR_MS)}", entry, note,
        )  # fmt: skip
