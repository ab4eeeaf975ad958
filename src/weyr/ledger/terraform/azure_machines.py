"""What do Azure's machines, disks, images, addresses and clusters cost?

A disk is billed by the size that it is rounded up to: S10 and P10 are 128 GiB. Source: azure.microsoft.com/pricing, of
virtual machines, managed disks, IP addresses and AKS.
"""

import math
import re
from dataclasses import replace
from decimal import Decimal

from weyr.ledger.prices.offers import Purchase
from weyr.ledger.prices.rates import Rate, flat
from weyr.ledger.terraform.azure import PROVIDER, line, part, region_of
from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

KINDS = {"Standard": "S", "StandardSSD": "E", "Premium": "P"}
COPIES = ("LRS", "ZRS")
SMALL_GIB = {1: 4, 2: 8, 3: 16}
"""Of disks on SSD only."""
SIZES_GIB = {
    4: 32, 6: 64, 10: 128, 15: 256, 20: 512, 30: 1024, 40: 2048, 50: 4096, 60: 8192, 70: 16384, 80: 32767,
}  # fmt: skip
"""What the number in a disk's name stands for."""
DISK_GIB, NODE_GIB, SYSTEM_GIB = 30, 128, 128
ULTRA_GIB, ULTRA_STEP_GIB, ULTRA_MAX_GIB = (4, 8, 16, 32, 64, 128, 256, 512), 1024, 65536
ULTRA_IOPS, ULTRA_MBPS = 2048, 8
"""What an ultra disk has where nobody says how much."""
OPERATIONS_PER = 10_000
PREMIUM = re.compile(r"standard_(m|gs|ds|[a-z]+\d+[a-z]*s).*", re.IGNORECASE)
"""Machines that take premium disks: their cluster's nodes get them."""
LICENSED = re.compile(
    r"standard_(?:d\w*_v2|(?:[delm]|dc|ec|n[cdv])[a-z]?(\d+).*_v[3-9]|(?:f|fx|h[bcx]|np)(\d+).*)", re.IGNORECASE
)
"""Families whose licence of Windows costs the same for each vCPU, which their names count; in others each size has its
own."""
OWN_LICENCE = ("windows_client", "windows_server")
RESERVED = "Ultra disk reservation (if unattached)"


def machine(
    desk: Desk, resource: Resource, kind: str, hours: Decimal, *, is_spot: bool = False, system: str = "Linux",
    licence: str = "",
) -> Line:  # fmt: skip
    """A licence of one's own leaves the machine's price as it is without Windows."""
    region = region_of(desk, resource)
    name = kind if kind.lower().startswith(("standard_", "basic_")) else f"Standard_{kind}"
    has_own = system == "Windows" and licence.lower() in OWN_LICENCE
    option = "spot" if is_spot else "hybrid benefit" if has_own else "pay as you go"
    rate = _machine_rate(desk, name, region, is_spot=is_spot, with_licence=system == "Windows" and not has_own)
    why = f"vm/{name.lower()}{'.windows' if system == 'Windows' else ''} {option} in {region or 'no region'}"
    return Line(f"Instance usage ({system}, {option}, {name})", "hours", hours, rate, why)


def _machine_rate(desk: Desk, kind: str, region: str, *, is_spot: bool, with_licence: bool) -> Rate | None:
    """Azure reads the names of its sizes in any case. Of Windows on spot no price is known."""
    known = next((i for p, i in desk.catalogue.machines if p == PROVIDER and i.lower() == kind.lower()), kind)
    if is_spot:
        return None if with_licence else desk.machine_rate(known, region, Purchase.SPOT, PROVIDER)
    name = kind.lower()
    if with_licence and (listed := desk.rate("vm", region, f"{name}.windows", PROVIDER)):
        return listed
    rate = desk.machine_rate(known, region, Purchase.ON_DEMAND, PROVIDER) or desk.rate("vm", region, name, PROVIDER)
    return _licensed(desk, known, rate) if rate and with_licence else rate


def _licensed(desk: Desk, kind: str, rate: Rate) -> Rate | None:
    """The same machine with Windows, where its licence is by the vCPU."""
    machine, licence = desk.catalogue.machines.get((PROVIDER, kind)), desk.rate("vm", "", "licence.windows", PROVIDER)
    match = LICENSED.fullmatch(kind)
    vcpus = machine.vcpus if machine else Decimal(match[1] or match[2] or 0) if match else None
    if licence is None or not match or not vcpus:
        return None
    amount, source = flat(rate.amount + licence.amount * vcpus), f"{rate.source}; and the licence: {licence.source}"
    return replace(rate, name=f"{rate.name}.windows", price=amount, source=source, dated=min(rate.dated, licence.dated))


