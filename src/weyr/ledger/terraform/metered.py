"""What do services cost whose lines are each one figure of use, or one fixed fee? A table of them.

Source: each service's page under aws.amazon.com; the keys of use are those of Infracost's usage file.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource, number
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts

HUNDRED_THOUSAND = 100_000


@dataclass(frozen=True, slots=True)
class Item:
    """A line: of the use under `key`, or of `fixed` units all month. `times`: how many of the rate's units one of the
    key's is in a month. `tiers`: the names of its tiers' lines."""

    name: str
    unit: str
    rate: str
    key: str = ""
    fixed: Decimal = Decimal(0)
    per: Decimal | int = 1
    times: Decimal | int = 1
    tiers: tuple[str, ...] = ()


EVALUATIONS = Item(
    "Rule evaluations", "evaluations", "config/evaluations", "monthly_rule_evaluations",
    tiers=("first 100K", "next 400K", "over 500K"),
)  # fmt: skip
PROCESSED = "monthly_data_processed_gb"
BILLION = ("first 1B", "over 1B")
ITEMS: dict[str, tuple[Item, ...]] = {
    "aws_route53_zone": (Item("Hosted zone", "months", "route53/zone", fixed=Decimal(1)),),
    "aws_ecr_repository": (Item("Storage", "GB", "ecr/storage", "storage_gb"),),
    "aws_cloudwatch_dashboard": (Item("Dashboard", "months", "cloudwatch/dashboard", fixed=Decimal(1)),),
    "aws_globalaccelerator_accelerator": (Item("Fixed fee", "hours", "globalaccelerator/hour", fixed=HOURS),),
    "aws_cloudfront_function": (
        Item("Total number of invocations", "1M invocations", "cloudfront/function", "monthly_requests", per=MILLION),
    ),
    "aws_cloudwatch_event_bus": (
        Item("Custom events published", "1M events", "events/custom", "monthly_custom_events", per=MILLION),
        Item("Third-party events published", "1M events", "events/partner", "monthly_third_party_events", per=MILLION),
        Item("Archive processing", "GB", "events/archived", "monthly_archive_processing_gb"),
        Item("Archive storage", "GB", "events/archive", "archive_storage_gb"),
        Item("Schema discovery", "1M events", "events/discovery", "monthly_schema_discovery_events", per=MILLION),
    ),
    "aws_backup_vault": tuple(
        Item(name, unit, f"backup/{rate}", f"monthly_{key}")
        for name, unit, rate, key in (
            ("EFS backup (warm)", "GB", "efs.warm", "efs_warm_backup_gb"),
            ("EFS backup (cold)", "GB", "efs.cold", "efs_cold_backup_gb"),
            ("EFS restore (warm)", "GB", "efs.restore.warm", "efs_warm_restore_gb"),
            ("EFS restore (cold)", "GB", "efs.restore.cold", "efs_cold_restore_gb"),
            ("EFS restore (item-level)", "requests", "efs.restore.item", "efs_item_restore_requests"),
            ("EBS snapshot", "GB", "ebs", "ebs_snapshot_gb"),
            ("RDS snapshot", "GB", "rds", "rds_snapshot_gb"),
            ("DynamoDB backup", "GB", "dynamodb", "dynamodb_backup_gb"),
            ("DynamoDB restore", "GB", "dynamodb.restore", "dynamodb_restore_gb"),
            ("Aurora snapshot", "GB", "aurora", "aurora_snapshot_gb"),
            ("FSx for Windows backup", "GB", "fsx.windows", "fsx_windows_backup_gb"),
            ("FSx for Lustre backup", "GB", "fsx.lustre", "fsx_lustre_backup_gb"),
        )
    ),
    "aws_config_configuration_recorder": (
        Item("Config items", "records", "config/item", "monthly_config_items"),
        Item("Custom config items", "records", "config/item.custom", "monthly_custom_config_items"),
    ),
    "aws_kinesis_analytics_application": (
        Item("Processing (stream)", "KPU", "kinesisanalytics/kpu", "kinesis_processing_units", times=HOURS, per=HOURS),
    ),
    "aws_kinesisanalyticsv2_application_snapshot": (
        Item("Backup", "GB", "kinesisanalytics/backup", "durable_application_backup_gb"),
    ),
    "aws_config_config_rule": (EVALUATIONS,),
    "aws_config_organization_custom_rule": (EVALUATIONS,),
    "aws_config_organization_managed_rule": (EVALUATIONS,),
    "aws_glue_catalog_database": (
        Item("Storage", "100k objects", "glue/objects", "monthly_objects", per=HUNDRED_THOUSAND),
        Item("Requests", "1M requests", "glue/requests", "monthly_requests", per=MILLION),
    ),
    "aws_glue_crawler": (Item("Duration", "hours", "glue/dpu_hour", "monthly_hours"),),
    "aws_networkfirewall_firewall": (
        Item("Network Firewall Endpoint", "hours", "networkfirewall/hour", fixed=HOURS),
        Item("Data Processed", "GB", "networkfirewall/processed", PROCESSED),
    ),
    "aws_ec2_transit_gateway_vpc_attachment": (
        Item("Transit gateway attachment", "hours", "vpc/transit.hour", fixed=HOURS),
        Item("Data processed", "GB", "vpc/transit.processed", PROCESSED),
    ),
    "aws_ec2_transit_gateway_peering_attachment": (
        Item("Transit gateway attachment", "hours", "vpc/transit.hour", fixed=HOURS),
    ),
    "aws_api_gateway_rest_api": (
        Item(
            "Requests", "1M requests", "apigateway/rest", "monthly_requests", per=MILLION,
            tiers=("first 333M", "next 667M", "next 19B", "over 20B"),
        ),
    ),
    "aws_ec2_client_vpn_endpoint": (Item("Connection", "hours", "vpn/client.connection", fixed=HOURS),),
    "aws_ec2_client_vpn_network_association": (
        Item("Endpoint association", "hours", "vpn/client.association", fixed=HOURS),
    ),
    "aws_ec2_traffic_mirror_session": (Item("Traffic mirror", "hours", "vpc/mirror", fixed=HOURS),),
    "aws_route53_record": (
        Item("Standard queries", "1M queries", "route53/standard", "monthly_standard_queries", per=MILLION,
             tiers=BILLION),
        Item("Latency based routing queries", "1M queries", "route53/latency", "monthly_latency_based_queries",
             per=MILLION, tiers=BILLION),
        Item("Geo DNS queries", "1M queries", "route53/geo", "monthly_geo_queries", per=MILLION, tiers=BILLION),
    ),
    "aws_docdb_cluster": (Item("Backup storage", "GB", "docdb/backup", "backup_storage_gb"),),
    "aws_docdb_cluster_snapshot": (Item("Backup storage", "GB", "docdb/backup", "backup_storage_gb"),),
}  # fmt: skip


def _priced(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    return Part(resource.address, lines_of(ITEMS[resource.type], desk, usage, resource.region))


def lines_of(
    items: Iterable[Item], desk: Desk, usage: Amounts, region: str, provider: str = "aws", count: Decimal | int = 1
) -> tuple[Line, ...]:
    """The lines of a table's row; `count` of what is fixed."""
    lines: list[Line] = []
    for item in items:
        quantity = item.fixed * count or _times(usage.number(item.key), item.times)
        line = desk.line(
            item.name, item.unit, quantity, item.rate, region, per=item.per, is_usage=not item.fixed, provider=provider
        )
        lines += by_tier(line, item.tiers) if item.tiers else [line]
    return tuple(lines)


