"""What do Google's managed databases cost? By the vCPU and the GB of memory, or as a whole where they are small.

Source: cloud.google.com/sql/pricing; the keys of use are those of Infracost's usage file.
"""

import re
from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.google import PROVIDER, region_of
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

WHOLE = ("db-f1-micro", "db-g1-small")
GB_OF_A_CPU = {"standard": Decimal("3.75"), "highmem": Decimal("6.5")}
LIGHTWEIGHT_GB = Decimal("3.75")
DISK_GB = 10
"""What a database has where nobody says how much."""
TIER = re.compile(r"db-(?:n1-)?(standard|highmem|lightweight)-(\d+)")
CUSTOM = re.compile(r"db-custom-(\d+)-(\d+)")


def database(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """A replica is one more of it, in one zone; what it stores is kept twice where it runs in two."""
    settings = resource.block("settings")
    tier, edition = settings.text("tier"), settings.text("edition", "ENTERPRISE")
    if edition != "ENTERPRISE":
        return unpriced(resource, f"no price is known for the edition {edition}")
    zones = 2 if settings.text("availability_type", "ZONAL") == "REGIONAL" else 1
    lines = _machine_lines(desk, resource, tier, zones)
    if not lines:
        return unpriced(resource, f"no price is known for the tier {tier}" if tier else "its tier is not known")
    lines.append(_disk(desk, resource, settings, zones))
    kept = usage.number("backup_storage_gb")
    lines.append(_line(desk, resource, "Backups", "GB", kept, "backup", is_usage=True))
    if settings.block("ip_configuration").flag("ipv4_enabled", default=True):
        lines.append(_line(desk, resource, "IP address (if unused)", "hours", HOURS, "address"))
    parts = []
    if resource.blocks("replica_configuration"):
        copy = [*_machine_lines(desk, resource, tier, 1), _disk(desk, resource, settings, 1)]
        parts.append(Part("Replica", tuple(copy)))
    return Part(resource.address, tuple(lines), tuple(parts))


def _machine_lines(desk: Desk, resource: Resource, tier: str, copies: int) -> list[Line]:
    label, engine = "regional" if copies > 1 else "zonal", resource.text("database_version", "MYSQL_8_0")
    if tier in WHOLE or (tier.startswith("db-n1-standard-") and engine.startswith("MYSQL")):
        name = f"SQL instance ({tier}, {label})"
        return [_line(desk, resource, name, "hours", HOURS, f"{tier.removeprefix('db-')}.{label}")]
    size = size_of(tier)
    if size is None:
        return []
    cpus, memory_gb = size
    memory = f"Memory ({memory_gb.normalize():f} GB, {label})"
    lines = [
        _line(desk, resource, f"vCPUs ({cpus}, {label})", "hours", cpus * HOURS, f"cpu.{label}"),
        _line(desk, resource, memory, "GB", memory_gb * HOURS, f"memory.{label}", per=HOURS),
    ]
    if engine.startswith("SQLSERVER"):
        # Microsoft's licence comes on top, by the core and the edition: shown, and not known.
        edition = engine.rpartition("_")[2].lower()
        lines.append(
            _line(desk, resource, f"SQL Server license ({edition})", "hours", cpus * HOURS, f"license.{edition}")
        )
    return lines


def size_of(tier: str) -> tuple[Decimal, Decimal] | None:
    """How many vCPUs and GB a tier has, as its name says: `db-custom-4-15360` has 4 and 15."""
    if custom := CUSTOM.fullmatch(tier):
        return Decimal(custom[1]), Decimal(custom[2]) / 1024
    if match := TIER.fullmatch(tier):
        cpus, each = Decimal(match[2]), GB_OF_A_CPU.get(match[1])
        return cpus, LIGHTWEIGHT_GB if each is None else each * cpus
    return None


def _disk(desk: Desk, resource: Resource, settings: Resource, copies: int) -> Line:
    kind = "HDD" if settings.text("disk_type").upper() == "PD_HDD" else "SSD"
    label = "regional" if copies > 1 else "zonal"
    stored = settings.number("disk_size", DISK_GB)
    return _line(desk, resource, f"Storage ({kind}, {label})", "GB", stored, f"storage.{kind.lower()}.{label}")


def _line(
    desk: Desk, resource: Resource, name: str, unit: str, quantity: Decimal | None, rate: str,
    per: Decimal | int = 1, *, is_usage: bool = False,
) -> Line:  # fmt: skip
    return desk.line(name, unit, quantity, f"cloudsql/{rate}", region_of(resource), per=per, is_usage=is_usage,
                     provider=PROVIDER)  # fmt: skip


PRICERS: dict[str, Pricer] = {"google_sql_database_instance": database}
