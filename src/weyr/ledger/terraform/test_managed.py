"""What is rented ready-made, by hand from the shipped list prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.lines import Estimate
from weyr.ledger.terraform.resources import Resource, Resources
from weyr.ledger.terraform.usage import Usage

HOURS = Decimal(730)


def priced(kind: str, used: dict[str, Any], region: str = "us-east-1", **values: Any) -> Estimate:
    resource = Resource(f"{kind}.x", kind, values, region)
    usage = Usage({resource.address: used})
    return estimate(Resources((resource,)), usage, Catalogue.shipped(), date(2025, 6, 1))


@pytest.mark.parametrize(
    ("kind", "values", "used", "dollars"),
    [
        # 400 a month; a thousand certificates at 0.75 and one at 0.35
        ("acmpca_certificate_authority", {}, {"monthly_requests": 1001}, "1150.35"),
        # 50 a month, ten at 0.058
        ("acmpca_certificate_authority", {"usage_mode": "SHORT_LIVED_CERTIFICATE"}, {"monthly_requests": 10}, "50.58"),
        ("acm_certificate", {"certificate_authority_arn": "arn:x"}, {}, "0.75"),
        ("acm_certificate", {}, {}, "0"),
        # two controllers, one more, and three accounts: 0.06 and 0.018 an hour
        ("directory_service_directory", {"type": "MicrosoftAD", "edition": "Standard"},
         {"additional_domain_controllers": 1, "shared_accounts": 3}, str(HOURS * Decimal("0.234"))),
        ("directory_service_directory", {"type": "SimpleAD", "size": "Large"}, {"shared_accounts": 3},
         str(HOURS * Decimal("0.30"))),
        # 1,000 IOPS of which 900 come with 300 GB; half of these are compressed away
        ("fsx_openzfs_file_system", {"throughput_capacity": 64, "storage_capacity": 300,
                                     "disk_iops_configuration": [{"mode": "USER_PROVISIONED", "iops": 1000}],
                                     "root_volume_configuration": [{"data_compression_type": "LZ4"}]},
         {}, "30.74"),
        ("fsx_windows_file_system", {"deployment_type": "MULTI_AZ_1", "storage_type": "HDD", "storage_capacity": 100,
                                     "throughput_capacity": 8}, {"backup_storage_gb": 10}, "39.0"),
        ("mwaa_environment", {"environment_class": "mw1.Medium"}, {"additional_workers": 1, "meta_database_gb": 10},
         str(HOURS * Decimal("0.85") + 1)),
        # 70 GB, of which 50 come with it
        ("dms_replication_instance", {"replication_instance_class": "dms.t2.micro", "allocated_storage": 70,
                                      "multi_az": True}, {}, str(HOURS * Decimal("0.036") + Decimal("4.60"))),
        ("lightsail_instance", {"bundle_id": "small_win_3_0"}, {}, str(HOURS * Decimal("0.02956"))),
        ("route53_resolver_endpoint", {"ip_address": [{}, {}]}, {"monthly_queries": 1_000_000_001}, "582.5000002"),
        ("glue_job", {"worker_type": "G.2X", "number_of_workers": 3}, {"monthly_hours": 2}, "5.28"),
        ("grafana_workspace", {}, {"viewer_licenses": 2}, "19"),
        ("ssm_activation", {"registration_limit": 5}, {"instances": 2}, "0"),
        ("ssm_activation", {"registration_limit": 1001}, {"instances": 2}, str(HOURS * Decimal("0.0139"))),
        ("cloudformation_stack", {"template_body": '{"Type": "AWS::S3::Bucket"}'},
         {"monthly_handler_operations": 10}, "0"),
        ("cloudformation_stack", {}, {"monthly_handler_operations": 10, "monthly_duration_secs": 0}, "0.009"),
        ("config_configuration_recorder", {}, {"monthly_config_items": 100}, "0.3"),
    ],
)  # fmt: skip
def test_what_is_rented_ready_made_costs_by_its_size(
    kind: str, values: dict[str, Any], used: dict[str, Any], dollars: str
) -> None:
    """Each is a few lines of a price page; who reads the bill finds the same figure."""
    found = priced(f"aws_{kind}", used, **values)
    assert found.total == Decimal(dollars)
    assert not found.unpriced


def test_an_analysis_with_flink_has_one_unit_more_and_storage() -> None:
    """Two units and the one that directs them, at 0.127 an hour; 50 GB for each of the two."""
    found = priced("aws_kinesisanalyticsv2_application", {"kinesis_processing_units": 2}, "eu-west-2",
                   runtime_environment="FLINK-1_11")  # fmt: skip
    assert found.total == 3 * HOURS * Decimal("0.127") + 100 * Decimal("0.116")


def test_a_size_that_has_no_price_is_named_and_not_shown_as_nothing() -> None:
    """Nobody takes an unknown price for zero."""
    found = priced("aws_lightsail_instance", {}, bundle_id="nano_3_0")
    assert [each.why for each in found.unpriced] == ["no price is known for lightsail/linux.nano in us-east-1"]
