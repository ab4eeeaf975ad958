"""Services of one line each, by hand from the shipped list prices of us-east-1."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.metered import ITEMS, size
from weyr.ledger.terraform.resources import Resource, Resources, Unknown
from weyr.ledger.terraform.usage import Usage


def total(*resources: Resource, **used: Any) -> Decimal:
    usage = Usage({resource.address: used for resource in resources})
    return estimate(Resources(resources), usage, Catalogue.shipped(), date(2025, 6, 1)).total


def made(kind: str, **values: Any) -> Resource:
    return Resource(f"{kind}.x", kind, values, "us-east-1")


def test_every_line_of_the_table_has_a_price() -> None:
    """A rate that is misspelt would show as unknown to everybody."""
    catalogue = Catalogue.shipped()
    rates = {item.rate for items in ITEMS.values() for item in items}
    assert not [rate for rate in rates if not any(catalogue.rate(*_split(rate, region)) for region in PRICED_IN)]


PRICED_IN = ("us-east-1", "us-west-1", "eu-west-2")


def _split(rate: str, region: str) -> tuple[str, str, str]:
    service, _, name = rate.partition("/")
    return service, region, name


def test_requests_of_an_api_go_through_their_tiers() -> None:
    """334 million: 333 at 3.50 the million, one at 2.80."""
    assert total(made("aws_api_gateway_rest_api"), monthly_requests=334_000_000) == Decimal("1165.50") + Decimal("2.80")


def test_an_endpoint_into_a_network_costs_in_each_subnet_and_a_gateway_nothing() -> None:
    """Two subnets for 730 h at 0.01, and 100 GB at 0.01."""
    interface = made("aws_vpc_endpoint", vpc_endpoint_type="Interface", subnet_ids=["a", Unknown()])
    assert total(interface, monthly_data_processed_gb=100) == Decimal("14.60") + 1
    assert total(made("aws_vpc_endpoint")) == 0


def test_an_alarm_costs_by_its_metrics() -> None:
    """A second metric doubles it, ten seconds cost three times a minute, an anomaly is three metrics."""
    watched = [{"metric": [{"period": 60}]}, {"metric": [{"period": 120}]}, {"expression": "a/b"}]
    assert total(made("aws_cloudwatch_metric_alarm", metric_query=watched)) == Decimal("0.20")
    assert total(made("aws_cloudwatch_metric_alarm", period=10)) == Decimal("0.30")
    anomaly = made("aws_cloudwatch_metric_alarm", period=60, comparison_operator="GreaterThanUpperThreshold")
    assert total(anomaly) == Decimal("0.30")


def test_a_service_on_fargate_costs_its_tasks() -> None:
    """Three tasks of 1 vCPU and 2 GB: 0.04048 and 2 x 0.004445 an hour each."""
    task = made("aws_ecs_task_definition", family="web", cpu="1024", memory="2 GB")
    service = made("aws_ecs_service", task_definition="web", launch_type="FARGATE", desired_count=3)
    assert total(task, service) == 3 * 730 * (Decimal("0.04048") + 2 * Decimal("0.004445"))


def test_throughput_of_a_file_system_includes_a_part_by_its_size() -> None:
    """10 MB/s with 100 GB stored: 5 of them are included; 6 a month each, and 0.30 a GB."""
    system = made("aws_efs_file_system", provisioned_throughput_in_mibps=10)
    assert total(system, storage_gb=100) == 30 + 30


@pytest.mark.parametrize(
    ("text", "unit", "amount"), [("2 GB", "gb", 2), ("512", "gb", Decimal("0.5")), ("1 vCPU", "vcpu", 1)]
)
def test_a_task_is_sized_in_words_or_in_1024ths(text: str, unit: str, amount: Decimal) -> None:
    """As ECS takes both."""
    assert size(text, unit) == amount


def test_data_that_leaves_a_region_is_stated_without_a_resource() -> None:
    """11 TB to the internet from us-east-1: 10,240 GB at 0.09, 1,024 at 0.085; and within it both ends pay."""
    usage = {"region": "us-east-1", "monthly_outbound_internet_gb": 11_264, "monthly_intra_region_gb": 100}
    stated = Usage({"aws_data_transfer.out": usage})
    result = estimate(Resources(()), stated, Catalogue.shipped(), date(2025, 6, 1))
    assert result.total == 10_240 * Decimal("0.09") + 1_024 * Decimal("0.085") + 2
    assert not result.notes
