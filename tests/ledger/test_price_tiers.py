"""What a provider gives free, or cheaper beyond a bound, is given once a month to all that it counts together."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.kind import Usage
from weyr.core.metering import Price
from weyr.core.ref import Ref
from weyr.ledger.books import Books
from weyr.ledger.grouping import By
from weyr.ledger.journal import balances
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import EGRESS_FAR, STORAGE, Catalogue, PriceBook
from weyr.ledger.prices.rates import price_of
from weyr.store.database import Database, metadata
from weyr.store.ledger import LedgerStore

FIRST = 1_793_491_200.0
"""2026-11-01 00:00 UTC."""
DAY = 86_400.0
LAKE, LOGS, OTHER = Ref("digits", "bucket", "lake"), Ref("digits", "bucket", "logs"), Ref("other", "bucket", "lake")
GIB = 2**30
EGRESS = price_of("0.09 to 10240; 0.085", "100", unit=GIB, tally="far")
STORED = price_of("0.023 to 1; 0.02", unit=GIB, per_s=2_628_000, tally="stored")
BOOK = PriceBook("cloud", {EGRESS_FAR: EGRESS, STORAGE: STORED})


def left(db: Database, ledger: Ledger, ref: Ref, gib: float, now: float) -> None:
    """`ref` has sent so much since it was made, on the first of the month."""
    with db.write() as connection:
        ledger.read(connection, ref, [Usage("bucket", EGRESS_FAR, round(gib * GIB), since=FIRST)], BOOK, now)


def bill(ledger: Ledger, now: float, by: By = By.OBJECT) -> dict[str, int]:
    return {row.key: row.micros for row in ledger.cost(None, by, now).rows}


def test_two_buckets_have_one_free_part_together(db: Database, ledger: Ledger) -> None:
    """An account has 100 GiB free, not each of its buckets: else a bill of many small ones would be far too low."""
    for hour, (ref, gib) in enumerate([(LAKE, 80), (LOGS, 80), (OTHER, 10), (LAKE, 90)]):
        left(db, ledger, ref, gib, FIRST + 3600 * (hour + 1))

    found = bill(ledger, FIRST + DAY / 2)

    assert sum(found.values()) == (180 - 100) * 90_000
    assert found == {"digits:bucket/lake": 0, "digits:bucket/logs": 6_300_000, "other:bucket/lake": 900_000}
    assert sum(balances(ledger.lines()).values()) == 0


def test_a_new_month_has_its_own_free_part(db: Database, ledger: Ledger) -> None:
    """What was free on the 30th is on October's account, though it was worth no line before midnight."""
    left(db, ledger, LAKE, 60, FIRST + 29 * DAY)
    left(db, ledger, LAKE, 150, FIRST + 30 * DAY + 60)
    left(db, ledger, LAKE, 170, FIRST + 30 * DAY + 120)

    assert bill(ledger, FIRST + 31 * DAY) == {"digits:bucket/lake": (110 - 100) * 90_000}
    assert [(line.day, line.used // GIB // 1000) for line in ledger.lines()][:2] == [
        ("2026-11-30", 60),
        ("2026-12-01", 110),
    ]


def test_storage_that_crosses_a_tier_costs_what_the_month_of_it_costs(db: Database, ledger: Ledger) -> None:
    """Stored bytes cross into the cheaper tier in the midst of a line; the lines still add up to the millionth."""
    december, span = FIRST + 30 * DAY, 730 * 3600
    for second in range(0, span, 24 * 3600):
        with db.write() as connection:
            ledger.read(connection, LAKE, [Usage("bucket", STORAGE, 3 * GIB, since=None)], BOOK, december + second)
    with db.write() as connection:
        ledger.close(connection, LAKE, "bucket", december + span)

    assert bill(ledger, december + span) == {"digits:bucket/lake": 23_000 + 2 * 20_000}


def test_a_restart_in_the_midst_of_a_tier_changes_no_bill(db: Database, ledger: Ledger) -> None:
    """Where the month stands is in the store with the lines: a crash neither gives nor takes the free part."""
    left(db, ledger, LAKE, 130, FIRST + 60)
    left(db, ledger, LAKE, 130, FIRST + 180)
    with suppress(ZeroDivisionError), db.write() as connection:
        ledger.read(connection, LAKE, [Usage("bucket", EGRESS_FAR, 200 * GIB, since=FIRST)], BOOK, FIRST + 300)
        raise ZeroDivisionError
    again = Ledger(LedgerStore(db), Catalogue.shipped())
    left(db, again, LOGS, 5, FIRST + 400)
    left(db, again, LOGS, 5, FIRST + 500)

    assert bill(again, FIRST + 600) == {"digits:bucket/lake": 30 * 90_000, "digits:bucket/logs": 5 * 90_000}


def test_a_month_that_closes_settles_what_was_free_in_it(db: Database, ledger: Ledger) -> None:
    """Closing posts what is due, each meter after the one before it: the free part is not given to both."""
    left(db, ledger, LAKE, 80, FIRST + 60)
    left(db, ledger, LOGS, 80, FIRST + 60)
    Books(LedgerStore(db)).close("2026-11", "admin", FIRST + 31 * DAY)

    assert sum(bill(ledger, FIRST + 31 * DAY, By.DAY).values()) == 60 * 90_000
    assert Books(LedgerStore(db)).verify().fault == ""


SENT = st.lists(
    st.tuples(st.sampled_from([LAKE, LOGS, OTHER]), st.integers(0, 90), st.integers(1, 7 * 24)), max_size=25
)


@settings(max_examples=25, deadline=None)
@given(SENT)
def test_whatever_the_order_the_month_costs_what_its_sum_costs(sent: list[tuple[Ref, int, int]]) -> None:
    """Who posts when decides who had the free part, and never how much all pay; what is seen now is what is posted."""
    database = Database(Path(":memory:"))
    with database.write() as connection:
        metadata.create_all(connection)
    ledger = Ledger(LedgerStore(database), Catalogue.shipped())
    now, total, months = FIRST, dict.fromkeys((LAKE, LOGS, OTHER), 0), dict[int, int]()
    for ref, gib, hours in sent:
        now += hours * 3600
        total[ref] += gib
        month = int(now >= FIRST + 30 * DAY) + int(now >= FIRST + 61 * DAY) + int(now >= FIRST + 92 * DAY)
        months[month] = months.get(month, 0) + gib
        left(database, ledger, ref, total[ref], now)
        due = sum(EGRESS.cost_micros(gib * GIB * 1000) for gib in months.values())
        assert sum(bill(ledger, now).values()) == due
    with database.write() as connection:
        for ref in total:
            ledger.close(connection, ref, "bucket", now)
    assert sum(bill(ledger, now).values()) == sum(EGRESS.cost_micros(gib * GIB * 1000) for gib in months.values())
    database.close()


def test_a_flat_price_is_not_counted_together_with_anything() -> None:
    """It costs the same whatever was used before."""
    flat = Price(400, 1000, 1)

    assert flat.cost_micros(10_000_000, before=5) == flat.cost_micros(10_000_000) == 4_000
    assert replace(flat, free=1_000_000, tally="reads").cost_micros(10_000_000) == 3_600
