"""What do streams, queues of work and brokers cost? Kinesis, Step Functions, SNS, MQ, MSK and WebSocket and HTTP APIs.

Source: each service's page under aws.amazon.com; the keys of use are those of Infracost's usage file.
"""

import math
from decimal import Decimal

from weyr.ledger.prices.rates import Rate, flat
from weyr.ledger.terraform.desk import HOURS, MILLION, THOUSAND, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts

EFO = "Enhanced Fan Out (EFO)"
ON_DEMAND = (
    ("Data ingested", "monthly_on_demand_data_in_gb", "in"),
    ("Data retrieval", "monthly_on_demand_data_out_gb", "out"),
    (f"{EFO} Data retrieval", "monthly_on_demand_efo_data_out_gb", "fan_out"),
    ("Extended retention (24H to 7D)", "monthly_on_demand_extended_retention_gb", "extended"),
    ("Long term retention (7D+)", "monthly_on_demand_long_term_retention_gb", "long_term"),
)
PROVISIONED = (
    ("Put request unit", "units", "monthly_provisioned_put_units", "put"),
    ("Extended retention (24H to 7D)", "GB", "monthly_provisioned_extended_retention_gb", "extended"),
    ("Long term retention (7D+)", "GB", "monthly_provisioned_long_term_retention_gb", "long_term"),
    ("Extended retention retrieval (7D+)", "GB", "monthly_provisioned_long_term_retrieval_gb", "retrieval"),
    (f"{EFO} Data retrieval", "GB", "monthly_provisioned_efo_data_out_gb", "fan_out"),
    (EFO, "consumer-shard hour", "monthly_provisioned_efo_consumer_hours", "consumer"),
)
MESSAGE_KB, REQUEST_KB, NOTIFICATION_KB = 32, 512, 64
"""An API's message, an API's request and a notification are billed by pieces of so much."""
DURATIONS = ("first 1K", "next 4K", "over 5K")


