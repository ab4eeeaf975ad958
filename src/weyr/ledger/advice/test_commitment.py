"""Where a commitment breaks even, hour by hour."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from weyr.core.commitments import Form
from weyr.core.metering import Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.ledger.advice.advise import commitments_of
from weyr.ledger.advice.commitment import HOUR_MS, Sold, Terms, best_commitment, hourly_spending, terms_for
from weyr.ledger.advice.values import Change, Looked, Rule
from weyr.ledger.prices import Catalogue, Machine, Offer, Purchase

YEAR = Terms("a year of compute", 300, 12)
DOLLAR = 1_000_000


def cost(hourly: list[int], covered: int, terms: Terms) -> int:
    """What these hours cost with so much committed: paid whether used or not, the rest on demand."""
    return sum(covered * (1000 - terms.discount_milli) // 1000 + max(0, use - covered) for use in hourly)


@pytest.mark.parametrize(
    ("used_hours", "pays"), [(100, True), (71, True), (70, False), (69, False), (0, False)]
)  # fmt: skip
def test_it_pays_exactly_where_more_hours_use_it_than_it_costs(used_hours: int, pays: bool) -> None:
    """With 30 % off, 70 hours of 100 break even: neither is cheaper."""
    best = best_commitment([DOLLAR] * used_hours + [0] * (100 - used_hours), YEAR)

    assert (best is not None) is pays
    if best:
        assert best.covered_micros_per_hour == DOLLAR
        assert best.saved_micros == (used_hours - 70) * DOLLAR


@pytest.mark.parametrize("seed", range(20))
def test_no_other_amount_would_have_saved_more(seed: int) -> None:
    """The best is a quantile; trying every amount that was ever used finds none better."""
    dice = Random(seed)
    hourly = [dice.choice((0, 1, 2, 5)) * dice.randrange(10 * DOLLAR) for _ in range(dice.randrange(1, 400))]
    terms = Terms("offer", dice.randrange(1, 1000), 12)
    best = best_commitment(hourly, terms)

    without = sum(hourly)
    saved = best.saved_micros if best else 0
    assert saved >= max(without - cost(hourly, each, terms) for each in {0, *hourly}) - len(hourly)
    if best:
        assert saved == pytest.approx(without - cost(hourly, best.covered_micros_per_hour, terms), abs=1)


def test_only_the_part_that_is_always_there_is_committed_to() -> None:
    """Two machines all week and eight by day: nobody commits to the eight."""
    week = [2 * DOLLAR + (8 * DOLLAR if 8 <= hour % 24 < 16 else 0) for hour in range(168)]
    (saving,) = commitments_of("digits", week, [YEAR, Terms("worse", 100, 12)], Looked(0))

    assert saving.rule is Rule.COMMITMENT
    assert saving.micros_per_month == round(0.3 * 2 * DOLLAR * 730)
    assert saving.changes == ()
    assert "70 % of the hours" in saving.detail


@pytest.mark.parametrize("seed", range(10))
def test_machines_are_committed_to_by_the_number_and_no_other_number_saves_more(seed: int) -> None:
    """Half a machine cannot be reserved: the best is one of the two numbers around what would be best by amount."""
    dice = Random(seed)
    sold = Sold("aws/g5.xlarge", Form.RESERVED_INSTANCES, DOLLAR, 631_000)
    terms = Terms("offer", 369, 12, "list", sold)
    hourly = [dice.choice((0, 1, 2, 5)) * dice.randrange(2 * DOLLAR) for _ in range(200)]

    def saved(count: int) -> int:
        return sum(min(use, count * DOLLAR) for use in hourly) - count * sold.micros * len(hourly)

    best = best_commitment(hourly, terms)
    most = max(range(12), key=saved)
    assert (best.saved_micros if best else 0) == saved(most)
    assert best is None or best.paid_micros_per_hour == best.machines * sold.micros


def test_the_change_is_the_commitment_as_a_file_declares_it() -> None:
    """It is applied only when it is named, because it says that money is owed for a year; an object of that name that
    is there already stays."""
    sold = Sold("aws/g5.xlarge", Form.RESERVED_INSTANCES, DOLLAR, 634_000)
    offers = [Terms("offer", 366, 12, "list", sold)]
    day = 1_795_348_800_000  # 2026-11-22
    (saving,) = commitments_of("digits", [2 * DOLLAR] * 168, offers, Looked(day), {"g5-xlarge"})
    assert saving.changes == (
        Change(Ref("digits", "commitment", "g5-xlarge-2"), (), {
            "form": "reserved_instances", "covers": ["aws/g5.xlarge"], "count": 2, "hourly": "0.634 USD", "term": "1y",
            "until": "2027-11-22",
        }),
    )  # fmt: skip
    assert saving.loses == "1.27 per hour is owed for 12 months, used or not"


def test_what_is_covered_already_is_not_bought_again() -> None:
    """Whoever has bought what the finding said is not told to buy it once more."""
    meter = Meter(
        ThingId(Ref("digits", "job", "train"), "1"), "task.cpu", "own", Price(DOLLAR, 1000, 3600), 0, quantity=1000,
        run_since_ms=0,
    )  # fmt: skip
    assert hourly_spending([meter], 0, 2, DOLLAR) == [0, 0]
    assert hourly_spending([replace(meter, sku="storage.standard")], 0, 2) == [0, 0]


def test_less_than_a_week_says_nothing_of_a_year() -> None:
    """One training is no habit."""
    assert commitments_of("digits", [DOLLAR] * 167, [YEAR], Looked(0)) == ()
    assert commitments_of("digits", [DOLLAR] * 168, [], Looked(0)) == (), "an unknown offer is none"


def test_hours_are_cut_where_meters_begin_and_end() -> None:
    """Half an hour of a dollar an hour, over the change of the hour."""
    meter = Meter(
        ThingId(Ref("digits", "job", "train"), "1"), "task.cpu", "own", Price(DOLLAR, 1000, 3600), 0, quantity=1000,
        run_since_ms=HOUR_MS * 3 // 4, until_ms=HOUR_MS * 5 // 4,
    )  # fmt: skip
    assert hourly_spending([meter], 0, 3) == [DOLLAR // 4, DOLLAR // 4, 0]
    assert hourly_spending([meter], HOUR_MS, 1) == [DOLLAR // 4]


def test_offers_are_those_of_the_machine_where_it_costs_what_the_book_says() -> None:
    """A discount of another region, or of another machine, is no offer."""
    machine = Machine("aws", "g5.xlarge", Decimal(4), Decimal(16), "A10G", Decimal(1))
    book = Catalogue.shipped().book("aws/g5.xlarge")

    def offer(purchase: Purchase, usd: str, region: str = "us-east-1", of: Machine = machine) -> Offer:
        return Offer(of, region, purchase, Decimal(usd), "list", "2026-03-10")

    offers = [
        offer(Purchase.ON_DEMAND, "1.006"), offer(Purchase.RESERVED_1Y, "0.634"), offer(Purchase.RESERVED_3Y, "0.435"),
        offer(Purchase.ON_DEMAND, "1.2", "eu-west-1"), offer(Purchase.RESERVED_1Y, "0.1", "eu-west-1"),
        offer(Purchase.RESERVED_1Y, "0.2", of=replace(machine, instance="g5.2xlarge")),
    ]  # fmt: skip
    found = terms_for(book, offers)

    assert [(terms.months, terms.discount_milli) for terms in found] == [(12, 369), (36, 567)], "never more than it is"
    assert found[0].source == "list, 2026-03-10"
    assert terms_for(Catalogue.shipped().book("aws/fargate"), offers) == ()
