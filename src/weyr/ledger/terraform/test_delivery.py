"""What brings data near those who ask, by hand from the shipped list prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.lines import Estimate
from weyr.ledger.terraform.resources import Resource, Resources, Unknown
from weyr.ledger.terraform.usage import Usage


def made(kind: str, region: str = "us-east-1", **values: Any) -> Resource:
    return Resource(f"{kind}.x", kind, values, region)


def priced(*resources: Resource, **used: Any) -> Estimate:
    usage = Usage({resource.address: used for resource in resources[:1]})
    return estimate(Resources(resources), usage, Catalogue.shipped(), date(2025, 6, 1))


def test_what_leaves_a_distribution_costs_by_where_it_goes() -> None:
    """11 TB to Japan go through two tiers; 30,000 HTTPS requests at 0.012; the first thousand paths are free."""
    found = priced(
        made("aws_cloudfront_distribution"),
        monthly_data_transfer_to_internet_gb={"japan": 11 * 1024},
        monthly_https_requests={"japan": 30_000},
        monthly_invalidation_requests=1100,
    )
    wanted = 10 * 1024 * Decimal("0.114") + 1024 * Decimal("0.089") + Decimal("0.036") + Decimal("0.50")
    assert (found.total, found.without_price) == (wanted, ())
    assert [part.name for part in found.priced[0][1].parts] == ["Japan"]


def test_a_distribution_without_use_shows_what_it_would_cost() -> None:
    """A newcomer sees the price of a gigabyte before there is any traffic."""
    (part,) = priced(made("aws_cloudfront_distribution")).priced[0][1].parts
    prices = {line.name: line.shown_price for line in part.lines}
    assert prices["Data transfer out to internet (first 10TB)"] == Decimal("0.085")
    assert prices["HTTPS requests"] == Decimal("0.01")


def test_what_is_set_up_beside_a_distribution_has_lines_of_its_own() -> None:
    """Logs, encryption, a certificate on addresses of its own, and a shield in the region that it names."""
    shield = {"origin_shield": [{"enabled": True, "origin_shield_region": "sa-east-1"}]}
    found = priced(made(
        "aws_cloudfront_distribution", origin=[shield], logging_config=[{"bucket": "b"}],
        viewer_certificate=[{"ssl_support_method": "vip"}],
        ordered_cache_behavior=[{}, {"field_level_encryption_id": "k"}],
    ))  # fmt: skip
    names = [line.name for line in found.priced[0][1].lines]
    assert "Origin shield HTTP requests (South America sa-east-1)" in names
    assert {"Field level encryption requests", "Real-time log requests"} < set(names)
    assert found.total == 600


def test_only_the_busier_direction_of_an_accelerator_is_paid_for() -> None:
    """From Europe: 100 GB out to Australia at 0.105 hide the 10 GB that came in."""
    group = made("aws_globalaccelerator_endpoint_group", endpoint_group_region="eu-west-1")
    ways = {"monthly_inbound_data_transfer_gb": {"australia": 10},
            "monthly_outbound_data_transfer_gb": {"australia": 100}}  # fmt: skip
    assert priced(group, **ways).total == Decimal("10.50")


@pytest.mark.parametrize(
    ("subnets", "zones"), [(["a", "b", "c"], 3), (Unknown(("aws_subnet.a", "aws_subnet.b")), 2), (Unknown(), 1)]
)
def test_a_stream_into_a_network_pays_in_each_zone(subnets: object, zones: int) -> None:
    """Subnets that are made by the same apply count as well: 0.011 for each hour of each."""
    network = {"vpc_config": [{"subnet_ids": subnets}]}
    stream = made("aws_kinesis_firehose_delivery_stream", "eu-west-2", elasticsearch_configuration=[network])
    assert priced(stream).total == zones * 730 * Decimal("0.011")


def test_a_gateway_to_a_site_costs_at_a_transit_gateway_only() -> None:
    """A virtual private gateway asks nothing for being attached."""
    private = made("aws_vpn_gateway")
    attached = made("aws_dx_gateway_association", associated_gateway_id=Unknown((private.address,)))
    assert priced(attached, private).total == 0
    transit = made("aws_dx_gateway_association", associated_gateway_id="tgw-1")
    assert priced(transit).total == 730 * Decimal("0.05")
