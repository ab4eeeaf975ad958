"""What do functions, tables and queues cost?

Source: aws.amazon.com/{lambda,dynamodb,sqs}/pricing: a function's time is its memory's share of a GB, rounded up to
a millisecond; a queue's message counts once for each 64 KB.
"""

import math
from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.resources import Resource, Sourced, Unknown
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts

FREE_STORAGE_MB = 512
MESSAGE_KB = 64
BILLION = Decimal(10**9)


def lambda_function(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    memory_gb = (resource.number("memory_size", 128) or Decimal(128)) / 1024
    storage_mb = resource.block("ephemeral_storage").number("size", FREE_STORAGE_MB) or Decimal(FREE_STORAGE_MB)
    architectures = resource.given("architectures", [])
    suffix = ".arm" if isinstance(architectures, list) and "arm64" in architectures else ""
    requests = usage.number("monthly_requests")
    duration_ms = usage.number("request_duration_ms") or Decimal(1)
    seconds = None if requests is None else requests * memory_gb * math.ceil(duration_ms) / 1000
    storage = None if seconds is None else seconds * max(Decimal(0), storage_mb - FREE_STORAGE_MB) / 1024
    region = resource.region
    return Part(
        resource.address,
        (
            _requests(desk, requests, region, suffix),
            desk.line("Ephemeral storage", "GB-seconds", storage, f"lambda/storage{suffix}", region, is_usage=True),
            *_durations(
                desk.line("Duration", "GB-seconds", seconds, f"lambda/duration{suffix}", region, is_usage=True)
            ),
        ),
    )


def _requests(desk: Desk, requests: Decimal | None, region: str, suffix: str) -> Line:
    rate = f"lambda/requests{suffix}"
    return desk.line("Requests", "1M requests", requests, rate, region, per=MILLION, is_usage=True)


def _durations(line: Line) -> list[Line]:
    """A line for each tier, named as `first 6B`, `next 9B`, `over 15B`."""
    names, start = [], Decimal(0)
    for at, tier in enumerate(line.rate.steps if line.rate else ()):
        if tier.up_to is None:
            names.append(f"over {_billions(start)}")
        else:
            names.append(f"{'next' if at else 'first'} {_billions(tier.up_to - start)}")
            start = tier.up_to
    return by_tier(line, names) if len(names) > 1 else [line]


def _billions(units: Decimal) -> str:
    return f"{(units / BILLION).normalize():f}B"


def provisioned_concurrency(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    executions = resource.number("provisioned_concurrent_executions", 0) or Decimal(0)
    memory_gb = (usage.number("memory_mb") or Decimal(512)) / 1024
    requests = usage.number("monthly_requests") or Decimal(0)
    hours = usage.number("monthly_duration_hrs") or Decimal(0)
    suffix = ".arm" if usage.text("architecture") == "arm64" else ""
    duration_ms = math.ceil(usage.number("request_duration_ms") or Decimal(1))
    kept = executions * memory_gb * hours * 3600
    ran = requests * memory_gb * duration_ms / 1000
    region, seconds = resource.region, "GB-seconds"
    return Part(
        resource.address,
        (
            _requests(desk, requests, region, suffix),
            desk.line("Provisioned Concurrency", seconds, kept, f"lambda/provisioned{suffix}", region, is_usage=True),
            desk.line("Duration", seconds, ran, f"lambda/duration.provisioned{suffix}", region, is_usage=True),
        ),
    )


def dynamodb_table(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region = resource.region
    replicas = [each.text("region_name") for each in resource.blocks("replica")]
    on_demand = resource.text("billing_mode", "PROVISIONED") == "PAY_PER_REQUEST"
    written = usage.number("monthly_write_request_units")
    if on_demand:
        read = usage.number("monthly_read_request_units")
        lines = [
            desk.line("Write request unit (WRU)", "WRUs", written, "dynamodb/write.request", region, is_usage=True),
            desk.line("Read request unit (RRU)", "RRUs", read, "dynamodb/read.request", region, is_usage=True),
        ]
    else:
        lines = [_capacity(desk, resource, "Write"), _capacity(desk, resource, "Read")]
    others = [
        ("Data storage", "GB", "storage_gb", "storage"),
        ("Point-In-Time Recovery (PITR) backup storage", "GB", "pitr_backup_storage_gb", "backup.continuous"),
        ("On-demand backup storage", "GB", "on_demand_backup_storage_gb", "backup.on_demand"),
        ("Table data restored", "GB", "monthly_data_restored_gb", "restored"),
        ("Streams read request unit (sRRU)", "sRRUs", "monthly_streams_read_request_units", "read.stream"),
    ]
    lines += [
        desk.line(name, unit, usage.number(key), f"dynamodb/{rate}", region, is_usage=True)
        for name, unit, key, rate in others
        if rate != "backup.continuous" or resource.block("point_in_time_recovery").flag("enabled")
    ]
    provisioned = (resource.number("write_capacity", 0) or Decimal(0)) * HOURS
    return Part(
        resource.address,
        tuple(lines),
        tuple(
            Part(f"Global table ({place})", (_replicated(desk, place, on_demand, written, provisioned),))
            for place in replicas
        ),
    )


def _capacity(desk: Desk, table: Resource, way: str) -> Line:
    """Provisioned units, all month: what an autoscaling target is stated to use, else the least that it allows."""
    units = table.number(f"{way.lower()}_capacity", 0) or Decimal(0)
    letter, title = way[0], ""
    for target in desk.resources:
        if _scales(desk, target, table) and target.text("scalable_dimension") == f"dynamodb:table:{way}CapacityUnits":
            used = desk.usage.of(target).number("capacity")
            units = used if used is not None else target.number("min_capacity", 0) or Decimal(0)
            title = ", autoscaling"
    return desk.line(
        f"{way} capacity unit ({letter}CU{title})", f"{letter}CU", units * HOURS, f"dynamodb/{way.lower()}.capacity",
        table.region, per=HOURS,
    )  # fmt: skip


def _scales(desk: Desk, target: Resource, table: Resource) -> bool:
    if target.type != "aws_appautoscaling_target":
        return False
    of = target.values.get("resource_id")
    if isinstance(of, Unknown | Sourced):
        return desk.resources.behind(of, (table.type,)) is table
    return of == f"table/{table.text('name')}"


def _replicated(desk: Desk, place: str, on_demand: bool, written: Decimal | None, provisioned: Decimal) -> Line:
    if on_demand:
        name, rate = "Replicated write request unit (rWRU)", "dynamodb/write.request.replicated"
        return desk.line(name, "rWRU", written, rate, place, per=HOURS, is_usage=True)
    name, rate = "Replicated write capacity unit (rWCU)", "dynamodb/write.capacity.replicated"
    return desk.line(name, "rWCU", provisioned, rate, place, per=HOURS)


def sqs_queue(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    sent, size_kb = usage.number("monthly_requests"), usage.number("request_size_kb") or Decimal(MESSAGE_KB)
    requests = None if sent is None else sent * math.ceil(size_kb / MESSAGE_KB)
    kind = "fifo" if resource.flag("fifo_queue") else "standard"
    rate = f"sqs/requests.{kind}"
    line = desk.line("Requests", "1M requests", requests, rate, resource.region, per=MILLION, is_usage=True)
    return Part(resource.address, (line,))


PRICERS: dict[str, Pricer] = {
    "aws_lambda_function": lambda_function,
    "aws_lambda_provisioned_concurrency_config": provisioned_concurrency,
    "aws_dynamodb_table": dynamodb_table,
    "aws_sqs_queue": sqs_queue,
}