def stream(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Its shards by the hour, or a stream by the hour that grows by itself."""
    region = resource.region
    if resource.block("stream_mode_details").text("stream_mode", "PROVISIONED").upper() == "ON_DEMAND":
        metered = [(name, "GB", key, f"on_demand.{rate}") for name, key, rate in ON_DEMAND]
        fixed = desk.line("ON_DEMAND", "hours", HOURS, "kinesis/on_demand.hour", region)
    else:
        metered = [(name, unit, key, f"provisioned.{rate}") for name, unit, key, rate in PROVISIONED]
        shards = resource.number("shard_count", 1) or Decimal(1)
        fixed = desk.line("PROVISIONED", "hours", HOURS * shards, "kinesis/provisioned.hour", region)
    lines = (
        desk.line(name, unit, usage.number(key), f"kinesis/{rate}", region, is_usage=True)
        for name, unit, key, rate in metered
    )
    return Part(resource.address, (fixed, *lines))


def state_machine(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By transitions; an express one by requests and by the GB-hours that they take, in 100 ms of 64 MB."""
    region = resource.region
    if resource.text("type", "STANDARD").upper() != "EXPRESS":
        moves = usage.number("monthly_transitions")
        line = desk.line("Transitions", "1K transitions", moves, "sfn/transition", region, per=THOUSAND, is_usage=True)
        return Part(resource.address, (line,))
    requests, took_ms, memory_mb = (
        usage.number(key) for key in ("monthly_requests", "workflow_duration_ms", "memory_mb")
    )
    hours = None
    if requests is not None and took_ms is not None:
        pieces_mb = max(1, math.ceil((memory_mb or Decimal(0)) / 64)) * 64
        took_s = Decimal(math.ceil(took_ms / 100)) / 10
        hours = requests * took_s / 3600 * Decimal(pieces_mb) / 1024
    return Part(
        resource.address,
        (
            desk.line("Requests", "1M requests", requests, "sfn/request", region, per=MILLION, is_usage=True),
            *by_tier(desk.line("Duration", "GB-hours", hours, "sfn/duration", region, is_usage=True), DURATIONS),
        ),
    )


def api(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region = resource.region
    if resource.text("protocol_type").upper() == "WEBSOCKET":
        sent = _pieces(usage.number("monthly_messages"), usage.number("message_size_kb"), MESSAGE_KB)
        open_for = usage.number("monthly_connection_mins")
        messages = desk.line("Messages", "1M messages", sent, "apigateway/message", region, per=MILLION, is_usage=True)
        connected = desk.line(
            "Connection duration", "1M minutes", open_for, "apigateway/minute", region, per=MILLION, is_usage=True
        )
        return Part(resource.address, (*by_tier(messages, ("first 1B", "over 1B")), connected))
    asked = _pieces(usage.number("monthly_requests"), usage.number("request_size_kb"), REQUEST_KB)
    line = desk.line("Requests", "1M requests", asked, "apigateway/http", region, per=MILLION, is_usage=True)
    return Part(resource.address, tuple(by_tier(line, ("first 300M", "over 300M"))))


def _pieces(count: Decimal | None, size_kb: Decimal | None, piece_kb: int) -> Decimal | None:
    return None if count is None else count * max(1, math.ceil((size_kb or Decimal(piece_kb)) / piece_kb))


def cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Kafka's brokers by the hour, and a disk for each."""
    group, region = resource.block("broker_node_group_info"), resource.region
    count, kind = resource.number("number_of_broker_nodes", 1) or Decimal(1), group.text("instance_type")
    size = group.block("storage_info").block("ebs_storage_info").number("volume_size") or group.number(
        "ebs_volume_size"
    )
    scaled = next(
        (t for t in desk.resources if t.type == "aws_appautoscaling_target" and _scales(desk, t, resource)), None
    )
    title = "Storage"
    if scaled is not None:
        title, size = "Storage (autoscaling)", desk.usage.of(scaled).number("capacity") or scaled.number("min_capacity")
    stored = None if size is None else size * count
    return Part(
        resource.address,
        (
            desk.hours(f"Instance ({kind})", f"msk/instance.{kind}", region, count),
            desk.line(title, "GB", stored, "msk/storage", region, is_usage=True),
        ),
    )


def _scales(desk: Desk, target: Resource, resource: Resource) -> bool:
    of = desk.resources.behind(target.values.get("resource_id"), (resource.type,), ("arn",))
    return of is resource


def broker(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """By its machine, more of them in several zones; ActiveMQ keeps its messages in EFS unless told otherwise."""
    region, kind = resource.region, resource.text("host_instance_type")
    engine = "RabbitMQ" if resource.text("engine_type").lower() == "rabbitmq" else "ActiveMQ"
    mode = resource.text("deployment_mode", "SINGLE_INSTANCE").lower()
    count = {"single_instance": 1, "active_standby_multi_az": 2, "cluster_multi_az": 3}.get(mode)
    if count is None:
        return unpriced(resource, f"no price is known for a broker that is deployed as {mode}")
    storage = resource.text("storage_type", "EBS" if engine == "RabbitMQ" else "EFS").upper()
    stored = usage.number("storage_size_gb")
    size = None if stored is None else stored * (count if engine == "RabbitMQ" else 1)
    rate = f"mq/instance.{kind}"
    hours = desk.line(f"Instance usage ({engine}, {kind}, {mode})", "hours", HOURS, rate, region)
    title = f"Storage ({engine}, {storage})"
    return Part(
        resource.address,
        (_of_all(hours, count), desk.line(title, "GB", size, f"mq/storage.{storage.lower()}", region, is_usage=True)),
    )


def _of_all(line: Line, count: int) -> Line:
    """All machines of a broker, shown as one that costs what they do."""
    quantity = None if line.quantity is None else line.quantity * count
    return Line(line.name, line.unit, quantity, line.rate, line.priced_as, line.per)


def topic(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By pieces of 64 KB that are published, and by what is delivered to subscribers that its usage tells."""
    region, asked = resource.region, usage.number("monthly_requests")
    size_kb = usage.number("request_size_kb") or Decimal(NOTIFICATION_KB)
    sent = _pieces(asked, size_kb, NOTIFICATION_KB)
    if not resource.flag("fifo_topic"):
        return Part(resource.address, tuple(_standard_topic(desk, usage, region, sent)))
    payload = None if asked is None else asked * size_kb / MILLION
    lines = [
        desk.line("FIFO Publish API requests", "1M requests", asked, "sns/fifo.request", region, per=MILLION,
                  is_usage=True),
        desk.line("FIFO Publish API payload", "GB", payload, "sns/fifo.payload", region, is_usage=True),
    ]  # fmt: skip
    count = sum(1 for other in desk.resources if _subscribes(desk, other, resource))
    if count:
        each = None if asked is None else asked * count
        moved = None if payload is None else payload * count
        lines += [
            desk.line("FIFO notifications", "1M notifications", each, "sns/fifo.notification", region, per=MILLION,
                      is_usage=True),
            desk.line("FIFO notification payload", "GB", moved, "sns/fifo.delivered", region, is_usage=True),
        ]  # fmt: skip
    return Part(resource.address, tuple(lines))


DELIVERED = (
    ("HTTP/HTTPS notifications (over 100k)", 100_000, 100_000, "http_subscriptions", "http"),
    ("Email/Email-JSON notifications (over 1k)", 100_000, 1_000, "email_subscriptions", "email"),
    ("Kinesis Firehose notifications", 1_000_000, 0, "kinesis_subscriptions", "firehose"),
    ("Mobile Push notifications", 1_000_000, 0, "mobile_push_subscriptions", "push"),
    ("MacOS notifications", 1_000_000, 0, "macos_subscriptions", "push"),
)
"""The line, how many make its unit, how many are free in a month, the key of use and the rate."""
PUBLISHED_FREE = 1_000_000
MESSAGES_FREE = 100


def _standard_topic(desk: Desk, usage: Amounts, region: str, sent: Decimal | None) -> list[Line]:
    billed = None if sent is None else max(Decimal(0), sent - PUBLISHED_FREE)
    lines = [
        desk.line("API requests (over 1M)", "1M requests", billed, "sns/request", region, per=MILLION, is_usage=True)
    ]
    for name, per, free, key, rate in DELIVERED if sent is None or sent else ():
        to = usage.number(key)
        count = None if sent is None or to is None else max(Decimal(0), sent * to - free)
        unit = "100k notifications" if per == 100_000 else "1M notifications"
        lines.append(desk.line(name, unit, count, f"sns/{rate}", region, per=per, is_usage=True))
    lines += _text_messages(usage, sent)
    return [line for line in lines if line.quantity is None or line.quantity]


def _text_messages(usage: Amounts, sent: Decimal | None) -> list[Line]:
    """A text message costs what its country's carriers ask: as its usage says, and else it is not known."""
    to, each = usage.number("sms_subscriptions"), usage.number("sms_notification_price")
    if to is None and each is None:
        return []
    count = None if sent is None or to is None else max(Decimal(0), sent * to - MESSAGES_FREE)
    rate = None
    if each is not None:
        rate = Rate("aws", "sns", "", "sms", "notification", flat(each), "the usage that is stated", "")
    told = "SMS notifications (sms_notification_price)"
    return [Line("SMS notifications (over 100)", "100 notifications", count, rate, told, Decimal(100), True)]


def _subscribes(desk: Desk, other: Resource, topic: Resource) -> bool:
    if other.type != "aws_sns_topic_subscription":
        return False
    return desk.resources.behind(other.values.get("topic_arn"), (topic.type,), ("arn",)) is topic


PRICERS: dict[str, Pricer] = {
    "aws_kinesis_stream": stream,
    "aws_sfn_state_machine": state_machine,
    "aws_apigatewayv2_api": api,
    "aws_msk_cluster": cluster,
    "aws_mq_broker": broker,
    "aws_sns_topic": topic,
}
