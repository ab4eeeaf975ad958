"""What do Azure's machines, disks, addresses and clusters cost? By hand, from the shipped list prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.azure_machines import disk_name, ultra_gib
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.lines import Estimate
from weyr.ledger.terraform.resources import Resource, Resources, Unknown
from weyr.ledger.terraform.usage import Usage

HOURS = 730
B1S, D2S_V3 = Decimal("0.0104"), Decimal("0.096")
LICENCE = Decimal("0.046")
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


def test_a_longer_promise_is_not_priced_as_the_usual_one() -> None:
    """Its premium tier costs more, and how much no list says."""
    of = made("azurerm_kubernetes_cluster.k", sku_tier="Premium", default_node_pool=[{"vm_size": "Standard_D2s_v3"}])
    assert [line.priced_as for _, line in priced(of).without_price] == ["aks/premium in eastus"]


def test_windows_costs_its_licence_for_each_vcpu() -> None:
    """Two vCPUs at 0.046 beside the machine; in a family whose sizes have licences of their own, none is known."""
    of = made("azurerm_windows_virtual_machine.w", size="Standard_D2s_v3")
    assert priced(of).total == HOURS * (D2S_V3 + 2 * LICENCE) + S4
    found = priced(made("azurerm_windows_virtual_machine.w", size="Standard_B1s"))
    assert [line.priced_as for _, line in found.without_price] == ["vm/standard_b1s.windows pay as you go in eastus"]


def test_a_licence_of_ones_own_is_not_paid_again() -> None:
    of = made("azurerm_windows_virtual_machine.w", size="Standard_D2s_v3", license_type="Windows_Server")
    assert priced(of).total == HOURS * D2S_V3 + S4


def test_windows_on_spot_has_no_known_price() -> None:
    found = priced(made("azurerm_windows_virtual_machine.w", size="Standard_D2s_v3", priority="Spot"))
    assert [line.rate for _, line in found.without_price] == [None]


def test_a_set_costs_each_of_its_machines_and_their_disks() -> None:
    of = made("azurerm_linux_virtual_machine_scale_set.s", sku="Standard_B1s", instances=3)
    assert priced(of).total == 3 * (HOURS * B1S + S4)


def test_an_old_set_pays_its_disks_once() -> None:
    of = made("azurerm_virtual_machine_scale_set.s", sku=[{"name": "Standard_B1s", "capacity": 3}],
              storage_profile_os_disk=[{"managed_disk_type": "Standard_LRS"}])  # fmt: skip
    assert priced(of).total == 3 * HOURS * B1S + S4


@pytest.mark.parametrize(("gib", "billed"), [(1, 4), (5, 8), (512, 512), (513, 1024), (2000, 2048), (99_999, 65_536)])
def test_an_ultra_disk_is_rounded_up_to_a_size_that_there_is(gib: int, billed: int) -> None:
    assert ultra_gib(Decimal(gib)) == billed


def test_an_ultra_disk_costs_its_room_its_operations_and_its_throughput() -> None:
    of = made("azurerm_managed_disk.u", storage_account_type="UltraSSD_LRS", disk_size_gb=32, disk_iops_read_write=100)
    throughput = 8 * Decimal("0.000479")
    found = priced(of).total / HOURS
    assert found == 32 * Decimal("0.000164") + 100 * Decimal("0.000068") + throughput


def test_a_disk_of_a_kind_without_a_price_is_named() -> None:
    found = priced(made("azurerm_managed_disk.u", storage_account_type="PremiumV2_LRS", disk_size_gb=32))
    assert "PremiumV2_LRS" in found.unpriced[0].why


@pytest.mark.parametrize("system", [{"os_type": "Windows"}, {"os_sku": "Windows2022"}])
def test_nodes_with_windows_are_not_priced_as_linux(system: dict[str, str]) -> None:
    pool = {"vm_size": "Standard_D2s_v3", "node_count": 1, "os_disk_size_gb": 128, **system}
    found = priced(made("azurerm_kubernetes_cluster.k", default_node_pool=[pool]))
    assert found.total == HOURS * (D2S_V3 + 2 * LICENCE) + P10


def test_nodes_on_spot_are_not_priced_as_on_demand() -> None:
    """On demand it would cost five times as much."""
    found = priced(made("azurerm_kubernetes_cluster_node_pool.p", vm_size="Standard_D2s_v3", priority="Spot"))
    assert [line.name for _, line in found.without_price] == ["Instance usage (Linux, spot, Standard_D2s_v3)"]


def test_an_image_is_as_large_as_the_machine_that_it_was_made_of() -> None:
    """128 GiB of its system, and a disk of 30."""
    machine = made("azurerm_virtual_machine.m", storage_os_disk=[{}], storage_data_disk=[{"disk_size_gb": 30}])
    image = made("azurerm_image.i", location="West Europe", source_virtual_machine_id=Unknown((machine.address,)))
    found = priced(image, machine)
    assert [part.cost() for kind, part in found.priced if kind == "azurerm_image"] == [158 * Decimal("0.05")]


@pytest.mark.parametrize(
    ("values", "hourly"),
    [({"allocation_method": "Static"}, "0.005"), ({"allocation_method": "Dynamic"}, "0.004"),
     ({"allocation_method": "Static", "sku_tier": "Global"}, "0.01")],
)  # fmt: skip
def test_an_address_costs_by_the_hour(values: dict[str, str], hourly: str) -> None:
    assert priced(made("azurerm_public_ip.a", **values)).total == HOURS * Decimal(hourly)
