"""What do Google's smaller services cost? Keys, secrets, messages, logs, names, tunnels, proxies, Redis and BigQuery.

Source: each service's page under cloud.google.com; the keys of use are those of Infracost's usage file.
"""

from collections.abc import Mapping
from decimal import Decimal

from weyr.core.units import DAY_S
from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer, unpriced
from weyr.ledger.terraform.google import PROVIDER, region_of
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.metered import Item, lines_of
from weyr.ledger.terraform.resources import Resource, number
from weyr.ledger.terraform.usage import Amounts

TEN_THOUSAND = 10_000
TRANSFER = "monthly_egress_data_transfer_gb"
LOGGING = (Item("Logging data", "GB", "logging/data", "monthly_logging_data_gb"),)
PROXY = (
    Item("Proxy instance", "hours", "loadbalancing/proxy", "monthly_proxy_instances", times=HOURS),
    Item("Data processed", "GB", "loadbalancing/processed", "monthly_data_processed_gb"),
)
FORWARDING = (
    Item("Forwarding rules", "hours", "loadbalancing/rule", fixed=HOURS),
    Item("Ingress data", "GB", "loadbalancing/processed", "monthly_ingress_data_gb"),
)
ITEMS: Mapping[str, tuple[Item, ...]] = {
    "google_dns_managed_zone": (Item("Managed zone", "months", "dns/zone", fixed=Decimal(1)),),
    "google_dns_record_set": (Item("Queries", "1M queries", "dns/query", "monthly_queries", per=MILLION),),
    "google_pubsub_topic": (Item("Message ingestion data", "TiB", "pubsub/data", "monthly_message_data_tb"),),
    "google_pubsub_subscription": (
        Item("Message delivery data", "TiB", "pubsub/data", "monthly_message_data_tb"),
        Item("Retained acknowledged message storage", "GiB", "pubsub/storage", "storage_gb"),
        Item("Snapshot message backlog storage", "GiB", "pubsub/storage", "snapshot_storage_gb"),
    ),
    "google_bigquery_dataset": (Item("Queries (on-demand)", "TB", "bigquery/query", "monthly_queries_tb"),),
    "google_bigquery_table": (
        Item("Active storage", "GB", "bigquery/storage", "monthly_active_storage_gb"),
        Item("Long-term storage", "GB", "bigquery/storage.long_term", "monthly_long_term_storage_gb"),
        Item("Streaming inserts", "MB", "bigquery/insert", "monthly_streaming_inserts_mb"),
        Item("Storage write API", "GB", "bigquery/write", "monthly_storage_write_api_gb"),
        Item("Storage read API", "TB", "bigquery/read", "monthly_storage_read_api_tb"),
    ),
    "google_monitoring_metric_descriptor": (
        Item("Monitoring data", "MB", "monitoring/data", "monthly_monitoring_data_mb",
             tiers=("first 100K", "next 150K", "over 250K")),
        Item("API calls", "1k calls", "monitoring/call", "monthly_api_calls", per=1_000),
    ),
    "google_compute_vpn_tunnel": (Item("VPN Tunnel", "hours", "vpn/tunnel", fixed=HOURS),),
    "google_compute_forwarding_rule": FORWARDING,
    "google_compute_global_forwarding_rule": FORWARDING,
    **{
        f"google_compute_{place}target_{kind}_proxy": PROXY
        for place in ("", "region_")
        for kind in ("grpc", "http", "https", "ssl", "tcp")
    },
    **{
        f"google_logging_{whose}_{what}": LOGGING
        for whose in ("project", "folder", "organization", "billing_account")
        for what in ("sink", "bucket_config")
    },
}  # fmt: skip
TUNNELLED = {
    "same_region": "within the same region", "us_or_canada": "within the US or Canada", "europe": "within Europe",
    "asia": "within Asia", "south_america": "within South America",
    "oceania": "to/from Indonesia and Oceania", "worldwide": "between continents (excludes Oceania)",
}  # fmt: skip
REDIS_ENDS = ((4, "M1"), (10, "M2"), (35, "M3"), (100, "M4"))
"""The largest GB of each size; what is larger is an M5."""
ADDRESSED_MAX = 32
"""So many machines of a NAT gateway are paid for at most."""
MONTH_S = 30 * DAY_S