def virtual_machine(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Also a set of them, which are as many as it says."""
    hours, disk = usage.number("monthly_hrs") or HOURS, resource.block("os_disk")
    system = "Windows" if "windows" in resource.type else "Linux"
    is_spot = resource.text("priority").lower() == "spot"
    kind, licence = resource.text("size") or resource.text("sku"), resource.text("license_type")
    lines = [machine(desk, resource, kind, hours, is_spot=is_spot, system=system, licence=licence)]
    if resource.block("additional_capabilities").flag("ultra_ssd_enabled"):
        lines.append(_reserved(desk, resource))
    kept = _disk_of(desk, resource, disk, disk.text("storage_account_type", "Standard_LRS"), usage.within("os_disk"))
    whole = part(resource, *lines, parts=[Part("os_disk", kept)])
    if not resource.type.endswith("_scale_set"):
        return whole
    return whole.times(usage.number("instances") or resource.number("instances", 1) or Decimal(0))


def old_virtual_machine(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """As providers before 2.0 write it; its disks stand in it, and a set of them pays each of its disks once."""
    is_set = resource.type.endswith("_scale_set")
    disk, kind = ("storage_profile_", resource.block("sku").text("name")) if is_set else ("storage_", "")
    hours, count = usage.number("monthly_hrs") or HOURS, Decimal(1)
    if is_set:
        count = usage.number("instances") or resource.block("sku").number("capacity", 1) or Decimal(1)
    main, licence = resource.block(f"{disk}os_disk"), resource.text("license_type")
    system = "Windows" if _has_windows(resource, main, disk) else "Linux"
    lines = [machine(desk, resource, kind or resource.text("vm_size"), hours * count, system=system, licence=licence)]
    if not is_set:
        lines.append(_reserved(desk, resource))
    parts = [
        Part(name, _disk_of(desk, resource, each, each.text("managed_disk_type", "Standard_LRS"), usage.within(key)))
        for name, key in (("storage_os_disk", f"{disk}os_disk"), ("storage_data_disk", f"{disk}data_disk"))
        for each in resource.blocks(key)
    ]
    return part(resource, *lines, parts=parts)


def _has_windows(resource: Resource, disk: Resource, prefix: str) -> bool:
    offer = resource.block(f"{prefix}image_reference").text("offer")
    is_said = resource.has("os_profile_windows_config") or disk.text("os_type").lower() == "windows"
    return is_said or offer.lower() == "windowsserver"


def _reserved(desk: Desk, resource: Resource) -> Line:
    return line(desk, resource, RESERVED, "vCPU", None, "disk/ultra.reservation", HOURS, is_usage=True)


def disk_name(kind: str, size_gib: Decimal | None) -> str:
    """`P10` of a premium disk of 100 GiB; "" of a kind or a size that has none."""
    family, _, copies = kind.partition("_")
    letter = KINDS.get(family, "") if copies in COPIES else ""
    sizes = SIZES_GIB if letter == "S" else SMALL_GIB | SIZES_GIB
    number = next((n for n, gib in sizes.items() if (size_gib or DISK_GIB) <= gib), None)
    return f"{letter}{number}" if letter and number else ""


def ultra_gib(size: Decimal) -> int:
    """To what an ultra disk's size is rounded up."""
    small = next((gib for gib in ULTRA_GIB if size <= gib), 0)
    return small or min(ULTRA_MAX_GIB, math.ceil(size / ULTRA_STEP_GIB) * ULTRA_STEP_GIB)


def _disk_of(
    desk: Desk, resource: Resource, disk: Resource, kind: str, usage: Amounts, *, counted: bool = True
) -> tuple[Line, ...]:
    if kind.startswith("UltraSSD"):
        return _ultra_disk(desk, resource, disk)
    name = disk_name(kind, disk.number("disk_size_gb", DISK_GIB)) or kind
    copies = kind.partition("_")[2] or "LRS"
    rate = f"disk/{name}" if copies == "LRS" else f"disk/{name}.{copies.lower()}"
    lines = [line(desk, resource, f"Storage ({name}, {copies})", "months", 1, rate)]
    if counted and name[0] in "SE" and name != kind:
        done = usage.number("monthly_disk_operations")
        lines.append(
            line(desk, resource, "Disk operations", "10k operations", done, f"disk/operations.{name[0]}",
                 OPERATIONS_PER, is_usage=True)
        )  # fmt: skip
    return tuple(lines)


def _ultra_disk(desk: Desk, resource: Resource, disk: Resource) -> tuple[Line, ...]:
    size = ultra_gib(disk.number("disk_size_gb", 0) or Decimal(ULTRA_STEP_GIB))
    iops, mbps = disk.number("disk_iops_read_write", ULTRA_IOPS), disk.number("disk_mbps_read_write", ULTRA_MBPS)
    return tuple(
        line(desk, resource, name, unit, (amount or Decimal(0)) * HOURS, f"disk/ultra.{rate}", HOURS)
        for name, unit, amount, rate in (
            (f"Storage (ultra, {size} GiB)", "GiB", Decimal(size), "storage"),
            ("Provisioned IOPS", "IOPS", iops, "iops"),
            ("Throughput", "MB/s", mbps, "throughput"),
        )
    )


def managed_disk(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    kind = resource.text("storage_account_type")
    if kind.partition("_")[0] not in (*KINDS, "UltraSSD"):
        return unpriced(resource, f"no price is known for a disk of {kind or 'an unknown kind'}")
    return part(resource, *_disk_of(desk, resource, resource, kind, usage))


def image(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """What is stated to be stored, else as large as that which it was made of."""
    size = usage.number("storage_gb") or resource.number("disk_size_gb") or _source_gib(desk, resource)
    return part(resource, line(desk, resource, "Storage", "GB", size, "disk/snapshot"))


def _source_gib(desk: Desk, resource: Resource) -> Decimal | None:
    machine_types, disks = ("azurerm_virtual_machine", "azurerm_linux_virtual_machine"), ("azurerm_managed_disk",)
    source = desk.resources.behind(resource.values.get("source_virtual_machine_id"), machine_types, ("id",))
    if source is not None:
        return size_of_machine(source)
    made_of = [resource.values.get("source_uri") or resource.values.get("source_resource_id")]
    sizes = []
    for disk in (*resource.blocks("os_disk"), *resource.blocks("data_disk")):
        sizes.append(disk.number("size_gb"))
        if sizes[-1] is None:
            made_of.append(disk.values.get("managed_disk_id"))
    copied = [desk.resources.behind(each, disks, ("id",)) for each in made_of]
    sizes += [disk.number("disk_size_gb") for disk in copied if disk]
    known = [size for size in sizes if size is not None]
    return sum(known, Decimal(0)) if known else None


def size_of_machine(machine: Resource) -> Decimal:
    """GiB of all its disks, as they are written in it."""
    system = machine.block("storage_os_disk") if machine.blocks("storage_os_disk") else machine.block("os_disk")
    data = [each.number("disk_size_gb", 0) for each in machine.blocks("storage_data_disk")]
    return sum((each or Decimal(0) for each in data), system.number("disk_size_gb", SYSTEM_GIB) or Decimal(0))


def public_address(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """A basic one costs less while it is not static; a dynamic one is always basic."""
    way, tier = resource.text("allocation_method", "Static").lower(), resource.text("sku_tier", "Regional").lower()
    is_basic = way == "dynamic" or resource.text("sku", "Standard").lower() == "basic"
    rate = f"ip/{way}.{'basic' if is_basic else tier}"
    return part(resource, line(desk, resource, f"IP address ({way}, {tier})", "hours", HOURS, rate))


def cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Its nodes, what its balancer carries, and a name; a promise of uptime costs by the hour."""
    lines = []
    tier = resource.text("sku_tier", "Free").lower()
    if tier in ("standard", "paid", "premium"):
        rate = "aks/premium" if tier == "premium" else "aks/uptime"
        lines.append(line(desk, resource, "Uptime SLA", "hours", HOURS, rate))
    values = resource.block("default_node_pool").values
    pool = Resource(resource.address, resource.type, values, region_of(desk, resource))
    parts = [_pool(desk, pool, usage.within("default_node_pool"), "default_node_pool")]
    if resource.block("network_profile").text("load_balancer_sku").lower() == "standard":
        carried = usage.within("load_balancer").number("monthly_data_processed_gb")
        data = line(desk, resource, "Data processed", "GB", carried, "lb/processed", is_usage=True)
        parts.append(Part("Load Balancer", (data,)))
    if resource.flag("http_application_routing_enabled"):
        parts.append(Part("DNS", (line(desk, resource, "Hosted zone", "months", 1, "dns/zone"),)))
    return part(resource, *lines, parts=parts)


def node_pool(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    return _pool(desk, resource, usage, resource.address)


def _pool(desk: Desk, pool: Resource, usage: Amounts, name: str) -> Part:
    given = pool.number("node_count") or pool.number("min_count")
    count = usage.number("nodes") or given or Decimal(1)
    kind, hours = pool.text("vm_size"), usage.number("monthly_hrs") or HOURS
    has_windows = "windows" in (pool.text("os_type") + pool.text("os_sku")).lower()
    is_spot = pool.text("priority").lower() == "spot"
    nodes = machine(desk, pool, kind, hours * count, is_spot=is_spot, system="Windows" if has_windows else "Linux")
    if pool.text("os_disk_type", "Managed").lower() != "managed":
        return Part(name, (nodes,))
    storage = "Premium_LRS" if PREMIUM.fullmatch(kind) else "Standard_LRS"
    size = {"disk_size_gb": pool.number("os_disk_size_gb", NODE_GIB)}
    disk = Resource(pool.address, pool.type, size, pool.region)
    kept = Part("os_disk", _disk_of(desk, pool, disk, storage, usage, counted=False))
    return Part(name, (nodes,), (kept.times(count),))


PRICERS: dict[str, Pricer] = {
    **dict.fromkeys(
        (
            "azurerm_linux_virtual_machine",
            "azurerm_windows_virtual_machine",
            "azurerm_linux_virtual_machine_scale_set",
            "azurerm_windows_virtual_machine_scale_set",
        ),
        virtual_machine,
    ),
    "azurerm_virtual_machine": old_virtual_machine,
    "azurerm_virtual_machine_scale_set": old_virtual_machine,
    "azurerm_managed_disk": managed_disk,
    "azurerm_image": image,
    "azurerm_snapshot": image,
    "azurerm_public_ip": public_address,
    "azurerm_kubernetes_cluster": cluster,
    "azurerm_kubernetes_cluster_node_pool": node_pool,
}
