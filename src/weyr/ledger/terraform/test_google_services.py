"""Google's smaller services and its databases, by hand from the shipped list prices of us-central1."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.google_services import ITEMS
from weyr.ledger.terraform.google_sql import size_of
from weyr.ledger.terraform.lines import Estimate
from weyr.ledger.terraform.resources import Resource, Resources, Unknown
from weyr.ledger.terraform.usage import Usage

HOURS = Decimal(730)


def made(kind: str, **values: Any) -> Resource:
    return Resource(f"{kind}.x", kind, values, "us-central1")


def priced(*resources: Resource, **used: Any) -> Estimate:
    usage = Usage({resource.address: used for resource in resources[:1]})
    return estimate(Resources(resources), usage, Catalogue.shipped(), date(2025, 6, 1))


def database(tier: str, engine: str = "POSTGRES_15", **settings: Any) -> Estimate:
    return priced(made("google_sql_database_instance", database_version=engine, settings=[{"tier": tier, **settings}]))


def test_every_line_of_the_table_has_a_price() -> None:
    """A rate that is misspelt would show as unknown to everybody."""
    catalogue = Catalogue.shipped()
    rates = {item.rate.partition("/") for items in ITEMS.values() for item in items}
    assert not [name for service, _, name in rates if not catalogue.rate(service, "us-central1", name, provider="gcp")]


@pytest.mark.parametrize(
    ("kind", "values", "used", "dollars"),
    [
        # one version more for each 15 days of a month of 30, at 0.06; 20,000 operations at 0.03 for ten thousand
        ("kms_crypto_key", {"rotation_period": "1296000s"}, {"monthly_key_operations": 20_000}, "0.18"),
        # two versions in each of three places
        ("secret_manager_secret", {"replication": [{"user_managed": [{"replicas": [{}, {}, {}]}]}]},
         {"active_secret_versions": 2}, "0.36"),
        ("redis_instance", {"memory_size_gb": 11, "tier": "STANDARD_HA"}, {}, str(11 * HOURS * Decimal("0.046"))),
        # 40 machines, of which 32 are paid for
        ("compute_router_nat", {}, {"assigned_vms": 40, "monthly_data_processed_gb": 10},
         str(32 * HOURS * Decimal("0.0014") + Decimal("0.45"))),
        ("compute_vpn_gateway", {}, {"monthly_egress_data_transfer_gb": {"asia": 10, "oceania": 10}}, "1.80"),
        ("logging_folder_bucket_config", {"location": "global"}, {"monthly_logging_data_gb": 3}, "1.50"),
        ("monitoring_metric_descriptor", {}, {"monthly_monitoring_data_mb": 100_001}, "25800.151"),
        ("compute_target_ssl_proxy", {}, {"monthly_proxy_instances": 2}, str(2 * HOURS * Decimal("0.025"))),
    ],
)  # fmt: skip
def test_a_month_of_it_costs(kind: str, values: dict[str, Any], used: dict[str, Any], dollars: str) -> None:
    """Each by the figures of its page, multiplied by hand."""
    assert priced(made(f"google_{kind}", **values), **used).total == Decimal(dollars)


def test_a_version_of_a_secret_costs_where_its_secret_is_kept() -> None:
    """Two replicas are two versions."""
    secret = made("google_secret_manager_secret", replication=[{"user_managed": [{"replicas": [{}, {}]}]}])
    version = made("google_secret_manager_secret_version", secret=Unknown((secret.address,)))
    assert priced(version, secret).total == Decimal("0.12")


def test_a_database_costs_its_cpus_its_memory_and_its_disk() -> None:
    """4 vCPUs and 15 GB in two zones, 100 GB twice, and an address."""
    hourly = 4 * Decimal("0.0826") + 15 * Decimal("0.014") + Decimal("0.01")
    found = database("db-custom-4-15360", availability_type="REGIONAL", disk_size=100)
    assert found.total == HOURS * hourly + 34
    assert found.without_price == ()


@pytest.mark.parametrize(
    ("tier", "size"),
    [("db-custom-2-7680", ("2", "7.5")), ("db-highmem-4", ("4", "26")), ("db-n1-standard-8", ("8", "30")),
     ("db-lightweight-4", ("4", "3.75")), ("db-perf-optimized-N-2", None), ("", None)],
)  # fmt: skip
def test_a_tier_says_how_large_it_is(tier: str, size: tuple[str, str] | None) -> None:
    """The name is all that a configuration has of it."""
    assert size_of(tier) == (size and (Decimal(size[0]), Decimal(size[1])))


def test_what_no_price_is_known_for_is_named() -> None:
    """A licence, another edition and a tier that nobody knows are no zero."""
    licence = database("db-custom-2-7680", "SQLSERVER_2019_WEB")
    assert [line.priced_as for _, line in licence.without_price] == ["cloudsql/license.web in us-central1"]
    plus = database("db-custom-2-7680", edition="ENTERPRISE_PLUS")
    assert [each.why for each in plus.unpriced] == ["no price is known for the edition ENTERPRISE_PLUS"]
    assert [each.why for each in database("db-perf-optimized-N-2").unpriced] == [
        "no price is known for the tier db-perf-optimized-N-2"
    ]
