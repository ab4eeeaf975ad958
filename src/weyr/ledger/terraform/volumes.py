"""What do EBS volumes and their snapshots cost?

Source: aws.amazon.com/ebs/pricing: gp3 includes 3,000 IOPS and 125 MB/s.
"""

from decimal import Decimal

from weyr.ledger.terraform.desk import MILLION, THOUSAND, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

SIZE_GB = 8
"""What a volume has whose size is the image's: most images' own."""
GP3_IOPS, GP3_MBPS = 3000, 125
TITLES = {
    "standard": "Storage (magnetic)",
    "gp2": "Storage (general purpose SSD, gp2)",
    "gp3": "Storage (general purpose SSD, gp3)",
    "io1": "Storage (provisioned IOPS SSD, io1)",
    "io2": "Storage (provisioned IOPS SSD, io2)",
    "st1": "Storage (throughput optimized HDD, st1)",
    "sc1": "Storage (cold HDD, sc1)",
}


def volume(desk: Desk, of: Resource, name: str, usage: Amounts, size: Decimal | None = None) -> Part:
    """One volume. `of` holds its type, iops and throughput under the names of a block device."""
    region, kind = of.region, (of.text("volume_type") or of.text("type") or "gp2").lower()
    if size is None:
        size = of.number("volume_size", SIZE_GB)
    iops, throughput = of.number("iops", 0) or Decimal(0), of.number("throughput", 0) or Decimal(0)
    lines = [desk.line(TITLES.get(kind, f"Storage ({kind})"), "GB", size, f"ebs/storage.{kind}", region)]
    if kind == "gp3" and throughput > GP3_MBPS:
        more = throughput - GP3_MBPS
        lines.append(desk.line("Provisioned throughput", "Mbps", more, "ebs/throughput.gp3", region))
    if kind == "gp3" and iops > GP3_IOPS:
        lines.append(desk.line("Provisioned IOPS", "IOPS", iops - GP3_IOPS, "ebs/iops.gp3", region))
    if kind in ("io1", "io2"):
        lines.append(desk.line("Provisioned IOPS", "IOPS", iops, f"ebs/iops.{kind}", region))
    if kind == "standard":
        requests = usage.number("monthly_standard_io_requests")
        lines.append(
            desk.line(
                "I/O requests", "1M request", requests, "ebs/requests.standard", region, per=MILLION, is_usage=True
            )
        )
    return Part(name, tuple(lines))


def ebs_volume(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    return volume(desk, resource, resource.address, usage, resource.number("size", SIZE_GB))


def _snapshot_storage(desk: Desk, of: Resource | None, region: str) -> Line:
    size = of.number("size", SIZE_GB) if of else Decimal(SIZE_GB)
    return desk.line("EBS snapshot storage", "GB", size, "ebs/snapshot.storage", region)


def ebs_snapshot(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region = resource.region
    source = desk.resources.behind(resource.values.get("volume_id"), ("aws_ebs_volume",))
    requests = (
        ("ListChangedBlocks & ListSnapshotBlocks API requests", "1k requests", "monthly_list_block_requests", "list"),
        ("GetSnapshotBlock API requests", "1k SnapshotAPIUnits", "monthly_get_block_requests", "get"),
        ("PutSnapshotBlock API requests", "1k SnapshotAPIUnits", "monthly_put_block_requests", "put"),
    )
    restore = usage.number("fast_snapshot_restore_hours")
    return Part(
        resource.address,
        (
            _snapshot_storage(desk, source, region),
            desk.line("Fast snapshot restore", "DSU-hours", restore, "ebs/snapshot.restore", region, is_usage=True),
            *(
                desk.line(name, unit, usage.number(key), f"ebs/snapshot.{what}", region, per=THOUSAND, is_usage=True)
                for name, unit, key, what in requests
            ),
        ),
    )


def ebs_snapshot_copy(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    source = desk.resources.behind(resource.values.get("source_snapshot_id"), ("aws_ebs_snapshot",))
    volume_id = source.values.get("volume_id") if source else None
    behind = desk.resources.behind(volume_id, ("aws_ebs_volume",))
    return Part(resource.address, (_snapshot_storage(desk, behind, resource.region),))


PRICERS: dict[str, Pricer] = {
    "aws_ebs_volume": ebs_volume,
    "aws_ebs_snapshot": ebs_snapshot,
    "aws_ebs_snapshot_copy": ebs_snapshot_copy,
}
