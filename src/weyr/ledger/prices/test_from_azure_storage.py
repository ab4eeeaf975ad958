"""Azure's list of what is stored: what its meters mean, and which of them are not taken."""

from decimal import Decimal
from typing import Any

import pytest

from weyr.core.diagnostic import UserError
from weyr.ledger.prices.from_azure_storage import azure_service_named, read_azure_storage
from weyr.ledger.prices.read_lists import PriceList


def meter(sku: str, name: str, amount: str, unit: str = "10K", **more: Any) -> dict[str, Any]:
    return {
        "currencyCode": "USD", "armRegionName": "westeurope", "type": "Consumption", "skuName": sku, "meterName": name,
        "productName": "General Block Blob v2", "meterId": name, "tierMinimumUnits": Decimal(0),
        "retailPrice": Decimal(amount), "unitOfMeasure": unit, "effectiveStartDate": "2025-01-01T00:00:00Z",
    } | more  # fmt: skip


def read(*items: dict[str, Any]) -> PriceList:
    return read_azure_storage(items, "westeurope", "2026-11-26", "pages")


def costs(read: PriceList, name: str, units: int) -> Decimal:
    """What so many units of the one rate of that name cost."""
    (rate,) = [rate for rate in read.rates if rate.name == name]
    total, below = Decimal(0), Decimal(0)
    for step in rate.steps:
        end = Decimal(units) if step.up_to is None else min(step.up_to, Decimal(units))
        total, below = total + max(end - below, Decimal(0)) * step.amount, end
    return total


def test_items_of_one_meter_are_its_tiers_and_each_rate_has_both_its_names() -> None:
    """A hundred terabytes: the first 50 at their price, the next at theirs, in whichever order the pages tell it."""
    tiers = [("0.0189", 51200), ("0.0196", 0), ("0.0181", 512000)]
    items = [
        meter("Hot LRS", "Hot LRS Data Stored", amount, "1 GB/Month", tierMinimumUnits=Decimal(start))
        for amount, start in tiers
    ]
    found = read(*items, meter("Hot LRS", "Hot LRS Write Operations", "0.054"))

    expected = 51200 * Decimal("0.0196") + 51200 * Decimal("0.0189")
    assert costs(found, "v2.hot.lrs.stored", 102400) == costs(found, "storage.hot", 102400) == expected
    assert costs(found, "v2.hot.lrs.write", 10_000) == costs(found, "requests.write", 10_000) == Decimal("0.054")
    assert {rate.dated for rate in found.rates} == {"2026-11-26"}


def test_tiers_and_copies_come_from_the_sku() -> None:
    """Archive has no Terraform account of its own; an endpoint's bytes have it."""
    found = read(
        meter("Cool RA-GRS", "Cool RA-GRS Data Stored", "0.025", "1 GB/Month"),
        meter("Cool LRS", "Cool Data Retrieval", "0.01", "1 GB"),
        meter("Archive LRS", "Archive Read Operations", "6.5"),
        meter("Hot GZRS", "LRS List and Create Container Operations", "0.12"),
    )
    assert [(rate.service, rate.name, rate.unit) for rate in found.rates] == [
        ("storage", "v2.cool.ragrs.stored", "GB"),
        ("storage", "v2.cool.lrs.retrieval", "GB"),
        ("blob", "retrieval.cool", "GB"),
        ("blob", "requests.read.archive", "request"),
        ("storage", "v2.hot.gzrs.list", "operation"),
    ]


def test_what_only_the_older_kind_lists_holds_for_the_newer() -> None:
    """In some regions the newer product lacks a hot account's copies in one place; where it has them, they hold."""
    older = meter("Hot LRS", "Hot LRS Data Stored", "0.02", "1 GB/Month", productName="Blob Storage", meterId="older")
    newer = meter("Hot LRS", "Hot LRS Data Stored", "0.0196", "1 GB/Month")

    assert costs(read(older), "v2.hot.lrs.stored", 1) == costs(read(older), "storage.hot", 1) == Decimal("0.02")
    assert costs(read(older, newer), "v2.hot.lrs.stored", 1) == Decimal("0.0196")
    assert costs(read(older, newer), "block.hot.lrs.stored", 1) == Decimal("0.02")


NOT_TAKEN = {
    "it is not in USD": [meter("Hot LRS", "Hot Read Operations", "0.004", currencyCode="EUR")],
    "it is of another region": [meter("Hot LRS", "Hot Read Operations", "0.004", armRegionName="eastus")],
    "it is not paid by use": [meter("Hot LRS", "Hot LRS Data Stored", "20000", "1 GB/Month", type="Reservation")],
    "it does not hold yet": [
        meter("Hot LRS", "Hot Read Operations", "0.005", effectiveStartDate="2027-01-01T00:00:00Z")
    ],
    "it has no name here": [
        meter("Archive LRS", "Archive Priority Read Operations", "65"),
        meter("Hot LRS", "Hot LRS Iterative Write Operations", "0.07", "100"),
        meter("Hot LRS", "Hot Read Operations", "0.004", productName="Tables"),
        meter("Hot LRS", "Hot Read Operations", "0.004", "some"),
    ],
    "two prices have one name": [
        meter("Hot LRS", "Hot Read Operations", "0.004", meterId="a"),
        meter("Hot LRS", "Hot Read Operations", "0.005", meterId="b"),
    ],
    "it costs nothing, or its tiers have a gap": [
        meter("Cool LRS", "Cool LRS Data Stored", "0.01", "1 GB/Month", tierMinimumUnits=Decimal(51200)),
        meter("Hot LRS", "Hot Data Retrieval", "0", "1 GB"),
    ],
}


@pytest.mark.parametrize(("reason", "items"), NOT_TAKEN.items(), ids=NOT_TAKEN.keys())
def test_what_would_be_a_wrong_price_is_none(reason: str, items: list[dict[str, Any]]) -> None:
    """A price in euros, of next year or of two minds reads as well as a right one."""
    found = read(*items)
    assert not found.rates
    assert set(found.left_out) == {reason}


def test_a_service_that_is_not_read_hears_which_are() -> None:
    """Azure has hundreds."""
    with pytest.raises(UserError, match="Unknown service"):
        azure_service_named("blobs")
