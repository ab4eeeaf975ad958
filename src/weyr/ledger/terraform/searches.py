"""What do search domains, warehouses, documents and graphs cost? OpenSearch, Redshift, DocumentDB and Neptune.

Source: each service's page under aws.amazon.com; the keys of use are those of Infracost's usage file.
"""

from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts

DISK_GB = 8
STANDARD = {"gp2": "gp2", "gp3": "gp3", "io1": "io1", "standard": "standard"}
FREE_IOPS, FREE_MBPS, FREE_STEP_GB = 3000, 125, 3072
"""Of gp3: what comes with a disk below 3 TiB, and again for each further 3 TiB begun."""
MORE_MBPS = 250
BACKUPS = ("first 50 TB", "next 450 TB", "over 500 TB")


def search_domain(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Machines for data, for the lead and for what is seldom asked, and a disk of each that holds data."""
    config, disk, region = resource.block("cluster_config"), resource.block("ebs_options"), resource.region
    data = config.number("instance_count", 1) or Decimal(1)
    lines = [_machines(desk, "Instance", config.text("instance_type", "m4.large.elasticsearch"), data, region)]
    if disk.flag("ebs_enabled"):
        lines += _disk(desk, disk, data, region)
    if config.flag("dedicated_master_enabled"):
        count = config.number("dedicated_master_count", 3) or Decimal(3)
        kind = config.text("dedicated_master_type", config.text("instance_type"))
        lines.append(_machines(desk, "Dedicated master", kind, count, region))
    if config.flag("warm_enabled"):
        count = config.number("warm_count", 2) or Decimal(2)
        lines.append(_machines(desk, "UltraWarm instance", config.text("warm_type"), count, region))
    return Part(resource.address, tuple(lines))


def _machines(desk: Desk, title: str, kind: str, count: Decimal, region: str) -> Line:
    """`c4.2xlarge.search` and `c4.2xlarge.elasticsearch` are the same machine."""
    machine = kind.removesuffix(".search").removesuffix(".elasticsearch")
    return desk.hours(f"{title} (on-demand, {kind})", f"opensearch/instance.{machine}", region, count)


def _disk(desk: Desk, disk: Resource, count: Decimal, region: str) -> list[Line]:
    kind = STANDARD.get(disk.text("volume_type", "gp2"), "gp2")
    size = disk.number("volume_size", DISK_GB) or Decimal(DISK_GB)
    rate = f"opensearch/storage.{kind}"
    lines = [desk.line(f"Storage ({kind})", "GB", size * count, rate, region)]
    if kind == "io1":
        iops = disk.number("iops", 1) or Decimal(1)
        lines.append(desk.line("Storage IOPS (io1)", "IOPS", iops, "opensearch/iops.io1", region))
    if kind == "gp3":
        steps = max(1, -(-int(size) // FREE_STEP_GB))
        free_mbps = Decimal(FREE_MBPS if size < 170 else MORE_MBPS * steps)
        paid = max(Decimal(0), (disk.number("throughput") or Decimal(0)) - free_mbps)
        more = max(Decimal(0), (disk.number("iops") or Decimal(0)) - FREE_IOPS * steps)
        if paid:
            lines.append(desk.line("Throughput (gp3)", "Mbps", paid * count, "opensearch/throughput.gp3", region))
        if more:
            lines.append(desk.line("Storage IOPS (gp3)", "IOPS", more * count, "opensearch/iops.gp3", region))
    return lines


def warehouse(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region, kind = resource.region, resource.text("node_type").lower()
    count = resource.number("number_of_nodes", 1) or Decimal(1)
    node = f"redshift/node.{kind}"
    lines = [desk.hours(f"Cluster usage (on-demand, {kind})", node, region, count)]
    if kind.startswith("ra3"):
        kept = usage.number("managed_storage_gb")
        lines.append(desk.line(f"Managed storage ({kind})", "GB", kept, "redshift/storage", region, is_usage=True))
    more, scanned = usage.number("excess_concurrency_scaling_secs"), usage.number("spectrum_data_scanned_tb")
    title = f"Concurrency scaling ({kind})"
    lines += [
        desk.line(title, "node-seconds", more, f"redshift/scaling.{kind}", region, is_usage=True),
        desk.line("Spectrum", "TB", scanned, "redshift/spectrum", region, is_usage=True),
    ]
    backup = desk.line(
        "Backup storage", "GB", usage.number("backup_storage_gb"), "redshift/backup", region, is_usage=True
    )
    return Part(resource.address, (*lines, *by_tier(backup, BACKUPS)))


def documents_instance(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region, kind = resource.region, resource.text("instance_class")
    stored, asked = usage.number("data_storage_gb"), usage.number("monthly_io_requests")
    lines = [
        desk.hours(f"Database instance (on-demand, {kind})", f"docdb/instance.{kind}", region),
        desk.line("Storage", "GB", stored, "docdb/storage", region, is_usage=True),
        desk.line("I/O requests", "1M requests", asked, "docdb/requests", region, per=MILLION, is_usage=True),
    ]
    return Part(resource.address, (*lines, *_credits(desk, kind, usage, "docdb", region)))


def _credits(desk: Desk, kind: str, usage: Amounts, service: str, region: str) -> list[Line]:
    """What a machine that may burst costs for bursting longer than it has earned."""
    if not kind.startswith(("db.t3.", "db.t4g.")):
        return []
    spent = usage.number("monthly_cpu_credit_hrs")
    return [desk.line("CPU credits", "vCPU-hours", spent, f"{service}/credits", region, is_usage=True)]


def graph_instance(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Dearer where its cluster's requests are included in the price."""
    region, kind = resource.region, resource.text("instance_class")
    cluster = desk.resources.behind(resource.values.get("cluster_identifier"), ("aws_neptune_cluster",))
    is_optimized = cluster is not None and cluster.text("storage_type") == "iopt1"
    rate = f"neptune/instance.{kind}{'.optimized' if is_optimized else ''}"
    count = resource.number("count", 1) or Decimal(1)
    line = desk.line(f"Database instance (on-demand, {kind})", "hours", HOURS * count, rate, region)
    return Part(resource.address, (line, *_credits(desk, kind, usage, "neptune", region)))


def graph_cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region, asked = resource.region, usage.number("monthly_io_requests")
    lines = [
        desk.line("Storage", "GB", usage.number("storage_gb"), "neptune/storage", region, is_usage=True),
        desk.line("I/O requests", "1M request", asked, "neptune/requests", region, per=MILLION, is_usage=True),
    ]
    if (resource.number("backup_retention_period", 1) or Decimal(1)) > 1:
        lines.append(_backup(desk, usage, region))
    return Part(resource.address, tuple(lines))


def graph_snapshot(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Nothing where its cluster keeps backups of a day only."""
    source = desk.resources.behind(resource.values.get("db_cluster_identifier"), ("aws_neptune_cluster",), ("id",))
    kept = source.number("backup_retention_period", 1) if source is not None else None
    return None if kept is not None and kept <= 1 else Part(resource.address, (_backup(desk, usage, resource.region),))


def _backup(desk: Desk, usage: Amounts, region: str) -> Line:
    return desk.line("Backup storage", "GB", usage.number("backup_storage_gb"), "neptune/backup", region, is_usage=True)


PRICERS: dict[str, Pricer] = {
    "aws_elasticsearch_domain": search_domain,
    "aws_opensearch_domain": search_domain,
    "aws_redshift_cluster": warehouse,
    "aws_docdb_cluster_instance": documents_instance,
    "aws_neptune_cluster_instance": graph_instance,
    "aws_neptune_cluster": graph_cluster,
    "aws_neptune_cluster_snapshot": graph_snapshot,
}
