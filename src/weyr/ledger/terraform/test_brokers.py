"""What do streams, brokers, search domains, warehouses and guards cost? By hand, from the shipped list prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.resources import Resource, Resources
from weyr.ledger.terraform.usage import Usage

HOURS = 730


def total(kind: str, usage: dict[str, Any] | None = None, region: str = "us-east-1", **values: Any) -> Decimal:
    resource = Resource(f"{kind}.x", kind, values, region)
    used = Usage({resource.address: usage} if usage else {})
    return estimate(Resources((resource,)), used, Catalogue.shipped(), date(2025, 6, 1)).total


BROKERS: dict[str, tuple[Decimal, Decimal | float | str]] = {
    "four shards": (total("aws_kinesis_stream", shard_count=4), 4 * HOURS * Decimal("0.015")),
    "a stream that grows by itself": (
        total("aws_kinesis_stream", stream_mode_details=[{"stream_mode": "ON_DEMAND"}]),
        HOURS * Decimal("0.04"),
    ),
    "ten thousand transitions": (total("aws_sfn_state_machine", {"monthly_transitions": 10_000}), "0.25"),
    "a million calls of 120 ms at 64 MB": (
        # Two pieces of 100 ms each, of 64 MB: 1,000,000 x 0.2 s / 3,600 / 16 is 3.47 GB-hours.
        total(
            "aws_sfn_state_machine",
            {"monthly_requests": 1_000_000, "workflow_duration_ms": 120, "memory_mb": 64},
            type="EXPRESS",
        ),
        1 + Decimal(200_000) / 3600 / 16 * Decimal("0.060012"),
    ),
    "an API's billion calls and a half": (
        total("aws_apigatewayv2_api", {"monthly_requests": 1_500_000_000}, protocol_type="HTTP"),
        300 + 1200 * Decimal("0.9"),
    ),
    "three brokers with a disk each": (
        total(
            "aws_msk_cluster",
            number_of_broker_nodes=3,
            broker_node_group_info=[
                {
                    "instance_type": "kafka.m5.large",
                    "storage_info": [{"ebs_storage_info": [{"volume_size": 100}]}],
                }
            ],
        ),
        3 * HOURS * Decimal("0.21") + 300 * Decimal("0.1"),
    ),
    "a pair of brokers": (
        total("aws_mq_broker", engine_type="ActiveMQ", host_instance_type="mq.m5.large",
              deployment_mode="ACTIVE_STANDBY_MULTI_AZ"),
        2 * HOURS * Decimal("0.288"),
    ),
    "three nodes that search, each with a disk": (
        total(
            "aws_opensearch_domain",
            cluster_config=[{"instance_type": "c4.2xlarge.search", "instance_count": 3}],
            ebs_options=[{"ebs_enabled": True, "volume_size": 100, "volume_type": "gp3"}],
        ),
        3 * (HOURS * Decimal("0.587") + 100 * Decimal("0.122")),
    ),
    "a warehouse of four nodes": (
        total("aws_redshift_cluster", node_type="dc2.large", number_of_nodes=4),
        4 * HOURS * Decimal("0.25"),
    ),
    "a tunnel at a gateway": (
        total("aws_vpn_connection", transit_gateway_id="tgw-1"),
        2 * HOURS * Decimal("0.05"),
    ),
    "a firewall with two rules and a group": (
        total(
            "aws_wafv2_web_acl",
            {"rule_group_rules": 5},
            rule=[{}, {}, {"statement": [{"rule_group_reference_statement": [{"arn": "x"}]}]}],
        ),
        5 + 2 + 5 + 1,
    ),
    "a health check over TLS from both": (
        total("aws_route53_health_check", type="HTTPS_STR_MATCH", measure_latency=True), "3.5"
    ),
    "text messages at the price that is stated, a hundred of them free": (
        total(
            "aws_sns_topic", {"monthly_requests": 10, "sms_subscriptions": 100, "sms_notification_price": 0.01}
        ),
        "9",
    ),
    "a parameter that is not advanced": (total("aws_ssm_parameter", tier="Standard"), 0),
}  # fmt: skip


@pytest.mark.parametrize(("cost", "expected"), BROKERS.values(), ids=BROKERS.keys())
def test_a_month_of_it_costs(cost: Decimal, expected: Decimal | float | str) -> None:
    """Each by the figures of its page, multiplied by hand."""
    assert cost == pytest.approx(Decimal(expected))


def test_a_machine_of_another_region_has_no_price_and_is_named() -> None:
    """Nothing is priced by another region's list."""
    broker = Resource("aws_mq_broker.b", "aws_mq_broker", {"host_instance_type": "mq.m5.large"}, "eu-west-3")
    result = estimate(Resources((broker,)), Usage(), Catalogue.shipped(), date(2025, 6, 1))
    (named,) = result.unpriced
    assert named.why == "no price is known for mq/instance.mq.m5.large in eu-west-3"
