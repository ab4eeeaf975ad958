"""Commitments on a real database: what they pay for is credited beside the use, hour by hour, whatever comes late."""

import random

import pytest

from weyr.core.commitments import COMMITTED, COVERED, FEE, USED, Coverage, Form
from weyr.core.kind import Usage
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref
from weyr.ledger.books import Books
from weyr.ledger.grouping import By
from weyr.ledger.journal import balances
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import CPU
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore

NOON = 1_795_348_800.0
"""2026-11-22 12:00 UTC."""
HOUR = 3600.0
TRAIN, SERVE, OTHER = Ref("shop", "job", "train"), Ref("shop", "service", "web"), Ref("lab", "job", "train")
FLOOR = Ref("shop", "commitment", "floor")
BOOK = "aws/fargate"
CPU_MICROS = 40_480
"""What a vCPU costs there for an hour."""


def plan(share: float = 1.0, *, shared: bool = False, books: tuple[str, ...] = (BOOK,)) -> Coverage:
    """A savings plan of 20 % that covers so many vCPUs."""
    return Coverage(Form.SAVINGS_PLAN, round(CPU_MICROS * share * 0.8), books, 0, 200_000, shared)


def commit(db: Database, ledger: Ledger, coverage: Coverage, now: float, ref: Ref = FLOOR, until: float = 9e9) -> None:
    usage = Usage("", FEE, coverage.fee_micros_per_hour, None, until, covers=coverage)
    with db.write() as connection:
        ledger.read(connection, ref, [usage], BOOK, now)


def run(db: Database, ledger: Ledger, ref: Ref, since: float, until: float | None, now: float, part: str = "1") -> None:
    with db.write() as connection:
        ledger.read(connection, ref, [Usage(part, CPU, 1000, since, until)], BOOK, now)


def micros_by(ledger: Ledger, by: By, now: float) -> dict[str, int]:
    return {row.key: row.micros for row in ledger.cost(None, by, now).rows}


def test_what_a_commitment_covers_is_credited_beside_the_use(db: Database, ledger: Ledger) -> None:
    """The line of the use stays; beside it stand its price taken back and its share of the fee. Nothing is lost: all
    together is what the fee and the rest on demand come to."""
    commit(db, ledger, plan(), NOON)
    run(db, ledger, TRAIN, NOON, None, NOON + HOUR)
    run(db, ledger, TRAIN, NOON, None, NOON + 2 * HOUR)
    commit(db, ledger, plan(), NOON + 2 * HOUR + 180)
    by_sku = micros_by(ledger, By.SKU, NOON + 2 * HOUR)
    fee = plan().fee_micros_per_hour
    assert by_sku[CPU + COVERED] == -2 * CPU_MICROS
    assert by_sku[CPU + COMMITTED] == 2 * fee == -by_sku[USED]
    assert by_sku[CPU] == 2 * CPU_MICROS
    assert micros_by(ledger, By.OBJECT, NOON + 2 * HOUR)["shop:job/train"] == 2 * fee
    assert sum(balances(ledger.lines()).values()) == 0
    assert Books(LedgerStore(db)).verify().fault == ""


