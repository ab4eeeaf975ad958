"""What do Azure's machines, disks, addresses and clusters cost?

A disk is billed by the size that it is rounded up to: S10 and P10 are 128 GiB. Source: azure.microsoft.com/pricing, of
linux virtual machines, managed disks, IP addresses and AKS.
"""

import re
from decimal import Decimal

from weyr.ledger.prices.offers import Purchase
from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

PROVIDER = "azure"
KINDS = {"Standard_LRS": "S", "StandardSSD_LRS": "E", "Premium_LRS": "P"}
SMALL_GIB = {1: 4, 2: 8, 3: 16}
"""Of disks on SSD only."""
SIZES_GIB = {
    4: 32, 6: 64, 10: 128, 15: 256, 20: 512, 30: 1024, 40: 2048, 50: 4096, 60: 8192, 70: 16384, 80: 32767,
}  # fmt: skip
"""What the number in a disk's name stands for."""
DISK_GIB, NODE_GIB = 30, 128
OPERATIONS_PER = 10_000
PREMIUM = re.compile(r"standard_[a-z]+\d+[a-z]*s(_v\d+)?$|standard_ds\d+(_v\d+)?$", re.IGNORECASE)
"""Machines that take premium disks: their cluster's nodes get them."""


def place_of(resource: Resource) -> str:
    """`West Europe` is `westeurope`."""
    return resource.text("location").lower().replace(" ", "")


def virtual_machine(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    hours = usage.number("monthly_hrs") or HOURS
    is_spot = resource.text("priority").lower() == "spot"
    disk, region = resource.block("os_disk"), place_of(resource)
    size = disk.number("disk_size_gb", DISK_GIB)
    os_disk = _disk(desk, disk.text("storage_account_type", "Standard_LRS"), size, Decimal(1), region,
                    usage.within("os_disk"))  # fmt: skip
    line = machine(desk, resource.text("size"), region, hours, is_spot)
    return Part(resource.address, (line,), (Part("os_disk", tuple(os_disk)),))


def machine(
    desk: Desk, kind: str, region: str, hours: Decimal, is_spot: bool = False, *, is_windows: bool = False
) -> Line:
    """Azure reads the names of its sizes in any case. Of Windows, whose licence is in the hour, no price is known."""
    known = next((i for p, i in desk.catalogue.machines if p == PROVIDER and i.lower() == kind.lower()), kind)
    rate = desk.machine_rate(known, region, Purchase.SPOT if is_spot else Purchase.ON_DEMAND, PROVIDER)
    option = "spot" if is_spot else "pay as you go"
    system = "Windows" if is_windows else "Linux"
    title = f"Instance usage ({system}, {option}, {kind})"
    why = f"{known} of Azure with {system}, {option}, in {region or 'no region'}"
    return Line(title, "hours", hours, None if is_windows else rate, why)


def disk_name(kind: str, size_gib: Decimal | None) -> str:
    """`P10` of a premium disk of 100 GiB; "" of a kind or a size that has none."""
    letter = KINDS.get(kind, "")
    sizes = SIZES_GIB if letter == "S" else SMALL_GIB | SIZES_GIB
    number = next((n for n, gib in sizes.items() if (size_gib or DISK_GIB) <= gib), None)
    return f"{letter}{number}" if letter and number else ""


def _disk(
    desk: Desk, kind: str, size: Decimal | None, count: Decimal, region: str, usage: Amounts, *, counted: bool = True
) -> list[Line]:
    name = disk_name(kind, size) or kind
    title = f"Storage ({name}, LRS)"
    lines = [desk.line(title, "months", count, f"disk/{name}", region, provider=PROVIDER)]
    if counted and name[0] in "SE" and kind in KINDS:
        done = usage.number("monthly_disk_operations")
        rate = f"disk/operations.{name[0]}"
        lines.append(
            desk.line("Disk operations", "10k operations", done, rate, region, per=OPERATIONS_PER, is_usage=True,
                      provider=PROVIDER)
        )  # fmt: skip
    return lines


def managed_disk(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    kind = resource.text("storage_account_type")
    if kind not in KINDS:
        return unpriced(resource, f"no price is known for a disk of {kind or 'an unknown kind'}")
    size = resource.number("disk_size_gb", DISK_GIB)
    return Part(resource.address, tuple(_disk(desk, kind, size, Decimal(1), place_of(resource), usage)))


def public_address(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    way, tier = resource.text("allocation_method").lower(), resource.text("sku_tier", "Regional").lower()
    title = f"IP address ({way}, {tier})" if way == "static" else f"IP address ({way})"
    name = f"ip/{way}.{tier}" if way == "static" else f"ip/{way}"
    return Part(resource.address, (desk.hours(title, name, place_of(resource), provider=PROVIDER),))


def cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Its nodes; a promise of uptime costs by the hour."""
    lines = []
    if resource.text("sku_tier", "Free").lower() in ("standard", "paid", "premium"):
        lines.append(desk.hours("Uptime SLA", "aks/uptime", "", provider=PROVIDER))
    pool = resource.block("default_node_pool")
    nodes = _pool(desk, pool, place_of(resource), usage.within("default_node_pool"), "default_node_pool")
    return Part(resource.address, tuple(lines), (nodes,))


def node_pool(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    of = desk.resources.behind(resource.values.get("kubernetes_cluster_id"), ("azurerm_kubernetes_cluster",), ("id",))
    return _pool(desk, resource, place_of(of) if of else "", usage, resource.address)


def _pool(desk: Desk, pool: Resource, region: str, usage: Amounts, name: str) -> Part:
    given = pool.number("node_count") or pool.number("min_count")
    count = usage.number("nodes") or given or Decimal(1)
    kind, hours = pool.text("vm_size"), usage.number("monthly_hrs") or HOURS
    is_windows = "windows" in (pool.text("os_type") + pool.text("os_sku")).lower()
    line = machine(desk, kind, region, hours * count, is_windows=is_windows)
    if pool.text("os_disk_type").lower() == "ephemeral":
        return Part(name, (line,))
    storage = "Premium_LRS" if PREMIUM.fullmatch(kind) else "Standard_LRS"
    size = pool.number("os_disk_size_gb", NODE_GIB)
    disk = _disk(desk, storage, size, count, region, usage, counted=False)
    return Part(name, (line,), (Part("os_disk", tuple(disk)),))


def on_windows(desk: Desk, resource: Resource, usage: Amounts) -> Unpriced:
    return unpriced(resource, "no price is known for Windows on Azure")


PRICERS: dict[str, Pricer] = {
    "azurerm_linux_virtual_machine": virtual_machine,
    "azurerm_windows_virtual_machine": on_windows,
    "azurerm_managed_disk": managed_disk,
    "azurerm_public_ip": public_address,
    "azurerm_kubernetes_cluster": cluster,
    "azurerm_kubernetes_cluster_node_pool": node_pool,
}
