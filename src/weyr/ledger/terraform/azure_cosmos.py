"""What do Azure Cosmos DB's databases and containers cost? In each place that their account is kept in.

By hundreds of request units a second that are set aside, or by those that are used.
"""

import re
from decimal import Decimal

from weyr.ledger.terraform.azure import PROVIDER, line, part, region_of
from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

ACCOUNT = ("azurerm_cosmosdb_account",)
OWNERS = tuple(f"azurerm_cosmosdb_{kind}" for kind in ("cassandra_keyspace", "mongo_database"))
HUNDRED, TEN_THOUSAND = Decimal(100), 10_000
AUTOSCALED, IN_ZONES = Decimal("1.5"), Decimal("1.25")
"""How much dearer a unit is that scales by itself, and one that is kept in several zones."""
INTERVAL_MIN, RETENTION_H, FREE_BACKUPS = 240, 8, 2
WORDS = re.compile(
    r"southeast|northeast|north|south|east|west|central|us(?!t)|uk|uae|europe|asia|india|\d+"
    r"|[a-z]+?(?=southeast|north|south|east|west|central|$)"
)


def region_name(region: str) -> str:
    """`westus2` is West US 2, as people read it."""
    if " " in region:
        return region
    return " ".join(word.upper() if word in ("us", "uk", "uae") else word.title() for word in WORDS.findall(region))


def stored(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    account = _account_of(desk, resource)
    if account is None:
        return unpriced(resource, "its account was not found")
    said = [each for each in account.blocks("geo_location") if each.text("location")]
    places = [(each.text("location"), each.flag("zone_redundant") or each.flag("zone_zone_redundant")) for each in said]
    places = places or [(region_of(desk, account), False)]
    has_many_writers = account.flag("enable_multiple_write_locations") or account.flag(
        "multiple_write_locations_enabled"
    )
    unit = "mrus" if has_many_writers else "rus"
    return part(
        resource,
        *_throughput(desk, resource, usage, places, unit),
        *_storage(desk, account, usage, places, unit),
        *_backups(desk, account, usage, places),
    )


def _account_of(desk: Desk, resource: Resource) -> Resource | None:
    """The account of the database or keyspace that it is in, else the one that it names."""
    above = resource.values.get("cassandra_keyspace_id") or resource.values.get("database_name")
    owner = desk.resources.behind(above, OWNERS, ("id", "name"))
    at = (owner if owner is not None and owner is not resource else resource).values.get("account_name")
    return desk.resources.behind(at, ACCOUNT, ("name",))


def _in(
    desk: Desk, region: str, name: str, unit: str, quantity: Decimal | None, rate: str, per: Decimal | int = 1
) -> Line:
    place = region.lower().replace(" ", "")
    return desk.line(name, unit, quantity, f"cosmosdb/{rate}", place, per=per, is_usage=True, provider=PROVIDER)


def _throughput(
    desk: Desk, resource: Resource, usage: Amounts, places: list[tuple[str, bool]], unit: str
) -> list[Line]:
    fixed = resource.number("throughput")
    most = resource.block("autoscale_settings").number("max_throughput")
    if fixed is None and most is None:
        used = usage.number("monthly_serverless_request_units")
        region, in_zones = places[0]
        used = used * IN_ZONES if used is not None and in_zones else used
        return [_in(desk, region, "Provisioned throughput (serverless)", "1M RU", used, "serverless", MILLION)]
    percent = usage.number("max_request_units_utilization_percentage")
    found = []
    for region, in_zones in places:
        count = fixed
        if fixed is None and most is not None:
            count = None if percent is None else most * percent / 100
        if count is not None and unit == "rus":
            count *= AUTOSCALED if fixed is None else IN_ZONES if in_zones else 1
        kind = "autoscale" if fixed is None else "provisioned"
        name = f"Provisioned throughput ({kind}, {region_name(region)})"
        hours = None if count is None else count * HOURS
        found.append(_in(desk, region, name, "RU/s x 100", hours, unit, HUNDRED * HOURS))
    return found


def _storage(desk: Desk, account: Resource, usage: Amounts, places: list[tuple[str, bool]], unit: str) -> list[Line]:
    kept, found = usage.number("storage_gb"), list[Line]()
    for region, _ in places:
        name = region_name(region)
        found.append(_in(desk, region, f"Transactional storage ({name})", "GB", kept, f"storage.{unit}"))
        if account.flag("analytical_storage_enabled"):
            found.append(_in(desk, region, f"Analytical storage ({name})", "GB", kept, "analytical"))
            for way in ("write", "read"):
                done = usage.number(f"monthly_analytical_storage_{way}_operations")
                title = f"Analytical {way} operations ({name})"
                found.append(_in(desk, region, title, "10K operations", done, f"analytical.{way}", TEN_THOUSAND))
    return found


def _backups(desk: Desk, account: Resource, usage: Amounts, places: list[tuple[str, bool]]) -> list[Line]:
    """Of those at intervals two are in the price."""
    backup, kept = account.block("backup"), usage.number("storage_gb")
    is_continuous = backup.text("type", "Periodic").lower() == "continuous"
    name, rate = ("Continuous backup", "backup.continuous") if is_continuous else ("Periodic backup", "backup.periodic")
    if not is_continuous and kept is not None:
        interval_h = (backup.number("interval_in_minutes") or Decimal(INTERVAL_MIN)) / 60
        retained_h = backup.number("retention_in_hours") or Decimal(RETENTION_H)
        kept *= retained_h // interval_h - FREE_BACKUPS if retained_h > interval_h else 1
    found = []
    if kept is None or kept > 0:
        found = [_in(desk, region, f"{name} ({region_name(region)})", "GB", kept, rate) for region, _ in places]
    restored = usage.number("monthly_restored_data_gb")
    return [*found, line(desk, account, "Restored data", "GB", restored, "cosmosdb/restore", is_usage=True)]


KINDS = (
    "cassandra_keyspace", "cassandra_table", "gremlin_database", "gremlin_graph", "mongo_collection",
    "mongo_database", "sql_container", "sql_database", "table",
)  # fmt: skip
PRICERS: dict[str, Pricer] = {f"azurerm_cosmosdb_{kind}": stored for kind in KINDS}
