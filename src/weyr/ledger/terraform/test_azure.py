"""What do Azure's machines, disks, addresses and clusters cost? By hand, from the shipped list prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.azure import disk_name
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.lines import Estimate
from weyr.ledger.terraform.resources import Resource, Resources
from weyr.ledger.terraform.usage import Usage

HOURS = 730
B1S, D2S_V3 = Decimal("0.0104"), Decimal("0.096")
S4, P10 = Decimal("1.536"), Decimal("19.71")
CATALOGUE = Catalogue.shipped()


def priced(*resources: Resource, usage: dict[str, Any] | None = None) -> Estimate:
    return estimate(Resources(resources), Usage(usage or {}), CATALOGUE, date(2026, 11, 1))


def made(address: str, **values: Any) -> Resource:
    return Resource(address, address.split(".")[0], {"location": "East US", **values}, "")


@pytest.mark.parametrize("size", ["Standard_B1s", "standard_b1s"])
def test_a_machine_costs_its_hours_and_its_disk(size: str) -> None:
    of = made("azurerm_linux_virtual_machine.m", size=size, os_disk=[{"storage_account_type": "Standard_LRS"}])
    assert priced(of).total == HOURS * B1S + S4


@pytest.mark.parametrize(
    ("kind", "gib", "name"),
    [("Standard_LRS", 8, "S4"), ("Premium_LRS", 8, "P2"), ("StandardSSD_LRS", 17, "E4"),
     ("Standard_LRS", 32, "S4"), ("Standard_LRS", 33, "S6"), ("Premium_LRS", 100, "P10"),
     ("StandardSSD_LRS", 1000, "E30"), ("Premium_LRS", 40_000, ""), ("UltraSSD_LRS", 10, "")],
)  # fmt: skip
def test_a_disk_is_billed_by_the_size_it_is_rounded_up_to(kind: str, gib: int, name: str) -> None:
    assert disk_name(kind, Decimal(gib)) == name


def test_a_disk_of_100_gib_costs_what_128_cost() -> None:
    assert priced(made("azurerm_managed_disk.d", storage_account_type="Premium_LRS", disk_size_gb=100)).total == P10


def test_operations_of_a_standard_disk_are_counted_by_their_use() -> None:
    of = made("azurerm_managed_disk.d", storage_account_type="Standard_LRS", disk_size_gb=32)
    found = priced(of, usage={"azurerm_managed_disk.d": {"monthly_disk_operations": 20_000}})
    assert found.total == S4 + 2 * Decimal("0.0005")


def test_a_cluster_costs_its_nodes_and_a_promise_of_uptime() -> None:
    pool = {"vm_size": "Standard_D2s_v3", "node_count": 3, "os_disk_size_gb": 128}
    of = made("azurerm_kubernetes_cluster.k", sku_tier="Standard", default_node_pool=[pool])
    assert priced(of).total == HOURS * Decimal("0.1") + 3 * (HOURS * D2S_V3 + P10)


def test_what_runs_windows_is_named_without_a_price() -> None:
    found = priced(made("azurerm_windows_virtual_machine.w", size="Standard_B1s"))
    assert not found.total
    assert "Windows" in found.unpriced[0].why


def test_a_disk_of_a_kind_without_a_price_is_named() -> None:
    found = priced(made("azurerm_managed_disk.u", storage_account_type="UltraSSD_LRS", disk_size_gb=32))
    assert "UltraSSD_LRS" in found.unpriced[0].why


@pytest.mark.parametrize("system", [{"os_type": "Windows"}, {"os_sku": "Windows2022"}])
def test_nodes_with_windows_are_not_priced_as_linux(system: dict[str, str]) -> None:
    pool = {"vm_size": "Standard_D2s_v3", "node_count": 1, "os_disk_size_gb": 128, **system}
    found = priced(made("azurerm_kubernetes_cluster.k", default_node_pool=[pool]))
    assert found.total == P10
    assert "Windows" in found.without_price[0][1].priced_as
