"""What cannot be true is left out, with a reason: an unknown price is safer than a wrong one."""

from datetime import date
from decimal import Decimal

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.prices.lint import age_text, lint, lint_rates
from weyr.ledger.prices.offers import Machine, Offer, Purchase
from weyr.ledger.prices.rates import Rate, price_of

TODAY = date(2026, 11, 26)
ON_DEMAND, SPOT, YEAR, THREE = Purchase.ON_DEMAND, Purchase.SPOT, Purchase.RESERVED_1Y, Purchase.RESERVED_3Y


def offer(
    usd: str,
    purchase: Purchase = ON_DEMAND,
    region: str = "us-1",
    instance: str = "p9.large",
    gpus: int = 1,
    vcpus: int = 8,
    zone: str = "",
    dated: str = "2026-11-01",
    source: str = "a list",
    low: str = "",
    high: str = "",
) -> Offer:
    machine = Machine("aws", instance, Decimal(vcpus), Decimal(vcpus * 4), "H100" if gpus else "", Decimal(gpus))
    least, most = Decimal(low) if low else None, Decimal(high) if high else None
    return Offer(machine, region, purchase, Decimal(usd), source, dated, zone, least, most)


FAULTS = {
    "a spot price above on demand": ([offer("2"), offer("2.1", SPOT)], ["2.1"], "spot above on demand"),
    "a spot price that is the one on demand": ([offer("2"), offer("2", SPOT)], [], ""),
    "a spot price rounded up": ([offer("27.43298"), offer("27.433", SPOT)], [], ""),
    "a spot price above every region's on demand": (
        [offer("2"), offer("9", SPOT, region="us-9")], ["9"], "spot above on demand",
    ),
    "a spot price where none is known on demand": ([offer("2", SPOT)], [], ""),
    "the sentinel of SkyPilot's list": ([offer("700.0", SPOT), offer("2.7")], ["700.0"], "sentinel"),
    "one figure for machines of many sizes": (
        [offer("41.7", instance=f"p9.{n}x", gpus=n) for n in (1, 2, 4)], ["41.7"] * 3, "sentinel",
    ),
    "a machine that costs nothing": ([offer("0")], ["0"], "not positive"),
    "a machine that pays": ([offer("-1")], ["-1"], "not positive"),
    "a commitment at the price on demand": ([offer("2"), offer("2", YEAR)], ["2", "2"], "commitment not cheaper"),
    "a commitment above on demand": ([offer("2"), offer("2.5", YEAR)], ["2.5"], "commitment not cheaper"),
    "three years dearer than one": (
        [offer("2"), offer("1", YEAR), offer("1.2", THREE)], ["1.2"], "commitments reversed",
    ),
    "commitments as they are": ([offer("2"), offer("1.4", YEAR), offer("0.9", THREE)], [], ""),
    "a committed price among those on demand": (
        [offer("10", region=f"r{n}") for n in range(4)] + [offer("3.6", region="r9")], ["3.6"], "region ratio",
    ),
    "a region that is dear": ([offer("10", region="us"), offer("16", region="sa")], [], ""),
    "eight for less than four": (
        [offer("8", gpus=1), offer("32", instance="p9.4", gpus=4, vcpus=32),
         offer("30", instance="p9.8", gpus=8, vcpus=64)], ["30"], "not monotone",
    ),
    "four for less than one with more cores": (
        [offer("4.352", gpus=1, vcpus=64), offer("3.912", instance="p9.12", gpus=4, vcpus=48)], [], "",
    ),
    "a price with a Windows licence": (
        [offer(usd, instance=f"m9.{n}", gpus=0, vcpus=n) for n, usd in ((2, "0.10"), (4, "0.20"), (16, "1.57"))],
        ["1.57"], "out of proportion",
    ),
    "a price of four years ago": ([offer("2", dated="2022-01-01")], ["2"], "age"),
    "a price of next year": ([offer("2", dated="2027-01-01")], ["2"], "age"),
    "a price of no day": ([offer("2", dated="recently")], ["2"], "age"),
    "a price from nowhere": ([offer("2", source="")], ["2"], "no source"),
    "a median outside of its range": ([offer("2", SPOT, low="3", high="4")], ["2"], "range"),
}  # fmt: skip


@pytest.mark.parametrize(("offers", "refused", "rule"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_refused_with_its_reason(offers: list[Offer], refused: list[str], rule: str) -> None:
    """Each of these stood in a public catalogue, and somebody planned with it."""
    report = lint(offers, TODAY)

    assert [str(r.offer.usd_per_hour) for r in report.refused] == refused
    assert set(report.by_rule) == ({rule} if rule else set())
    assert all(r.reason for r in report.refused)
    assert len(report.kept) + len(report.refused) == len(offers)


def test_a_sentinel_does_not_vouch_for_others() -> None:
    """700 on demand would make every spot price look cheap: it is gone before spot is compared."""
    report = lint([offer("700"), offer("2.7", region="us-2"), offer("9", SPOT, region="us-2")], TODAY)

    assert report.by_rule == {"sentinel": 1, "spot above on demand": 1}


def test_the_shipped_offers_have_none_of_these_faults() -> None:
    """What comes with Weyr has passed what Weyr asks of others, on the day of its newest price."""
    offers = Catalogue.shipped().all_offers
    newest = date.fromisoformat(max(offer.dated for offer in offers))
    report = lint(offers, newest)

    assert not report.refused, "\n".join(map(str, report.refused[:20]))
    assert {offer.provider for offer in offers} == {"aws", "azure", "gcp"}
    assert {offer.purchase for offer in offers} == set(Purchase)
    assert len(offers) > 5_000


def test_the_shipped_rates_have_a_source_and_cost_something() -> None:
    """A rate of nothing would price a service at nothing."""
    rates = Catalogue.shipped().all_rates.values()
    newest = date.fromisoformat(max(rate.dated for rate in rates))

    assert lint_rates(rates, newest) == []


@pytest.mark.parametrize(
    ("tiers", "source", "dated", "wrong"),
    [
        ("0.09", "a list", "2026-01-01", ""),
        ("0 to 100; 0.09", "a list", "2026-01-01", ""),
        ("0", "a list", "2026-01-01", "nothing in it costs anything"),
        ("700.0", "a list", "2026-01-01", "stands where a price is missing"),
        ("0.09", "", "2026-01-01", "it names no source"),
        ("0.09", "a list", "2021-01-01", "years ago"),
    ],
)
def test_a_rate_that_cannot_be_is_named(tiers: str, source: str, dated: str, wrong: str) -> None:
    """So that whoever adds a file of rates sees which line is wrong, and why."""
    found = lint_rates([Rate("aws", "s3", "", "egress", "GB", price_of(tiers), source, dated)], TODAY)

    assert [wrong in sentence for sentence in found] == ([True] if wrong else [])


@pytest.mark.parametrize(
    ("dated", "text"),
    [("2026-11-01", ""), ("2026-06-01", ""), ("2026-04-01", "7 months old"), ("2024-01-01", "2 years old")],
)
def test_a_stale_price_says_its_age(dated: str, text: str) -> None:
    """A price of last year may still hold; whoever reads it is to know how old it is."""
    assert age_text(dated, TODAY) == text
