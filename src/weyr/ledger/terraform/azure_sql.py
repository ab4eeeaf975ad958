"""What do Azure's SQL databases, their pools and managed instances cost?

By the vCore of a tier and a family, or as a whole by the DTUs of a size; the licence is a line of its own.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from weyr.ledger.terraform.azure import line, part
from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

SIZE = re.compile(r"(gp|gp_s|bc|hs)_([a-z]+\d?)_(\d+)", re.IGNORECASE)
POOL = re.compile(r"(gp|bc|hs)_([a-z]+\d?)", re.IGNORECASE)
INSTANCE = re.compile(r"(gp|bc)_(\w+)", re.IGNORECASE)
EDITIONS = {
    "generalpurpose": "GP_Gen5_2", "businesscritical": "BC_Gen5_2", "hyperscale": "HS_Gen5_2", "standard": "S0",
    "premium": "P1", "datawarehouse": "DW100c", "stretch": "DS100",
}  # fmt: skip
COPIES = {"geo": "RA-GRS", "local": "LRS", "zone": "ZRS"}
STORAGE_GB, STANDARD_GB, INSTANCE_GB = 5, 250, 32
PREMIUM_GB = {"p1": 500, "p2": 500, "p4": 500, "p6": 500, "p11": 4096, "p15": 4096}
POOL_GB = {
    125: 250, 250: 500, 500: 750, 1000: 1024, 1500: 1536, 2000: 2048, 2500: 2560, 3000: 3072, 3500: 3584, 4000: 4096,
}  # fmt: skip
"""What a premium pool of so many DTUs stores without being paid for it."""
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Database:
    """What decides its price: `size` as it is written, `stored_gb` and `replicas` None where nobody says."""

    size: str
    licence: str
    stored_gb: Decimal | None
    replicas: Decimal | None
    copies: str
    has_zones: bool


def database(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    size = resource.text("sku_name", "GP_S_Gen5_2")
    of = Database(
        size,
        resource.text("license_type", "LicenseIncluded"),
        resource.number("max_size_gb"),
        resource.number("read_replica_count"),
        COPIES.get(resource.text("storage_account_type", "Geo").lower(), "RA-GRS"),
        resource.flag("zone_redundant"),
    )
    if size.lower() == "elasticpool" or resource.values.get("elastic_pool_id") is not None:
        return part(resource, *_backups(desk, resource, usage, of.copies))
    return _priced(desk, resource, usage, of)


def old_database(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """As providers before 3.0 write it: an edition, or the name of an objective."""
    edition = resource.text("edition", "GeneralPurpose")
    size = resource.text("requested_service_objective_name") or EDITIONS.get(edition.lower(), edition)
    stored = resource.number("max_size_bytes")
    of = Database(
        size, "", stored / GIB if stored else None, Decimal(1) if resource.flag("read_scale") else None, "RA-GRS",
        resource.flag("zone_redundant"),
    )  # fmt: skip
    return _priced(desk, resource, usage, of)


def _priced(desk: Desk, resource: Resource, usage: Amounts, of: Database) -> Part | Unpriced:
    match = SIZE.fullmatch(of.size)
    if not match:
        return _by_dtus(desk, resource, usage, of)
    tier, family, cores = match[1].lower(), match[2].lower(), Decimal(match[3])
    found = _compute(desk, resource, usage, of, f"sql/{tier}.{family}", cores)
    if tier == "hs":
        count = None if of.replicas is None else of.replicas * HOURS * cores
        found.append(line(desk, resource, "Read replicas", "hours", count, f"sql/{tier}.{family}", cores))
    if tier != "gp_s" and of.licence.lower() == "licenseincluded":
        found.append(_licence(desk, resource, tier, cores))
    found.append(_storage(desk, resource, tier, of.has_zones, of.stored_gb))
    return part(resource, *found, *([] if tier == "hs" else _backups(desk, resource, usage, of.copies)))


def _compute(desk: Desk, resource: Resource, usage: Amounts, of: Database, rate: str, cores: Decimal) -> list[Line]:
    """Zones cost more in the general tier alone."""
    is_serverless = "gp_s." in rate
    label = f"({'serverless' if is_serverless else 'provisioned'}, {of.size})"
    if is_serverless:
        unit, count, per = "vCore-hours", usage.number("monthly_vcore_hours"), Decimal(1)
    else:
        unit, count, per = "hours", HOURS * cores, cores
    found = [line(desk, resource, f"Compute {label}", unit, count, rate, per, is_usage=is_serverless)]
    if of.has_zones and "gp" in rate:
        found.append(line(desk, resource, f"Zone redundancy {label}", unit, count, f"{rate}.zone", per,
                          is_usage=is_serverless))  # fmt: skip
    return found


def _licence(desk: Desk, resource: Resource, tier: str, cores: Decimal) -> Line:
    return line(desk, resource, "SQL license", "vCore-hours", cores * HOURS, f"sql/licence.{tier}")


def _storage(desk: Desk, resource: Resource, tier: str, has_zones: bool, stored: Decimal | None) -> Line:
    kind = tier.removesuffix("_s")
    rate = f"sql/storage.{kind}{'.zone' if has_zones and kind == 'gp' else ''}"
    return line(desk, resource, "Storage", "GB", Decimal(STORAGE_GB) if stored is None else stored, rate)


def _backups(desk: Desk, resource: Resource, usage: Amounts, copies: str) -> list[Line]:
    kind = copies.lower().replace("-", "")
    return [
        line(desk, resource, f"{name} ({copies})", "GB", usage.number(key), f"sql/{rate}.{kind}", is_usage=True)
        for name, key, rate in (
            ("Long-term retention", "long_term_retention_storage_gb", "retention"),
            ("PITR backup storage", "backup_storage_gb", "backup"),
        )
    ]


def _by_dtus(desk: Desk, resource: Resource, usage: Amounts, of: Database) -> Part | Unpriced:
    size = of.size.lower()
    if size[:1] not in ("b", "s", "p"):
        return unpriced(resource, f"no price is known for the size {of.size}")
    included: Decimal | int | None = STANDARD_GB if size.startswith("s") else PREMIUM_GB.get(size)
    more = usage.number("extra_data_storage_gb") if size[0] != "b" else None
    if more is None and of.stored_gb is not None and included is not None:
        more = of.stored_gb - included
    found = [line(desk, resource, f"Compute ({of.size.upper()})", "hours", HOURS, f"sql/dtu.{size}")]
    if more is not None and more > 0:
        found.append(line(desk, resource, "Extra data storage", "GB", more, f"sql/dtu.storage.{size[0]}",
                          is_usage=True))  # fmt: skip
    return part(resource, *found, *_backups(desk, resource, usage, of.copies))


def pool(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    sku = resource.block("sku")
    name, capacity = sku.text("name"), sku.number("capacity") or Decimal(1)
    stored = resource.number("max_size_gb")
    if stored is None and (size := resource.number("max_size_bytes")):
        stored = size / GIB
    if name.lower().endswith("pool"):
        return _dtu_pool(desk, resource, sku.text("tier"), capacity, stored)
    match = POOL.fullmatch(name)
    if not match:
        return unpriced(resource, f"no price is known for the size {name or 'it has'}")
    tier, rate, label = match[1].lower(), f"sql/{match[1].lower()}.{match[2].lower()}", f"({name}, {capacity} vCore)"
    found = [line(desk, resource, f"Compute {label}", "hours", HOURS * capacity, rate, capacity)]
    if resource.flag("zone_redundant") and tier == "gp":
        found.append(line(desk, resource, f"Zone redundancy {label}", "hours", HOURS * capacity, f"{rate}.zone",
                          capacity))  # fmt: skip
    if resource.text("license_type", "LicenseIncluded").lower() == "licenseincluded":
        found.append(_licence(desk, resource, tier, capacity))
    return part(resource, *found, _storage(desk, resource, tier, resource.flag("zone_redundant"), stored))


def old_pool(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    size = resource.number("pool_size")
    dtus = resource.number("dtu", 0) or Decimal(0)
    return _dtu_pool(desk, resource, resource.text("edition"), dtus, size / 1024 if size else None)


def _dtu_pool(desk: Desk, resource: Resource, tier: str, dtus: Decimal, stored: Decimal | None) -> Part:
    kind = tier.lower()
    rate = f"sql/pool.{kind}.{dtus:f}"
    found = [line(desk, resource, f"Compute ({tier}, {dtus:f} DTUs)", "hours", HOURS, rate)]
    included = dtus if kind == "standard" else POOL_GB.get(int(dtus)) if kind == "premium" else None
    if stored is not None and included is not None and stored > included:
        found.append(line(desk, resource, "Extra data storage", "GB", stored - included, f"sql/dtu.storage.{kind[0]}",
                          is_usage=True))  # fmt: skip
    return part(resource, *found)


def managed_instance(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """So much of what it stores is in its price."""
    is_old = resource.type == "azurerm_sql_managed_instance"
    match, cores = INSTANCE.fullmatch(resource.text("sku_name")), resource.number("vcores") or Decimal(1)
    if not match:
        return unpriced(resource, f"no price is known for the size {resource.text('sku_name') or 'it has'}")
    name = f"Compute ({resource.text('sku_name').upper()} {cores:f} {'Cores' if is_old else 'cores'})"
    copies = {"GRS": "RA-GRS"}.get(said := resource.text("storage_account_type", "LRS"), said)
    kind, more = copies.lower().replace("-", ""), (resource.number("storage_size_in_gb") or 0) - INSTANCE_GB
    rate = f"sqlmi/{match[1].lower()}.{match[2].lower()}"
    found = [line(desk, resource, name, "hours", HOURS * cores, rate, cores)]
    if more > 0:
        title, kept = "Storage" if is_old else "Additional Storage", usage.number("backup_storage_gb")
        found.append(line(desk, resource, title, "GB", more, "sqlmi/storage"))
        found.append(line(desk, resource, f"PITR backup storage ({copies})", "GB", kept, f"sqlmi/backup.{kind}",
                          is_usage=True))  # fmt: skip
    if resource.text("license_type") == "LicenseIncluded":
        found.append(line(desk, resource, "SQL license", "vCore-hours", cores * HOURS, "sqlmi/licence"))
    kept = usage.number("long_term_retention_storage_gb")
    found.append(line(desk, resource, f"LTR backup storage ({copies})", "GB", kept, f"sqlmi/retention.{kind}",
                      is_usage=True))  # fmt: skip
    return part(resource, *found)


PRICERS: dict[str, Pricer] = {
    "azurerm_mssql_database": database,
    "azurerm_sql_database": old_database,
    "azurerm_mssql_elasticpool": pool,
    "azurerm_sql_elasticpool": old_pool,
    "azurerm_mssql_managed_instance": managed_instance,
    "azurerm_sql_managed_instance": managed_instance,
}
