"""The ledger on a real database: bills, crashes between accrual and commit, and budgets' figures."""

import pytest
from sqlalchemy.exc import IntegrityError

from weyr.core.kind import Usage
from weyr.core.metering import Meter
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref, ThingId
from weyr.ledger.accounts import table_of
from weyr.ledger.grouping import By
from weyr.ledger.journal import balances
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import CPU, CPU_SPOT, MEMORY, STORAGE
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore
from weyr.store.use_peaks import peaks

NOON = 1_795_348_800.0
"""2026-11-22 12:00 UTC."""
TRAIN, LAKE, OTHER = Ref("digits", "job", "train"), Ref("digits", "bucket", "lake"), Ref("other", "job", "train")
BOOK = "aws/fargate"


def run(db: Database, ledger: Ledger, ref: Ref, part: str, since: float, until: float | None, now: float) -> None:
    with db.write() as connection:
        ledger.open(connection, ref, part, [Usage(part, CPU, 1000, None)], BOOK, since)
    with db.write() as connection:
        ledger.read(connection, ref, [Usage(part, CPU, 1000, since, until)], BOOK, now)


def test_the_interrupted_attempt_is_on_the_bill(db: Database, ledger: Ledger) -> None:
    """A reclaimed attempt ran and cost money; the second one is billed beside it, and both add up."""
    run(db, ledger, TRAIN, "1", NOON, NOON + 30, NOON + 31)
    run(db, ledger, TRAIN, "2", NOON + 40, NOON + 100.5, NOON + 101)
    with db.write() as connection:
        for part in ("1", "2"):
            ledger.close(connection, TRAIN, part, NOON + 120)
    cost = ledger.cost("digits", By.THING, NOON + 200)
    assert [(row.key, row.micros) for row in cost.rows] == [("digits:job/train#1", 337), ("digits:job/train#2", 680)]
    assert sum(line.used for line in ledger.lines("digits")) == 90_500 * 1000
    assert sum(balances(ledger.lines()).values()) == 0
    assert ledger.open_meters() == ()


def test_a_crash_before_the_commit_posts_nothing_and_the_next_reading_makes_up(db: Database, ledger: Ledger) -> None:
    """The accrual and its lines are one transaction: there is no state between them."""
    run(db, ledger, TRAIN, "1", NOON, None, NOON + 1)
    usages = [Usage("1", CPU, 1000, NOON)]

    def crash() -> None:
        with db.write() as connection:
            ledger.read(connection, TRAIN, usages, BOOK, NOON + 60)
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            crash()
    assert ledger.lines() == ()
    for _ in range(3):
        with db.write() as connection:
            ledger.read(connection, TRAIN, usages, BOOK, NOON + 60)
    assert [line.signed_micros for line in ledger.lines()] == [674]


def test_a_late_record_of_a_closed_thing_is_not_billed_again(db: Database, ledger: Ledger) -> None:
    """The engine may repeat itself after the thing is gone."""
    run(db, ledger, TRAIN, "1", NOON, NOON + 30, NOON + 31)
    with db.write() as connection:
        ledger.close(connection, TRAIN, "1", NOON + 40)
        ledger.close(connection, TRAIN, "1", NOON + 50)
    before = ledger.lines()
    with db.write() as connection:
        ledger.read(connection, TRAIN, [Usage("1", CPU, 1000, NOON, NOON + 30)], BOOK, NOON + 60)
    assert ledger.lines() == before
    assert ledger.open_meters() == ()


def test_a_thing_nobody_opened_a_meter_for_gets_one(db: Database, ledger: Ledger) -> None:
    """Adopted after a crash, it still costs from its recorded start."""
    with db.write() as connection:
        ledger.read(connection, TRAIN, [Usage("7", CPU_SPOT, 2000, NOON)], BOOK, NOON + 3600)
    assert ledger.cost("digits", By.OBJECT, NOON + 3600).total_micros == 24_280


def test_the_price_is_that_of_the_opening(db: Database, ledger: Ledger) -> None:
    """A new price list changes what is opened from then on, never what runs."""
    run(db, ledger, TRAIN, "1", NOON, None, NOON + 1)
    with db.write() as connection:
        ledger.open(connection, TRAIN, "1", [Usage("1", CPU, 1000, None)], "aws/g5.xlarge", NOON + 2)
    assert [meter.book for meter in ledger.open_meters()] == [BOOK]
    assert ledger.rate("digits") == 40_480


def test_a_whole_machine_is_billed_by_its_larger_share(db: Database, ledger: Ledger) -> None:
    """Half of the memory of aws/g5.xlarge is half of its price, whatever cpu goes with it."""
    usages = [Usage("1", CPU, 1000, NOON), Usage("1", MEMORY, 8000, NOON)]
    with db.write() as connection:
        ledger.open(connection, TRAIN, "1", usages, "aws/g5.xlarge", NOON)
        ledger.read(connection, TRAIN, usages, "aws/g5.xlarge", NOON + 1)
    assert ledger.rate() == 503_000
    assert ledger.cost(None, By.STACK, NOON + 1).unpriced == ()