def _priced(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    lines = lines_of(ITEMS[resource.type], desk, usage, region_of(resource), PROVIDER)
    return Part(resource.address, lines)


def _line(
    desk: Desk, resource: Resource, name: str, unit: str, quantity: Decimal | None, rate: str,
    per: int = 1, *, is_usage: bool = True,
) -> Line:  # fmt: skip
    return desk.line(name, unit, quantity, rate, region_of(resource), per=per, is_usage=is_usage, provider=PROVIDER)


def key(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """Each version, of which a rotation makes one more, and what is done with them."""
    if resource.block("version_template").text("protection_level", "SOFTWARE") != "SOFTWARE":
        return unpriced(resource, "no price is known for keys that are kept outside of software")
    versions, period_s = usage.number("key_versions"), number(resource.text("rotation_period").removesuffix("s"))
    if versions is None and period_s:
        versions = MONTH_S / period_s
    done = usage.number("monthly_key_operations")
    return Part(
        resource.address,
        (
            _line(desk, resource, "Key versions", "months", versions, "kms/version"),
            _line(desk, resource, "Operations", "10k operations", done, "kms/operation", TEN_THOUSAND),
        ),
    )


def secret(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Versions cost in each place that they are kept in."""
    kept, read = usage.number("active_secret_versions"), usage.number("monthly_access_operations")
    kept = None if kept is None else kept * _replicas(resource)
    told = usage.number("monthly_rotation_notifications")
    return Part(
        resource.address,
        (
            _line(desk, resource, "Active secret versions", "versions", kept, "secrets/version"),
            _line(desk, resource, "Access operations", "10K requests", read, "secrets/access", TEN_THOUSAND),
            _line(desk, resource, "Rotation notifications", "rotations", told, "secrets/rotation"),
        ),
    )


def secret_version(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    of = desk.resources.behind(resource.values.get("secret"), ("google_secret_manager_secret",), ("id", "secret_id"))
    kept, read = Decimal(_replicas(of) if of else 1), usage.number("monthly_access_operations")
    return Part(
        resource.address,
        (
            _line(desk, resource, "Active secret versions", "versions", kept, "secrets/version", is_usage=False),
            _line(desk, resource, "Access operations", "10K requests", read, "secrets/access", TEN_THOUSAND),
        ),
    )


def _replicas(secret: Resource) -> int:
    return max(1, len(secret.block("replication").block("user_managed").blocks("replicas")))


def redis(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """By the GB, which cost less in a larger one."""
    stored = resource.number("memory_size_gb")
    if stored is None:
        return unpriced(resource, "its memory_size_gb is not known")
    size = next((name for end, name in REDIS_ENDS if stored <= end), "M5")
    tier = "standard" if resource.text("tier").upper() == "STANDARD_HA" else "basic"
    line = desk.line(
        f"Redis instance ({tier}, {size})", "GB", stored * HOURS, f"redis/{tier}.{size.lower()}", region_of(resource),
        per=HOURS, provider=PROVIDER,
    )  # fmt: skip
    return Part(resource.address, (line,))


def address_translation(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    machines, data = usage.number("assigned_vms"), usage.number("monthly_data_processed_gb")
    lines = [_line(desk, resource, "Data processed", "GB", data, "nat/processed")]
    if machines:
        hours = min(machines, Decimal(ADDRESSED_MAX)) * HOURS
        lines.insert(0, _line(desk, resource, "Assigned VMs (first 32)", "VM-hours", hours, "nat/machine"))
    return Part(resource.address, tuple(lines))


def transfers(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """What goes through, by how far it goes."""
    used = usage.within(TRANSFER)
    what = "IPSec traffic" if "vpn" in resource.type else "Traffic"
    lines = tuple(
        _line(desk, resource, f"{what} {title}", "GB", used.number(place), f"vpn/transfer.{place}")
        for place, title in TUNNELLED.items()
    )
    return Part(resource.address, (), (Part("Network egress", lines),))


PRICERS: dict[str, Pricer] = {
    **dict.fromkeys(ITEMS, _priced),
    "google_kms_crypto_key": key,
    "google_secret_manager_secret": secret,
    "google_secret_manager_secret_version": secret_version,
    "google_redis_instance": redis,
    "google_compute_router_nat": address_translation,
    "google_compute_vpn_gateway": transfers,
    "google_compute_ha_vpn_gateway": transfers,
    "google_service_networking_connection": transfers,
}
