"""What a total leaves out is said by name, and where a price could be had."""

from datetime import date
from typing import Any

from weyr.cli.estimate_table import left_out
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.resources import Resource, Resources
from weyr.ledger.terraform.usage import Usage


def told(kind: str, region: str = "", **values: Any) -> list[str]:
    resources = Resources((Resource(f"{kind}.x", kind, values, region),))
    return left_out(estimate(resources, Usage(), Catalogue.shipped(), date(2026, 11, 1)))


def test_each_provider_has_a_region_of_its_own_where_most_is_known() -> None:
    """us-east-1 is no place of Azure's."""
    assert "--region westeurope" in told("azurerm_redis_cache", location="norwayeast", sku_name="Basic", capacity=1)[-1]
    assert "--region us-east-1" in told("aws_elasticache_cluster", "mx-central-1", node_type="cache.t3.micro")[-1]


def test_nobody_is_sent_to_where_he_is() -> None:
    """What is not known there is known nowhere."""
    lines = told("azurerm_redis_cache", location="westeurope", sku_name="Basic", capacity=99)
    assert not [line for line in lines if "--region" in line]
