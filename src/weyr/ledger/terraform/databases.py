"""What do managed databases cost: RDS instances, Aurora's clusters and their instances?

Source: aws.amazon.com/rds/pricing and its user guides: gp3 includes 3,000 IOPS, and 12,000 from 400 GB; io1 has at
least 100 GB and 1,000 IOPS; Aurora's first day of backups is included.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, MILLION, SECONDS_OF_MONTH, THOUSAND, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

GP3_IOPS, GP3_LARGE_GB, GP3_LARGE_IOPS = 3000, 400, 12000
IO1_GB, IO1_IOPS, DEFAULT_GB = 100, 1000, 20
FREE_INSIGHTS_DAYS = 7
ENGINES = {"aurora": "aurora-mysql", "oracle-se2-cdb": "oracle-se2", "oracle-ee-cdb": "oracle-ee"}
"""Engines that are priced as another."""
OWN_LICENCE = ("oracle-ee", "oracle-se")
"""Amazon sells no licence for these."""


@dataclass(frozen=True, slots=True)
class Support:
    """From when a version costs extra, and from when that doubles, where it does."""

    paid_from: date
    doubles: date | None = None


SUPPORT: dict[str, dict[str, Support]] = {
    "mysql": {
        "5.7": Support(date(2024, 3, 1), date(2026, 3, 1)),
        "8": Support(date(2026, 8, 1), date(2028, 8, 1)),
        "8.4": Support(date(2029, 8, 1)),
    },
    "postgres": {
        "11": Support(date(2024, 4, 1), date(2026, 4, 1)),
        "12": Support(date(2025, 3, 1), date(2027, 3, 1)),
        "13": Support(date(2026, 3, 1), date(2028, 3, 1)),
        "14": Support(date(2027, 3, 1), date(2029, 3, 1)),
        "15": Support(date(2028, 3, 1), date(2030, 3, 1)),
        "16": Support(date(2029, 3, 1), date(2031, 3, 1)),
    },
    "aurora-mysql": {"5.7": Support(date(2024, 12, 1)), "8": Support(date(2027, 5, 1))},
    "aurora-postgresql": {
        "11": Support(date(2024, 4, 1), date(2026, 4, 1)),
        "12": Support(date(2025, 3, 1), date(2027, 3, 1)),
        "13": Support(date(2026, 3, 1), date(2028, 3, 1)),
        "14": Support(date(2027, 3, 1), date(2029, 3, 1)),
        "15": Support(date(2028, 3, 1), date(2030, 3, 1)),
    },
}
"""Source: the release calendars of Amazon RDS and Aurora."""


def db_instance(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    source = desk.resources.behind(resource.values.get("replicate_source_db"), ("aws_db_instance",), ("identifier",))
    engine = (source.text("engine") if source else "") or resource.text("engine")
    engine = ENGINES.get(engine.lower(), engine.lower())
    zones = "multi" if resource.flag("multi_az") else "single"
    title = "Multi-AZ" if zones == "multi" else "Single-AZ"
    owns = resource.text("license_model").lower() == "bring-your-own-license" or engine in OWN_LICENCE
    licence = ".byol" if owns else ""
    kind = resource.text("instance_class")
    lines = [
        _hours(desk, usage, f"{title}, {kind}", f"rds/instance.{kind}.{engine}{licence}.{zones}", resource.region),
        *_storage(desk, resource, usage, zones),
    ]
    backup, kept = usage.number("additional_backup_storage_gb"), resource.number("backup_retention_period", 0)
    if kept or backup:
        rate = "rds/backup.aurora" if engine.startswith("aurora") else "rds/backup"
        lines.append(desk.line("Additional backup storage", "GB", backup, rate, resource.region, is_usage=True))
    lines += _insights(desk, resource, usage, kind)
    lines += _credits(desk, resource, usage, kind, engine)
    lines += _extended_support(desk, resource, kind, engine)
    return Part(resource.address, tuple(lines))


def _hours(desk: Desk, usage: Amounts, what: str, rate: str, region: str) -> Line:
    term, payment = usage.text("reserved_instance_term"), usage.text("reserved_instance_payment_option")
    if term:
        title = f"Database instance (reserved, {what})"
        return desk.reserved(title, HOURS, f"{rate}.reserved.{term}", payment, region)
    return desk.hours(f"Database instance (on-demand, {what})", rate, region)


def _storage(desk: Desk, resource: Resource, usage: Amounts, zones: str) -> list[Line]:
    region, iops = resource.region, resource.number("iops", 0) or Decimal(0)
    kind = (resource.text("storage_type") or ("io1" if iops else "gp2")).lower()
    size = resource.number("allocated_storage", DEFAULT_GB) or Decimal(DEFAULT_GB)
    titles = {
        "io1": "Storage (provisioned IOPS SSD, io1)", "io2": "Storage (provisioned IOPS SSD, io2)",
        "standard": "Storage (magnetic)", "gp3": "Storage (general purpose SSD, gp3)",
    }  # fmt: skip
    if kind in ("io1", "io2"):
        size, iops = max(size, Decimal(IO1_GB)), max(iops, Decimal(IO1_IOPS))
    title = titles.get(kind, "Storage (general purpose SSD, gp2)")
    lines = [desk.line(title, "GB", size, f"rds/storage.{kind}.{zones}", region)]
    if kind == "standard":
        sent = usage.number("monthly_standard_io_requests")
        lines.append(
            desk.line("I/O requests", "1M requests", sent, "rds/requests.standard", region, per=MILLION, is_usage=True)
        )
    if kind in ("io1", "io2"):
        lines.append(desk.line("Provisioned IOPS", "IOPS", iops, f"rds/iops.{kind}.{zones}", region))
    included = GP3_LARGE_IOPS if size >= GP3_LARGE_GB else GP3_IOPS
    if kind == "gp3" and iops > included:
        title = f"Provisioned GP3 IOPS (above {included:,})"
        lines.append(desk.line(title, "IOPS", iops - included, f"rds/iops.gp3.{zones}", region))
    return lines


def _insights(desk: Desk, resource: Resource, usage: Amounts, kind: str) -> list[Line]:
    if not resource.flag("performance_insights_enabled"):
        return []
    lines = []
    if (resource.number("performance_insights_retention_period", 0) or 0) > FREE_INSIGHTS_DAYS:
        lines.append(_retention(desk, resource, usage, kind))
    asked = usage.number("monthly_additional_performance_insights_requests")
    if asked is None or asked > 0:
        rate = "rds/insights.requests"
        line = desk.line(
            "Performance Insights API", "1000 requests", asked, rate, resource.region, per=THOUSAND, is_usage=True
        )
        lines.append(line)
    return lines


def _retention(desk: Desk, resource: Resource, usage: Amounts, kind: str) -> Line:
    title = "Performance Insights Long Term Retention"
    if kind == "db.serverless":
        units = usage.number("capacity_units_per_hr") or Decimal(0)
        return desk.line(f"{title} (serverless)", "ACUs", units, "rds/insights.serverless", resource.region)
    vcpus, family = desk.vcpus(kind.removeprefix("db.")), kind.split(".")[1] if "." in kind else ""
    return desk.line(f"{title} ({kind.lower()})", "vCPU-month", vcpus, f"rds/insights.{family}", resource.region)


def _credits(desk: Desk, resource: Resource, usage: Amounts, kind: str, engine: str) -> list[Line]:
    family, spent = kind.rpartition(".")[0].removeprefix("db."), usage.number("monthly_cpu_credit_hrs")
    if family not in ("t3", "t4g") or not spent:
        return []
    vcpus = usage.number("vcpu_count") or desk.vcpus(kind.removeprefix("db.")) or Decimal(0)
    prefix = ".aurora" if engine.startswith("aurora") else ""
    return [desk.line("CPU credits", "vCPU-hours", spent * vcpus, f"rds/credits.{family}{prefix}", resource.region,
                      is_usage=True)]  # fmt: skip


def _extended_support(desk: Desk, resource: Resource, kind: str, engine: str) -> list[Line]:
    version = resource.text("engine_version").lower()
    known = SUPPORT.get(engine, {})
    parts = version.split(".")
    support = next((known[v] for n in range(len(parts), 0, -1) if (v := ".".join(parts[:n])) in known), None)
    if support is None or desk.today <= support.paid_from:
        return []
    vcpus = desk.vcpus(kind.removeprefix("db.")) or Decimal(1)
    year = "year_3" if support.doubles and desk.today > support.doubles else "year_1"
    title = f"Extended support ({year.replace('_', ' ')})"
    return [desk.line(title, "vCPU-hours", vcpus * HOURS, f"rds/extended_support.{year}", resource.region)]


def rds_cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    region, engine = resource.region, resource.text("engine", "aurora").lower()
    if not engine.startswith("aurora"):
        return unpriced(resource, f"no price is known for a cluster of {engine} over several zones")
    is_serverless = resource.text("engine_mode").lower() == "serverless"
    optimized = resource.text("storage_type") == "aurora-iopt1"
    label, stored = ("Storage (I/O-optimized)", ".optimized") if optimized else ("Storage", "")
    reads, writes = usage.number("read_requests_per_sec"), usage.number("write_requests_per_sec")
    requests = None if reads is None or writes is None else (reads + writes) * SECONDS_OF_MONTH
    lines = []
    if is_serverless:
        units = usage.number("capacity_units_per_hr")
        hours = None if units is None else units * HOURS
        lines.append(desk.line("Aurora serverless", "ACU-hours", hours, "rds/aurora.serverless", region, is_usage=True))
    storage = usage.number("storage_gb")
    lines += [
        desk.line(label, "GB", storage, f"rds/aurora.storage{stored}", region, is_usage=True),
        desk.line("I/O requests", "1M requests", requests, "rds/aurora.requests", region, per=MILLION, is_usage=True),
    ]
    kept = resource.number("backup_retention_period", 1) or Decimal(1)
    if kept > 1:
        size = usage.number("backup_snapshot_size_gb")
        backup = None if size is None else size * (kept - 1)
        lines.append(desk.line("Backup storage", "GB", backup, "rds/backup.aurora", region, is_usage=True))
    if not is_serverless and "postgresql" not in engine:
        lines += _backtrack(desk, usage, region)
    exported = usage.number("snapshot_export_size_gb")
    lines.append(desk.line("Snapshot export", "GB", exported, "rds/aurora.export", region, is_usage=True))
    return Part(resource.address, tuple(lines))


def _backtrack(desk: Desk, usage: Amounts, region: str) -> list[Line]:
    """Only where the region has it."""
    keys = ("average_statements_per_hr", "change_records_per_statement", "backtrack_window_hrs")
    factors = [usage.number(key) for key in keys]
    records: Decimal | None = HOURS
    for factor in factors:
        records = None if records is None or factor is None else records * factor
    line = desk.line(
        "Backtrack", "1M change-records", records, "rds/aurora.backtrack", region, per=MILLION, is_usage=True
    )
    return [line] if line.rate else []


def rds_cluster_instance(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region, kind = resource.region, resource.text("instance_class")
    engine = resource.text("engine", "aurora").lower()
    engine = ENGINES.get(engine, engine)
    cluster = desk.resources.behind(
        resource.values.get("cluster_identifier"), ("aws_rds_cluster",), ("cluster_identifier",)
    )
    optimized = cluster is not None and cluster.text("storage_type") == "aurora-iopt1"
    suffix, label = (".optimized", " (I/O-optimized)") if optimized else ("", "")
    if kind.lower() == "db.serverless":
        units = usage.number("capacity_units_per_hr")
        hours = None if units is None else units * HOURS
        rate = f"rds/aurora.serverless_v2{suffix}"
        lines = [desk.line(f"Aurora serverless v2{label}", "ACU-hours", hours, rate, region, is_usage=True)]
    else:
        lines = [_hours(desk, usage, kind, f"rds/instance.{kind}.{engine}.single{suffix}", region)]
    lines += _credits(desk, resource, usage, kind, engine)
    lines += _insights(desk, resource, usage, kind)
    lines += _extended_support(desk, resource, kind, engine)
    return Part(resource.address, tuple(lines))


PRICERS: dict[str, Pricer] = {
    "aws_db_instance": db_instance,
    "aws_rds_cluster": rds_cluster,
    "aws_rds_cluster_instance": rds_cluster_instance,
}
