"""A price book in a region is what the rates of that region come to, and nothing that nobody asks for."""

from decimal import Decimal

import pytest

from weyr.ledger.prices import CPU, CPU_SPOT, EGRESS_FAR, MEMORY, REQUESTS_WRITE, STORAGE, Catalogue, Purchase
from weyr.ledger.prices.merge import merged
from weyr.ledger.prices.offers import Offer
from weyr.ledger.prices.rates import Rate, price_of
from weyr.ledger.prices.read_lists import PriceList
from weyr.ledger.prices.regional import _of_storage
from weyr.ledger.prices.test_read_lists import TODAY

SHIPPED = Catalogue.shipped()
MILLION, PEBI_MONTH = 10**6 * 1000, 2**50 * 730 * 3600 * 1000


def test_rates_come_to_what_the_book_of_that_region_says() -> None:
    """The book of Virginia was written by hand and its rates by others: each class, request and gigabyte agrees."""
    written, derived = SHIPPED.book("aws/s3-standard"), dict(_of_storage(SHIPPED.rates("s3", "us-east-1")))

    assert derived.keys() == written.prices.keys()
    for sku, price in written.prices.items():
        used = PEBI_MONTH if sku.startswith("storage.") else MILLION
        if sku != "requests.read.glacier":  # a restore from S3, where the rates have one from a vault
            assert derived[sku][0].cost_micros(used) == price.cost_micros(used), sku


@pytest.mark.parametrize(
    ("book", "sku", "quantity", "hours", "usd"),
    [("aws/fargate/eu-central-1", CPU, 1000, 1, "0.046560"),
     ("aws/fargate/eu-central-1", STORAGE, 2**30, 730, "0.0245"),
     ("aws/s3-standard/ap-northeast-1", "storage.glacier_ir", 2**30, 730, "0.005"),
     ("aws/s3-standard/eu-west-2", REQUESTS_WRITE, 1_000_000, 1 / 3600, "5.3"),
     ("aws/s3-standard/sa-east-1", EGRESS_FAR, 200 * 2**30, 1 / 3600, "15"),
     ("aws/m5.xlarge/eu-west-1", CPU, 4000, 1, "0.214")],
)  # fmt: skip
def test_a_region_asks_its_own_prices(book: str, sku: str, quantity: int, hours: float, usd: str) -> None:
    """As AWS's page of that region has them: the plan for Frankfurt is not Virginia's."""
    micros = SHIPPED.book(book).monthly_micros(sku, quantity, hours)
    assert micros == Decimal(usd) * 10**6


def test_a_machine_elsewhere_is_shared_and_bought_as_here() -> None:
    """Half of its memory is half of it in Ireland too, and spot is the median of that region's zones."""
    book = SHIPPED.book("aws/m5.xlarge/eu-west-1")
    half = book.beside({CPU: 1000, MEMORY: 8000})

    assert book.is_whole
    assert half.monthly_micros(CPU, 1000, 1) == 0
    assert half.monthly_micros(MEMORY, 8000, 1) == 107_000
    zones = SHIPPED.offers(provider="aws", instance="m5.xlarge", region="eu-west-1", purchase=Purchase.SPOT)
    spot = book.price(CPU_SPOT)
    assert (spot is not None) == bool(zones)


@pytest.mark.parametrize("name", ["aws/fargate/mars-1", "aws/fargate/", "/eu-west-1", "gcp/x/eu-west-1", "eu-west-1"])
def test_where_nothing_is_known_there_is_no_book(name: str) -> None:
    """A guess that is not marked as one would be worse than a refusal."""
    assert name not in SHIPPED.books


def test_what_no_rate_is_known_of_has_no_price() -> None:
    """Nobody says what thawing from Deep Archive costs in Ireland: it is counted, and never free."""
    ireland = SHIPPED.book("aws/s3-standard/eu-west-1")

    assert ireland.price("requests.read.deep_archive") is None
    assert ireland.price("storage.deep_archive") is not None
    assert ireland.dated < "2026"
    assert "aws-price" in ireland.source


def test_a_refresh_holds_for_the_books_of_its_region() -> None:
    """One list read in, and the next plan there reckons with it."""
    read = Rate("aws", "s3", "eu-west-1", "standard.storage", "GB-month", price_of("0.5"), "a list", "2026-11-01")
    after = Catalogue.of(merged(SHIPPED, PriceList("a list", rates=[read]), TODAY).texts)

    assert after.book("aws/fargate/eu-west-1").monthly_micros(STORAGE, 2**30, 730) == 500_000
    assert SHIPPED.book("aws/fargate/eu-west-1").monthly_micros(STORAGE, 2**30, 730) == 23_000


def test_a_newer_list_holds_for_a_written_book_too() -> None:
    """What `weyr prices` shows after a refresh is what a plan reckons with: of the machine, of S3 beside it, and of no
    other machine."""
    machine = SHIPPED.machines["aws", "g5.xlarge"]
    bought = Offer(machine, "us-east-1", Purchase.ON_DEMAND, Decimal("1.306"), "a list", "2026-11-01")
    stored = Rate("aws", "s3", "us-east-1", "standard.storage", "GB-month", price_of("0.5"), "a list", "2026-11-01")
    after = Catalogue.of(merged(SHIPPED, PriceList("a list", [bought], rates=[stored]), TODAY).texts)
    before, renewed = SHIPPED.book("aws/g5.xlarge"), after.book("aws/g5.xlarge")

    assert renewed.beside({CPU: 4000, MEMORY: 16000}).monthly_micros(CPU, 4000, 1) == 1_306_000
    assert renewed.price(CPU_SPOT) == before.price(CPU_SPOT)
    assert renewed.monthly_micros(STORAGE, 2**30, 730) == 500_000
    assert "a list" in renewed.source
    assert renewed.version != before.version
    assert after.book("aws/g5.xlarge/us-east-1").prices == renewed.prices
    assert after.book("aws/m5.xlarge").price(CPU) == SHIPPED.book("aws/m5.xlarge").price(CPU)


def test_an_older_list_changes_no_written_book() -> None:
    """A list of last year says what was asked last year."""
    machine = SHIPPED.machines["aws", "g5.xlarge"]
    bought = Offer(machine, "us-east-1", Purchase.ON_DEMAND, Decimal("1.306"), "a list", "2025-11-01")
    after = Catalogue.of(merged(SHIPPED, PriceList("a list", [bought]), TODAY).texts)

    assert after.book("aws/g5.xlarge") == SHIPPED.book("aws/g5.xlarge")