def _times(amount: Decimal | None, times: Decimal | int) -> Decimal | None:
    return None if amount is None else amount * times


def metric_alarm(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By the metrics that it watches; finer than a minute is dearer, and anomalies are three metrics."""
    queries = [each.block("metric") for each in resource.blocks("metric_query") if each.has("metric")]
    periods = [number(query.given("period")) or Decimal(60) for query in queries]
    period = min(periods, default=resource.number("period", 60) or Decimal(60))
    count, is_high = Decimal(max(1, len(queries))), period < 60
    detects = resource.text("comparison_operator") in (
        "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold",
    )  # fmt: skip
    name = f"{'High' if is_high else 'Standard'} resolution{' anomaly detection' if detects else ''}"
    rate = f"cloudwatch/alarm{'.high' if is_high else ''}"
    unit = "alarms" if detects else "alarm metrics"
    return Part(resource.address, (desk.line(name, unit, count * (3 if detects else 1), rate, resource.region),))


def vpc_endpoint(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Gateways to S3 and DynamoDB cost nothing; the others by the hour in each subnet."""
    kind = resource.text("vpc_endpoint_type", "Gateway")
    if kind.lower() == "gateway":
        return None
    subnets = resource.values.get("subnet_ids")
    count = max(1, len(subnets)) if isinstance(subnets, list) else 1
    processed, region = usage.number(PROCESSED), resource.region
    name = "interface" if kind.lower() == "interface" else "gateway_load_balancer"
    data = desk.line("Data processed", "GB", processed, f"vpc/endpoint.{name}.processed", region, is_usage=True)
    lines = by_tier(data, ("first 1PB", "next 4PB", "over 5PB")) if name == "interface" else [data]
    hours = desk.hours(f"Endpoint ({kind})", f"vpc/endpoint.{name}.hour", region, count)
    return Part(resource.address, (*lines, hours))


def ecs_service(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced | None:
    """On Fargate by the task's size; on instances those are paid for by themselves."""
    said = resource.values.get("task_definition") or _of_task_set(desk, resource)
    task = desk.resources.behind(said, ("aws_ecs_task_definition",), ("family", "arn"))
    if not _on_fargate(desk, resource):
        return None
    if task is None:
        return unpriced(resource, "its task definition was not found")
    count = resource.number("desired_count", 1) or Decimal(0)
    memory, cpu = size(task.text("memory"), "gb"), size(task.text("cpu"), "vcpu")
    line, region = desk.line, resource.region
    return Part(
        resource.address,
        (
            line("Per GB per hour", "GB", memory * count * HOURS, "fargate/memory", region, per=HOURS),
            line("Per vCPU per hour", "CPU", cpu * count * HOURS, "fargate/cpu", region, per=HOURS),
        ),
    )


def _of_task_set(desk: Desk, service: Resource) -> object:
    """What a service runs that something else deploys: a set of tasks names the service and the task."""
    sets = (other for other in desk.resources if other.type == "aws_ecs_task_set")
    of = ("aws_ecs_service",), ("id", "name")
    ours = (each for each in sets if desk.resources.behind(each.values.get("service"), *of) is service)
    return next((each.values.get("task_definition") for each in ours), None)


def _on_fargate(desk: Desk, service: Resource) -> bool:
    """Said by the service, by its strategy, or by its cluster's providers."""
    if service.has("launch_type"):
        return service.text("launch_type").upper() == "FARGATE"
    own = [each.text("capacity_provider") for each in service.blocks("capacity_provider_strategy")]
    cluster = desk.resources.behind(service.values.get("cluster"), ("aws_ecs_cluster",), ("name", "arn"))
    names: list[object] = [*own, *(cluster.given("capacity_providers", []) if cluster else [])]
    for other in desk.resources:
        if other.type == "aws_ecs_cluster_capacity_providers" and cluster is not None:
            of = desk.resources.behind(other.values.get("cluster_name"), ("aws_ecs_cluster",), ("name",))
            names += other.given("capacity_providers", []) if of is cluster else []
    return any(str(name).upper().startswith("FARGATE") for name in names)


def size(text: str, unit: str) -> Decimal:
    """`2 GB` and `1 vCPU` as they read, plain numbers in 1,024ths: MiB and CPU units."""
    bare = text.lower().replace(unit, "").strip()
    amount = number(bare, 0) or Decimal(0)
    return amount if unit in text.lower() else amount / 1024


def file_system(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Throughput that is provisioned includes a MB/s for each 20 GB stored."""
    zone, label = (".one_zone", "one zone") if resource.has("availability_zone_name") else ("", "standard")
    region, stored = resource.region, usage.number("storage_gb")
    lines = [desk.line(f"Storage ({label})", "GB", stored, f"efs/storage{zone}", region, is_usage=True)]
    provisioned = resource.number("provisioned_throughput_in_mibps")
    if provisioned:
        billed = max(Decimal(0), provisioned - (stored or Decimal(0)) / 20)
        lines.append(desk.line("Provisioned throughput", "MBps", billed, "efs/throughput", region, is_usage=True))
    if resource.has("lifecycle_policy"):
        kept = usage.number("infrequent_access_storage_gb")
        title = f"Storage ({label}, infrequent access)"
        lines.append(desk.line(title, "GB", kept, f"efs/storage.infrequent{zone}", region, is_usage=True))
        for way in ("Read", "Write"):
            moved = usage.number(f"monthly_infrequent_access_{way.lower()}_gb")
            title = f"{way} requests (infrequent access)"
            lines.append(desk.line(title, "GB", moved, f"efs/infrequent.{way.lower()}", region, is_usage=True))
    return Part(resource.address, tuple(lines))


def topic_subscription(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    if resource.text("protocol").lower() not in ("http", "https"):
        return None
    sent, size_kb = usage.number("monthly_requests"), usage.number("request_size_kb") or Decimal(64)
    count = None if sent is None else sent * math.ceil(size_kb / 64)
    line = desk.line(
        "HTTP notifications", "1M notifications", count, "sns/http", resource.region, per=MILLION, is_usage=True
    )
    return Part(resource.address, (line,))


PRICERS: dict[str, Pricer] = {
    **dict.fromkeys(ITEMS, _priced),
    "aws_cloudwatch_metric_alarm": metric_alarm,
    "aws_vpc_endpoint": vpc_endpoint,
    "aws_ecs_service": ecs_service,
    "aws_efs_file_system": file_system,
    "aws_sns_topic_subscription": topic_subscription,
}
