"""AWS's lists of services: what its rows mean, and which of them are not taken."""

from decimal import Decimal

import pytest

from weyr.core.diagnostic import UserError
from weyr.ledger.prices.from_aws_services import OFFERS, read_service, service_named
from weyr.ledger.prices.rates import Rate
from weyr.ledger.prices.read_lists import PriceList

HEAD = """\
"FormatVersion","v1.0"
"Publication Date","2026-11-20T18:02:11Z"
"OfferCode","x"
SKU,TermType,StartingRange,EndingRange,PricePerUnit,Currency,Product Family,Instance Type,Database Engine,\
Deployment Option,Cache Engine,usageType,Region Code
"""


def read(service: str, *rows: str) -> PriceList:
    return read_service((HEAD + "\n".join(rows)).splitlines(), service, "eu-west-1", "index.csv")


def row(usage: str, amount: str, start: str = "0", end: str = "Inf", sku: str = "", **more: str) -> str:
    cells = {"term": "OnDemand", "region": "eu-west-1", "family": "", "instance": "", "engine": "", "zones": ""} | more
    before = [sku or usage, cells["term"], start, end, amount, "USD", cells["family"], cells["instance"]]
    return ",".join((*before, cells["engine"], cells["zones"], more.get("cache", ""), usage, cells["region"]))


def only(read: PriceList) -> Rate:
    (rate,) = read.rates
    return rate


def test_rows_of_one_sku_are_its_tiers() -> None:
    """A terabyte in Ireland costs what S3's page says: each tier's gigabytes at its price."""
    rate = only(
        read(
            "s3",
            row("EU-TimedStorage-ByteHrs", "0.022", "51200", "512000", sku="A"),
            row("EU-TimedStorage-ByteHrs", "0.023", "0", "51200", sku="A"),
            row("EU-TimedStorage-ByteHrs", "0.021", "512000", "Inf", sku="A"),
        )
    )
    assert (rate.service, rate.region, rate.name, rate.unit) == ("s3", "eu-west-1", "standard.storage", "GB-month")
    assert [(step.amount, step.up_to) for step in rate.steps] == [
        (Decimal("0.023"), 51200),
        (Decimal("0.022"), 512000),
        (Decimal("0.021"), None),
    ]
    assert (rate.dated, rate.source) == ("2026-11-20", "index.csv")


def test_what_costs_nothing_at_first_is_the_months_allowance() -> None:
    """DynamoDB's first 25 GB are the account's, not a price of nothing."""
    usage = "EU-TimedStorage-ByteHrs"
    rate = only(read("dynamodb", row(usage, "0", "0", "25", sku="A"), row(usage, "0.283", "25", "Inf", sku="A")))
    assert (rate.free, rate.amount) == (Decimal(25), Decimal("0.283"))
    assert rate.cost(100, with_free=True) == Decimal("0.283") * 75


INSTANCES = {
    "a database": (
        "rds",
        row("EU-InstanceUsage:db.m5.large", "0.186", family="Database Instance", instance="db.m5.large",
            engine="MySQL", zones="Single-AZ"),
        "instance.db.m5.large.mysql.single",
    ),
    "a cache": (
        "elasticache",
        row("EU-NodeUsage:cache.t4g.micro", "0.017", family="Cache Instance", instance="cache.t4g.micro",
            cache="Redis"),
        "node.cache.t4g.micro.redis",
    ),
    "a machine that serves": ("sagemaker", row("EU-Host:ml.m5.large", "0.128"), "instance.ml.m5.large"),
    "a load balancer": (
        "elb",
        row("EU-LCUUsage", "0.008", family="Load Balancer-Application"),
        "application.unit",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("service", "line", "name"), INSTANCES.values(), ids=INSTANCES.keys())
def test_instances_are_named_by_what_they_are(service: str, line: str, name: str) -> None:
    """By the names that Terraform's resources are priced by."""
    assert only(read(service, line)).name == name


LEFT_OUT = {
    "a commitment": [row("EU-Requests-Tier1", "0.000005", term="Reserved")],
    "another region": [row("USW2-Requests-Tier1", "0.000005", region="us-west-2")],
    "a gap between tiers": [row("Requests-Tier1", "2", "0", "5"), row("Requests-Tier1", "1", "6", "Inf")],
    "no end": [row("Requests-Tier1", "2", "0", "5")],
    "nothing": [row("Requests-Tier1", "0")],
    "two prices of one name": [row("Requests-Tier1", "1", sku="A"), row("Requests-Tier1", "2", sku="B")],
    "what nothing is reckoned by": [row("EU-S3-Something-New", "1")],
}


@pytest.mark.parametrize("rows", LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_is_not_clear_is_not_taken(rows: list[str]) -> None:
    """An unknown price is named in an estimate; a wrong one is believed."""
    assert read("s3", *rows).rates == []


def test_an_unknown_service_names_those_that_are_read() -> None:
    """A mistyped word says what would have been right."""
    assert all(service_named(service) == service for service in OFFERS)
    with pytest.raises(UserError) as refused:
        service_named("rdss")
    assert "rds, s3" in refused.value.diagnostics[0].detail
