"""What do Azure's servers of PostgreSQL, MySQL and MariaDB and its caches of Redis cost?

A server's size is so many vCores of a series, each of which costs the same; what is burstable has a price of its own.
"""

import re
from decimal import Decimal

from weyr.ledger.terraform.azure import line, part
from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

FLEXIBLE = re.compile(r"(b|gp|mo)_standard_([a-z]+)(\d+)([a-z]*(?:_v\d+)?)", re.IGNORECASE)
SINGLE = re.compile(r"(b|gp|mo)_(gen\d)_(\d+)", re.IGNORECASE)
MYSQL_GB, MYSQL_IOPS = 20, 360
"""What the smallest flexible server of MySQL has; more operations cost."""
BACKUP = "Additional backup storage"
NODES = {"basic": 1, "standard": 2, "premium": 2}


def flexible_compute(desk: Desk, resource: Resource, service: str, copies: int = 1) -> Line | None:
    """The hours of a flexible server; None where its size is none that is known of."""
    sku = resource.text("sku_name")
    match = FLEXIBLE.fullmatch(sku)
    if not match:
        return None
    tier, family, cores, series = (each.lower() for each in match.groups())
    series = series.replace("_", "")
    is_whole = tier == "b"
    rate = f"{service}/flexible.{tier}.{family}{cores if is_whole else ''}{series}"
    count = Decimal(1) if is_whole else Decimal(cores)
    return line(desk, resource, f"Compute ({sku})", "hours", count * HOURS * copies, rate, count)


def flexible_postgresql(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """One that is highly available runs, and keeps, everything twice."""
    copies = 2 if resource.block("high_availability").has("mode") else 1
    compute = flexible_compute(desk, resource, "postgresql", copies)
    if compute is None:
        return _unknown_size(resource)
    stored = resource.number("storage_mb")
    stored = None if stored is None else stored // 1024 * copies
    return part(
        resource,
        compute,
        line(desk, resource, "Storage", "GB", stored, "postgresql/flexible.storage"),
        _backup(desk, resource, usage, "postgresql/flexible.backup"),
    )


def flexible_mysql(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    copies = 2 if resource.block("high_availability").has("mode") else 1
    compute = flexible_compute(desk, resource, "mysql", copies)
    if compute is None:
        return _unknown_size(resource)
    storage = resource.block("storage")
    stored = (storage.number("size_gb") or Decimal(MYSQL_GB)) * copies
    lines = [compute, line(desk, resource, "Storage", "GB", stored, "mysql/flexible.storage")]
    more = (storage.number("iops") or Decimal(0)) - MYSQL_IOPS
    if more > 0:
        lines.append(line(desk, resource, "Additional IOPS", "IOPS", more, "mysql/flexible.iops"))
    return part(resource, *lines, _backup(desk, resource, usage, "mysql/flexible.backup"))


def single_server(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    sku, service = resource.text("sku_name"), resource.type.split("_")[1]
    match = SINGLE.fullmatch(sku)
    if not match:
        return _unknown_size(resource)
    tier, generation, cores = (each.lower() for each in match.groups())
    rate = f"{service}/single.{tier}.{generation}"
    stored = (resource.number("storage_mb", 0) or Decimal(0)) // 1024
    kept = "grs" if resource.flag("geo_redundant_backup_enabled") else "lrs"
    return part(
        resource,
        line(desk, resource, f"Compute ({sku})", "hours", Decimal(cores) * HOURS, rate, Decimal(cores)),
        line(desk, resource, "Storage", "GB", stored, f"{service}/single.storage.{'b' if tier == 'b' else 'gp'}"),
        _backup(desk, resource, usage, f"{service}/single.backup.{kept}"),
    )


def _backup(desk: Desk, resource: Resource, usage: Amounts, rate: str) -> Line:
    kept = usage.number("additional_backup_storage_gb")
    return line(desk, resource, BACKUP, "GB", kept, rate, is_usage=True)


def _unknown_size(resource: Resource) -> Unpriced:
    sku = resource.text("sku_name")
    return unpriced(resource, f"no price is known for the size {sku}" if sku else "its sku_name is not known")


def redis(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """By the node: of a premium one each shard has its replicas."""
    tier, size = resource.text("sku_name").lower(), f"{resource.text('family')}{resource.text('capacity')}"
    if tier not in NODES:
        return _unknown_size(resource)
    nodes = Decimal(NODES[tier])
    if tier == "premium":
        replicas = resource.number("replicas_per_primary", resource.number("replicas_per_master"))
        nodes = nodes if replicas is None else replicas + 1
        nodes *= resource.number("shard_count") or 1
    name = f"Cache usage ({resource.text('sku_name')}_{size})"
    return part(resource, line(desk, resource, name, "nodes", nodes * HOURS, f"redis/{tier}.{size.lower()}", HOURS))


def managed_redis(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    sku = resource.text("sku_name")
    if not sku:
        return _unknown_size(resource)
    count = 2 if resource.flag("high_availability_enabled", default=True) else 1
    rate = f"redis/managed.{sku.lower()}"
    return part(resource, line(desk, resource, f"Cache usage ({sku})", "hours", HOURS * count, rate))


PRICERS: dict[str, Pricer] = {
    "azurerm_postgresql_flexible_server": flexible_postgresql,
    "azurerm_mysql_flexible_server": flexible_mysql,
    "azurerm_postgresql_server": single_server,
    "azurerm_mysql_server": single_server,
    "azurerm_mariadb_server": single_server,
    "azurerm_redis_cache": redis,
    "azurerm_managed_redis": managed_redis,
}
