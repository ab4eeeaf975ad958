"""A month of Azure's services, by the figures of their pages, multiplied by hand."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.azure_cosmos import region_name
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.lines import Estimate, Part
from weyr.ledger.terraform.resources import Resource, Resources, Unknown
from weyr.ledger.terraform.usage import Usage

HOURS = 730
CATALOGUE = Catalogue.shipped()
D = Decimal


def made(address: str, region: str = "eastus", **values: Any) -> Resource:
    return Resource(f"azurerm_{address}", f"azurerm_{address.split('.')[0]}", {"location": region, **values}, "")


def priced(*resources: Resource, **used: Any) -> Estimate:
    usage = Usage({resources[0].address: used})
    return estimate(Resources(resources), usage, CATALOGUE, date(2026, 11, 1))


def first(*resources: Resource, **used: Any) -> Part:
    return priced(*resources, **used).priced[0][1]


@pytest.mark.parametrize(
    ("kind", "values", "used", "dollars"),
    [
        # 4 vCores at 0.0975, kept in one place; 32 GB at 0.138, and 10 GB of backups at 0.095
        ("postgresql_flexible_server", {"region": "westus", "sku_name": "GP_Standard_D4s_v3", "storage_mb": 32768},
         {"additional_backup_storage_gb": 10}, HOURS * 4 * D("0.0975") + 32 * D("0.138") + D("0.95")),
        # the same, ready to take over: everything twice
        ("postgresql_flexible_server", {"region": "westus", "sku_name": "GP_Standard_D4s_v3", "storage_mb": 32768,
         "high_availability": [{"mode": "ZoneRedundant"}]}, {}, 2 * (HOURS * 4 * D("0.0975") + 32 * D("0.138"))),
        # 500 operations a second, of which 360 are in the price; 20 GB is the least
        ("mysql_flexible_server", {"region": "westus", "sku_name": "B_Standard_B1ms", "storage": [{"iops": 500}]}, {},
         HOURS * D("0.022") + 20 * D("0.138") + 140 * D("0.06")),
        # two shards with two copies beside the first of each
        ("redis_cache", {"sku_name": "Premium", "family": "P", "capacity": 1, "shard_count": 2,
         "replicas_per_primary": 2}, {}, 6 * HOURS * D("0.277")),
        # Basic has 10 GB in its price
        ("container_registry", {"region": "westeurope", "sku": "Basic"},
         {"storage_gb": 15, "monthly_build_vcpu_hrs": 1},
         30 * D("0.1667") + D("0.5") + 3600 * D("0.0001")),
        ("search_service", {"sku": "standard2", "replica_count": 2}, {"monthly_images_extracted": 1_000_001},
         2 * HOURS * D("1.344") + 1000 + D("0.0008")),
        ("eventhub_namespace", {"sku": "Standard", "capacity": 2}, {"monthly_ingress_events": 1_000_000},
         2 * HOURS * D("0.03") + D("0.028")),
        # 13 million operations are in the base charge
        ("servicebus_namespace", {"region": "westeurope", "sku": "Standard"},
         {"monthly_messaging_operations": 14_000_000, "monthly_brokered_connections": 1_100},
         HOURS * D("0.013438") + D("0.8") + 3),
        ("application_gateway", {"sku": [{"name": "WAF_v2", "capacity": 2}]}, {},
         HOURS * (D("0.36") + 2 * D("0.0144"))),
        ("nat_gateway", {}, {"monthly_data_processed_gb": 100}, HOURS * D("0.045") + D("4.5")),
        ("virtual_network_gateway", {"sku": "VpnGw1"}, {"p2s_connection": 130, "monthly_data_transfer_gb": 0},
         HOURS * (D("0.19") + 2 * D("0.01"))),
        ("private_endpoint", {}, {"monthly_inbound_data_processed_gb": 1_000_001,
         "monthly_outbound_data_processed_gb": 0}, HOURS * D("0.01") + 10_000 + D("0.006")),
        ("lb", {"sku": "Standard"}, {"monthly_data_processed_gb": 100}, D("0.5")),
        ("log_analytics_workspace", {"region": "westeurope", "retention_in_days": 60},
         {"monthly_log_data_ingestion_gb": 10, "monthly_additional_log_data_retention_gb": 10}, D("29.9") + D("1.3")),
        ("service_plan", {"sku_name": "P1v3", "os_type": "Linux", "worker_count": 2}, {}, 2 * HOURS * D("0.155")),
        # 490 MB count as 512, and 50 ms as 100
        ("linux_function_app", {}, {"monthly_executions": 1_000_000, "execution_duration_ms": 50, "memory_mb": 490},
         1_000_000 * D("0.1") * D("0.5") * D("0.000016") + D("0.2")),
        ("static_site", {"region": "centralus", "sku_tier": "Standard"}, {"monthly_bandwidth_gb": 101}, 9 + D("0.2")),
        ("machine_learning_compute_instance", {"virtual_machine_size": "Standard_D2s_v3"}, {"monthly_hrs": 100},
         100 * D("0.096")),
        ("machine_learning_compute_cluster", {"vm_size": "Standard_D2s_v3", "scale_settings": [{"min_node_count": 2}]},
         {}, 2 * HOURS * D("0.096")),
        ("synapse_spark_pool", {"region": "westeurope", "node_size": "Medium", "node_count": 3}, {"monthly_hours": 10},
         8 * 3 * 10 * D("0.15457")),
        ("security_center_subscription_pricing", {"tier": "Standard", "resource_type": "CosmosDbs"},
         {"cosmosdb_request_units": 200}, 2 * HOURS * D("0.0012")),
    ],
)  # fmt: skip
def test_a_month_of_it_costs(kind: str, values: dict[str, Any], used: dict[str, Any], dollars: Decimal) -> None:
    """Each line at its own price, and what is included left out."""
    assert round(priced(made(f"{kind}.x", **values), **used).total, 2) == round(D(dollars), 2)


@pytest.mark.parametrize(
    ("kind", "values"),
    [("lb", {"sku": "Basic"}), ("search_service", {"sku": "free"}), ("iothub", {"sku": [{"name": "F1"}]}),
     ("service_plan", {"sku_name": "Y1"}), ("service_plan", {"sku_name": "F1"}), ("static_site", {"sku_tier": "Free"}),
     ("cognitive_account", {"kind": "OpenAI", "sku_name": "S0"}), ("signalr_service", {"sku": [{"name": "Free_F1"}]}),
     ("log_analytics_workspace", {"sku": "Free"}), ("databricks_workspace", {"sku": "trial"})],
)  # fmt: skip
def test_a_free_size_costs_nothing(kind: str, values: dict[str, Any]) -> None:
    found = priced(made(f"{kind}.x", **values))
    assert [address for address, _ in found.free] == [f"azurerm_{kind}.x"]


@pytest.mark.parametrize(
    ("kind", "values", "why"),
    [
        ("postgresql_flexible_server", {"sku_name": "XX_Standard_D4s_v3"}, "size XX_Standard_D4s_v3"),
        ("mssql_database", {"sku_name": "DW100c"}, "size DW100c"),
        ("key_vault_key", {"key_type": "RSA"}, "its vault was not found"),
        ("cosmosdb_sql_database", {"account_name": "elsewhere"}, "its account was not found"),
        ("cognitive_deployment", {"model": [{"name": "phi-4"}]}, "the model phi-4"),
        ("storage_account", {"account_kind": "BlockBlobStorage", "account_replication_type": "GZRS"}, "gzrs"),
        ("redis_cache", {"sku_name": "Enterprise"}, "size Enterprise"),
    ],
)  # fmt: skip
def test_what_no_price_is_known_for_is_named(kind: str, values: dict[str, Any], why: str) -> None:
    """It is never shown as if it cost nothing."""
    found = priced(made(f"{kind}.x", **values))
    assert not found.total
    assert why in found.unpriced[0].why


def test_a_function_on_a_plan_of_machines_costs_nothing_beside_it() -> None:
    """Its plan is paid for, whatever runs on it; on an elastic one its own instances are."""
    plan = made("service_plan.p", sku_name="S1", os_type="Linux")
    of = made("linux_function_app.f", service_plan_id=Unknown((plan.address,)))
    assert [kind for _, kind in priced(of, plan).free] == ["azurerm_linux_function_app"]
    elastic = made("service_plan.p", sku_name="EP2", os_type="Linux")
    flexible = made("service_plan.p", sku_name="FC1", os_type="Linux")
    assert "FC1" in priced(of, flexible).unpriced[0].why
    cost = 2 * HOURS * D("0.173") + 7 * HOURS * D("0.0123")
    assert round(priced(of, elastic, instances=1).total, 2) == round(cost, 2)


def test_a_share_keeps_as_many_copies_as_its_account() -> None:
    account = made("storage_account.a", "westus", name="lake", account_replication_type="GRS")
    share = made("storage_share.s", storage_account_name="lake", access_tier="Hot", location=None,
                 resource_group_name=Unknown((account.address,)))  # fmt: skip
    assert first(share, account, storage_gb=10).cost() == 10 * D("0.0632")


def test_a_hot_account_pays_less_for_what_is_more_than_50_tb() -> None:
    account = made("storage_account.a", "westus", account_tier="Standard", account_replication_type="LRS")
    names = [line.name for line in first(account, storage_gb=51_201).lines[:2]]
    assert names == ["Capacity (first 50TB)", "Capacity (next 450TB)"]
    assert first(account, storage_gb=51_201).cost() == 51_200 * D("0.0208") + D("0.019968")


def test_an_account_where_its_own_price_is_unknown_costs_what_a_bucket_does() -> None:
    """Blobs cost the same whichever account they are in, while their copies stay in one region."""
    bucket = CATALOGUE.rate("blob", "eastus", "storage.hot", provider="azure")
    account = made("storage_account.a", "eastus", account_tier="Standard", account_replication_type="LRS")
    assert bucket is not None
    assert first(account, storage_gb=1_000).cost() == 1_000 * bucket.amount
    spread = made("storage_account.a", "eastus", account_tier="Standard", account_replication_type="GRS")
    assert priced(spread, storage_gb=1_000).unpriced


def test_a_database_is_paid_for_in_each_place_that_its_account_is_kept_in() -> None:
    places = [{"location": "westus"}, {"location": "centralus", "zone_redundant": True}]
    account = made("cosmosdb_account.a", "westus", name="a", geo_location=places)
    database = made("cosmosdb_sql_database.d", account_name="a", throughput=400)
    names = {line.name: line.cost for line in first(database, account).lines if line.cost}
    assert names == {
        "Provisioned throughput (provisioned, West US)": 4 * HOURS * D("0.008"),
        "Provisioned throughput (provisioned, Central US)": 5 * HOURS * D("0.008"),
    }


@pytest.mark.parametrize(
    ("region", "name"),
    [("westus2", "West US 2"), ("southeastasia", "Southeast Asia"), ("germanywestcentral", "Germany West Central"),
     ("australiaeast", "Australia East"), ("uksouth", "UK South"), ("East US", "East US")],
)  # fmt: skip
def test_a_region_is_named_as_people_read_it(region: str, name: str) -> None:
    assert region_name(region) == name


def test_a_zoned_database_pays_for_zones_in_the_general_tier_alone() -> None:
    server = made("mssql_server.s")
    for size, shown in (("GP_Gen5_4", True), ("BC_Gen5_4", False)):
        of = made("mssql_database.d", server_id=Unknown((server.address,)), sku_name=size, zone_redundant=True)
        assert any(line.name.startswith("Zone redundancy") for line in first(of, server).lines) is shown


def test_a_models_tokens_cost_by_where_it_runs() -> None:
    """Anywhere is cheapest; a promise of data in one zone is a tenth dearer. A version may have its own price."""

    def tokens(sku: str, version: str = "", region: str = "eastus") -> Decimal | None:
        model = [{"name": "gpt-4o", "version": version}]
        of = made("cognitive_deployment.m", region=region, model=model, sku=[{"name": sku}])
        return first(of, monthly_language_input_tokens=1_000_000).cost()

    assert tokens("GlobalStandard") == D("2.5")
    assert tokens("DataZoneStandard") == D("2.75")
    assert tokens("GlobalStandard", "2024-05-13") == 5
    assert tokens("Standard") is None
    assert tokens("Standard", "2024-11-20", "northeurope") == D("3.3")


def test_what_is_promised_of_speech_is_paid_whole() -> None:
    """And what is used beyond it by the hour, at the promise's own price."""
    of = made("cognitive_account.s", kind="SpeechServices", sku_name="S0", region="westeurope")
    used = {"monthly_connected_container_commitment_speech_to_text_custom_hrs": 2000,
            "monthly_connected_container_commitment_speech_to_text_custom_overage_hrs": 100}  # fmt: skip
    lines = {line.name: line for line in first(of, **used).lines}
    whole = lines["Speech to text custom model (connected container commitment)"]
    assert (whole.cost, whole.shown_quantity) == (D(1824), D(2000))
    assert round(lines["Speech to text custom model (connected container overage)"].cost or 0, 2) == D("90.86")
    assert "Speech to text custom model" not in lines


