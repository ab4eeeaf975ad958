"""What do ElastiCache's clusters and replication groups cost? Source: aws.amazon.com/elasticache/pricing."""

from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.resources import Resource, Sourced, Unknown
from weyr.ledger.terraform.usage import Amounts

KEEPS_SNAPSHOTS = ("redis", "valkey")


def cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """A member of a replication group is paid for there."""
    if resource.values.get("replication_group_id") is not None:
        return None
    nodes = resource.number("num_cache_nodes", 1) or Decimal(1)
    return Part(resource.address, _lines(desk, resource, usage, resource.text("engine", "redis").lower(), nodes))


def replication_group(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    mode = resource.block("cluster_mode")
    groups = resource.number("num_node_groups") or mode.number("num_node_groups", 0) or Decimal(0)
    replicas = resource.number("replicas_per_node_group") or mode.number("replicas_per_node_group", 0) or Decimal(0)
    is_scaled = False
    for target in desk.resources:
        if not _scales(desk, target, resource):
            continue
        used = desk.usage.of(target).number("capacity")
        least = used if used is not None else target.number("min_capacity", 0) or Decimal(0)
        match target.text("scalable_dimension"):
            case "elasticache:replication-group:NodeGroups":
                groups, is_scaled = least, True
            case "elasticache:replication-group:Replicas":
                replicas, is_scaled = least, True
    nodes = resource.number("num_cache_clusters") or resource.number("number_cache_clusters", 1) or Decimal(1)
    if groups > 0:
        nodes = groups * (replicas + 1)
    engine = resource.text("engine", "redis").lower()
    return Part(resource.address, _lines(desk, resource, usage, engine, nodes, is_scaled))


def _scales(desk: Desk, target: Resource, group: Resource) -> bool:
    if target.type != "aws_appautoscaling_target":
        return False
    of = target.values.get("resource_id")
    if isinstance(of, Unknown | Sourced):
        return desk.resources.behind(of, (group.type,)) is group
    return of == f"replication-group/{group.text('replication_group_id')}"


def _lines(
    desk: Desk, resource: Resource, usage: Amounts, engine: str, nodes: Decimal, is_scaled: bool = False
) -> tuple[Line, ...]:
    kind, region = resource.text("node_type"), resource.region
    term, payment = usage.text("reserved_instance_term"), usage.text("reserved_instance_payment_option")
    label = "reserved" if term else "on-demand"
    rate = f"elasticache/node.{kind}.{engine}"
    title = f"ElastiCache ({', '.join([label, kind, *(['autoscaling'] if is_scaled else [])])})"
    hours = nodes * HOURS
    lines = [
        desk.reserved(title, hours, f"{rate}.reserved.{term}", payment, region)
        if term
        else desk.line(title, "hours", hours, rate, region)
    ]
    kept = resource.number("snapshot_retention_limit", 0) or Decimal(0)
    if engine in KEEPS_SNAPSHOTS and kept > 1:
        size = usage.number("snapshot_storage_size_gb")
        stored = None if size is None else size * (kept - 1)
        lines.append(desk.line("Backup storage", "GB", stored, "elasticache/backup", region, is_usage=True))
    return tuple(lines)


PRICERS: dict[str, Pricer] = {
    "aws_elasticache_cluster": cluster,
    "aws_elasticache_replication_group": replication_group,
}