def test_what_nobody_used_stays_on_the_commitment(db: Database, ledger: Ledger) -> None:
    """Its own row is the unused part: an idle hour costs the whole fee, half an hour of use half of it."""
    commit(db, ledger, plan(), NOON)
    run(db, ledger, TRAIN, NOON, NOON + HOUR / 2, NOON + HOUR)
    commit(db, ledger, plan(), NOON + 2 * HOUR + 180)
    fee = plan().fee_micros_per_hour
    rows = micros_by(ledger, By.OBJECT, NOON + 2 * HOUR)
    assert abs(rows["shop:job/train"] - fee // 2) <= 1
    assert abs(rows["shop:commitment/floor"] - 3 * fee // 2) <= 1


def test_two_who_share_it_have_it_in_proportion(db: Database, ledger: Ledger) -> None:
    """Of one vCPU's worth three others use, each has a third, to the micro-unit."""
    commit(db, ledger, plan(), NOON)
    for ref, part in ((TRAIN, "1"), (TRAIN, "2"), (SERVE, "1")):
        run(db, ledger, ref, NOON, NOON + HOUR, NOON + HOUR, part)
    commit(db, ledger, plan(), NOON + HOUR + 180)
    credits = sorted(line.micros for line in ledger.lines() if line.sku == CPU + COVERED)
    assert sum(credits) == CPU_MICROS
    assert max(credits) - min(credits) <= 1


def test_another_stack_has_only_what_its_own_leaves_and_only_of_a_shared_one(db: Database, ledger: Ledger) -> None:
    """A stack's commitment is its own; a shared one serves it first."""
    for shared, left in ((False, 0), (True, CPU_MICROS // 2)):
        ref = Ref("shop", "commitment", f"c{int(shared)}")
        begins = NOON + (10 * HOUR if shared else 0)
        commit(db, ledger, plan(1.5, shared=shared), begins, ref)
        run(db, ledger, TRAIN, begins, begins + HOUR, begins + HOUR, f"a{int(shared)}")
        run(db, ledger, OTHER, begins, begins + HOUR, begins + HOUR, f"a{int(shared)}")
        commit(db, ledger, plan(1.5, shared=shared), begins + HOUR + 180, ref)
        with db.write() as connection:
            ledger.close(connection, ref, "", begins + HOUR + 180)
        got = sum(line.micros for line in ledger.lines("lab") if line.sku == CPU + COVERED)
        assert abs(got - left) <= 1, shared


def test_spot_and_other_books_are_not_covered(db: Database, ledger: Ledger) -> None:
    """No provider sells commitments for spot, and one of another machine type pays for nothing here."""
    commit(db, ledger, plan(books=("gcp/*",)), NOON)
    with db.write() as connection:
        ledger.read(connection, TRAIN, [Usage("1", "task.cpu.spot", 1000, NOON, NOON + HOUR)], BOOK, NOON + HOUR)
    run(db, ledger, SERVE, NOON, NOON + HOUR, NOON + HOUR)
    commit(db, ledger, plan(books=("gcp/*",)), NOON + HOUR + 180)
    assert not [line for line in ledger.lines() if line.sku.endswith((COVERED, COMMITTED))]


@pytest.mark.parametrize("seed", range(2))
def test_the_order_in_which_use_becomes_known_changes_nothing(db: Database, ledger: Ledger, seed: int) -> None:
    """Records come late after a network was away: what each owes in the end is what it would have owed at once."""
    chance = random.Random(seed)
    runs = [(f"{n}", NOON + n * 1000.0, NOON + n * 1000.0 + 4000.0) for n in range(6)]
    chance.shuffle(runs)
    commit(db, ledger, plan(), NOON)
    for position, (part, since, until) in enumerate(runs):
        seen_at = NOON + (position + 3) * HOUR  # after the hour was settled, for most
        run(db, ledger, TRAIN, since, until, max(seen_at, until), part)
        commit(db, ledger, plan(), max(seen_at, until) + 200)
    commit(db, ledger, plan(), NOON + 20 * HOUR)
    fee, hours = plan().fee_micros_per_hour, 3  # 9,000 s of use, never less than one at a time
    per_hour: dict[int, int] = {}
    for line in ledger.lines():
        if line.sku == CPU + COVERED:
            per_hour[line.from_ms] = per_hour.get(line.from_ms, 0) - line.signed_micros
    whole = [per_hour[round((NOON + h * HOUR) * 1000)] for h in range(hours - 1)]
    assert whole == [CPU_MICROS] * (hours - 1)
    by_sku = micros_by(ledger, By.SKU, NOON + 20 * HOUR)
    assert by_sku[CPU + COMMITTED] == -by_sku[USED] <= hours * fee
    assert sum(balances(ledger.lines()).values()) == 0
    assert Books(LedgerStore(db)).verify().fault == ""


def test_the_rate_and_the_forecast_are_those_of_what_is_effectively_paid(db: Database, ledger: Ledger) -> None:
    """A budget that saw covered use at its price on demand would foresee twice the month, and alert for nothing."""
    commit(db, ledger, plan(2.0), NOON)
    run(db, ledger, TRAIN, NOON, None, NOON + 60)
    fee = plan(2.0).fee_micros_per_hour
    cost = ledger.cost("shop", By.OBJECT, NOON + 60)
    assert {row.key: row.rate_micros_per_hour for row in cost.rows} == {
        "shop:commitment/floor": fee - fee // 2, "shop:job/train": fee // 2,
    }  # fmt: skip
    assert cost.rate_micros_per_hour == fee == ledger.rate("shop")
    left_hours = 8 * 24 + 12 - 1 / 60
    assert cost.forecast_month_micros == pytest.approx(cost.month_micros + fee * left_hours, abs=fee)
    assert ledger.spend(Reach("shop"), Every.MONTH, NOON + 60).rate_micros_per_hour == fee