def test_logs_that_feed_sentinel_are_paid_twice() -> None:
    workspace = made("log_analytics_workspace.w", "westeurope")
    connector = made("sentinel_data_connector_office_365.c", log_analytics_workspace_id=Unknown((workspace.address,)))
    assert "Sentinel data ingestion" not in [line.name for line in first(workspace).lines]
    assert "Sentinel data ingestion" in [line.name for line in first(workspace, connector).lines]


def test_a_vault_costs_each_machine_that_it_keeps() -> None:
    """Over 500 GB a fee for each 500 begun and full, and what is stored by the GB."""
    vault = made("recovery_services_vault.v", "westeurope", name="v", storage_mode_type="LocallyRedundant")
    machine = made("virtual_machine.m", storage_os_disk=[{"disk_size_gb": 128}],
                   storage_data_disk=[{"disk_size_gb": 1000}])  # fmt: skip
    backup = made("backup_protected_vm.b", recovery_vault_name="v", source_vm_id=Unknown((machine.address,)))
    assert round(first(vault, machine, backup).cost() or 0, 2) == 20 + round(1128 * D("0.0224"), 2)
    assert "azurerm_backup_protected_vm.b" in [address for address, _ in priced(vault, machine, backup).free]


def test_networks_that_meet_pay_by_the_zones_that_they_are_in() -> None:
    here, there = made("virtual_network.a", "eastus", name="a"), made("virtual_network.b", "eastasia", name="b")
    of = made(
        "virtual_network_peering.p", virtual_network_name="a", remote_virtual_network_id=Unknown((there.address,))
    )
    assert first(of, here, there, monthly_data_transfer_gb=100).cost() == 100 * (D("0.09") + D("0.035"))