def test_the_bill_splits_up_every_way_and_always_to_the_same_sum(db: Database, ledger: Ledger) -> None:
    """Live and posted money alike; a day's rows cut at midnight UTC."""
    run(db, ledger, TRAIN, "1", NOON, None, NOON + 7200)
    run(db, ledger, OTHER, "1", NOON, NOON + 60, NOON + 61)
    with db.write() as connection:
        ledger.read(connection, LAKE, [Usage("", STORAGE, 2**40, None)], BOOK, NOON)
    now = NOON + 24 * 3600
    bills = {by: ledger.cost(None, by, now) for by in By}
    assert len({bill.total_micros for bill in bills.values()}) == 1
    assert [row.key for row in bills[By.DAY].rows] == ["2026-11-22", "2026-11-23"]
    assert [row.key for row in bills[By.KIND].rows] == ["bucket", "job"]
    assert [row.key for row in bills[By.STACK].rows] == ["digits", "other"]
    assert {row.key: row.micros for row in bills[By.OBJECT].rows} == {
        "digits:bucket/lake": 24 * 23_552_000 // 730, "digits:job/train": 24 * 40_480, "other:job/train": 674,
    }  # fmt: skip
    assert sum(row.rate_micros_per_hour for row in bills[By.OBJECT].rows) == ledger.rate()
    assert table_of(bills[By.KIND])[-1][0] == "total"


def test_the_sums_by_day_are_those_of_the_lines(db: Database, ledger: Ledger) -> None:
    """Bills read the sums; the journal is what they must agree with, corrections too."""
    midnight = NOON + 12 * 3600
    run(db, ledger, TRAIN, "1", NOON, None, midnight + 90)
    run(db, ledger, TRAIN, "1", NOON, midnight - 30, midnight + 100)
    with db.write() as connection:
        ledger.close(connection, TRAIN, "1", midnight + 200)
    days: dict[str, int] = {}
    for line in ledger.lines():
        days[line.day] = days.get(line.day, 0) + line.signed_micros
    rows = {row.key: row.micros for row in ledger.cost("digits", By.DAY, midnight + 300).rows}
    assert rows == days == {"2026-11-22": 40_480 * (12 * 3600 - 30) // 3600, "2026-11-23": 0}


def test_a_budget_sees_the_month_to_this_moment_and_its_forecast(db: Database, ledger: Ledger) -> None:
    """Spending since the first of the UTC month, unposted seconds too; a silent machine still counts."""
    october, november = NOON - 30 * 86_400, 1_793_491_200.0
    run(db, ledger, TRAIN, "1", october, None, october + 1)
    spend = ledger.spend(Reach("digits"), Every.MONTH, NOON)
    assert spend.period == "2026-11"
    hours = round((NOON - november) / 3600)
    assert spend.micros == 40_480 * hours
    assert spend.forecast_micros == 40_480 * 30 * 24
    assert ledger.spend(Reach("other"), Every.MONTH, NOON).micros == 0


def test_an_unpriced_thing_is_named(db: Database, ledger: Ledger) -> None:
    """No price for spot on this machine: the bill says which SKU is missing from it."""
    with db.write() as connection:
        ledger.read(connection, TRAIN, [Usage("1", CPU_SPOT, 1000, NOON)], "aws/c7i.large", NOON + 100)
    cost = ledger.cost("digits", By.OBJECT, NOON + 100)
    assert cost.unpriced == (CPU_SPOT,)
    assert cost.total_micros == 0


def test_two_open_meters_for_one_thing_are_impossible(db: Database) -> None:
    """The database itself refuses what would bill a thing twice."""
    store, meter = LedgerStore(db), Meter(ThingId(TRAIN, "1"), CPU, BOOK, None, 0)
    with db.write() as connection:
        store.add(connection, meter)
    with pytest.raises(IntegrityError), db.write() as connection:
        store.add(connection, meter)


def test_only_meters_that_counted_since_then_are_given(db: Database, ledger: Ledger) -> None:
    """A month's advice does not read a year's meters; what still runs belongs to every month."""
    run(db, ledger, TRAIN, "1", NOON, NOON + 30, NOON + 31)
    run(db, ledger, TRAIN, "2", NOON + 40, NOON + 100, NOON + 101)
    run(db, ledger, TRAIN, "3", NOON + 50, None, NOON + 101)
    with db.write() as connection:
        ledger.close(connection, TRAIN, "1", NOON + 35)
        ledger.close(connection, TRAIN, "2", NOON + 120)

    def parts(stack: str | None, since: float) -> list[str]:
        return [meter.thing.part for meter in ledger.meters_since(stack, round(since * 1000))]

    assert parts("digits", NOON) == ["1", "2", "3"]
    assert parts(None, NOON + 60) == ["2", "3"]
    assert parts("digits", NOON + 110) == ["3"]
    assert parts("other", NOON) == []


def test_what_a_task_used_is_kept_with_the_reading_that_settles_it(db: Database, ledger: Ledger) -> None:
    """The record of an end is read once; a crash after it must not cost what was learnt."""
    usages = [Usage("1", CPU_SPOT, 4000, NOON, NOON + 60, peak=900), Usage("1", MEMORY, 8000, NOON, NOON + 60)]
    for _ in range(2):
        with db.write() as connection:
            ledger.read(connection, TRAIN, usages, BOOK, NOON + 61)

    with db.read() as connection:
        (peak,) = peaks(connection, "digits")
    assert (peak.ref, peak.sku, peak.asked, peak.peak, peak.ran_ms) == (TRAIN, CPU, 4000, 900, 60_000)
    assert peak.busy_ms == round((NOON + 60) * 1000)
