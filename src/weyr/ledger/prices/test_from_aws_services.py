"""AWS's lists of services: what its rows mean, and which of them are not taken."""

from decimal import Decimal

import pytest

from weyr.core.diagnostic import UserError
from weyr.ledger.prices.aws_usages import OFFERS
from weyr.ledger.prices.from_aws_services import read_service, service_named
from weyr.ledger.prices.rates import Rate
from weyr.ledger.prices.read_lists import PriceList

HEAD = """\
"FormatVersion","v1.0"
"Publication Date","2026-11-20T18:02:11Z"
"OfferCode","x"
SKU,TermType,StartingRange,EndingRange,PricePerUnit,Currency,Product Family,Instance Type,Database Engine,\
Deployment Option,Cache Engine,usageType,Region Code,operation
"""


def read(service: str, *rows: str) -> PriceList:
    return read_service((HEAD + "\n".join(rows)).splitlines(), service, "eu-west-1", "index.csv")


def row(usage: str, amount: str, start: str = "0", end: str = "Inf", sku: str = "", **more: str) -> str:
    cells = {"term": "OnDemand", "region": "eu-west-1", "family": "", "instance": "", "engine": "", "zones": ""} | more
    money = more.get("currency", "USD")
    before = [sku or usage, cells["term"], start, end, amount, money, cells["family"], cells["instance"]]
    after = [cells["engine"], cells["zones"], more.get("cache", ""), usage, cells["region"], more.get("operation", "")]
    return ",".join((*before, *after))


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


def test_what_is_free_everywhere_stands_beside_the_price() -> None:
    """Lambda's million requests are the account's in all regions: the list has them as a usage of its own."""
    free = row("Global-Request", "0", "0", "1000000", region="")
    both = read("lambda", free, row("EU-Request", "0.0000002"), row("EU-Request-ARM", "0.0000002")).rates
    x86, arm = sorted(both, key=lambda rate: rate.name)

    assert {x86.name: int(x86.free), arm.name: int(arm.free)} == {"requests": 1_000_000, "requests.arm": 1_000_000}
    trial = row("Global-Requests-Tier1", "0", "0", "2000", region="")
    assert only(read("s3", trial, row("EU-Requests-Tier1", "0.000005"))).free == 0, "of an account's first year only"


REGIONS = {
    "a cloud for governments": ("s3", "UGW1-Requests-Tier1", "standard.put"),
    "a region written out": ("kms", "us-gov-west-1-KMS-Keys", "key"),
    "Ireland": ("s3", "EU-Requests-Tier1", "standard.put"),
    "Virginia": ("s3", "Requests-Tier1", "standard.put"),
}


@pytest.mark.parametrize(("service", "usage", "name"), REGIONS.values(), ids=REGIONS.keys())
def test_a_usage_is_the_same_in_every_region(service: str, usage: str, name: str) -> None:
    """One name for it, whatever a region is called on the bill."""
    assert only(read(service, row(usage, "0.5"))).name == name


def test_one_usage_has_a_price_for_each_operation() -> None:
    """To move an object to Glacier costs less than to thaw it, and both are `Requests-Tier3`."""
    rows = [
        row("EU-Requests-Tier3", amount, sku=operation, operation=operation)
        for operation, amount in (("S3-GlacierTransition", "0.000033"), ("RestoreObject", "0.000055"), ("New", "9"))
    ]
    assert {rate.name: str(rate.amount) for rate in read("s3", *rows).rates} == {
        "glacier_flexible_retrieval.transition": "0.000033",
        "glacier_flexible_retrieval.retrieval.requests.standard": "0.000055",
    }
    twice = [row("Requests-Tier1", "0.000005", sku="A"), row("Requests-Tier1", "0.0005", sku="B", operation="New")]
    assert only(read("s3", *twice)).amount == Decimal("0.000005"), "what has no operation holds for all of them"


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
    "another currency": [row("CNN1-Requests-Tier1", "0.00004", currency="CNY")],
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
