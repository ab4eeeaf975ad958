"""What do SageMaker, Bedrock and Batch cost? Source: aws.amazon.com/{sagemaker-ai,bedrock,batch,fargate}/pricing.

Batch itself costs nothing: its machines do. How long they run is usage; what is kept running all month is not.
"""

import math
import re
from dataclasses import replace
from decimal import Decimal

from weyr.ledger.prices.offers import Purchase
from weyr.ledger.terraform.desk import HOURS, THOUSAND, Desk, Pricer, unpriced
from weyr.ledger.terraform.instances import Shape, compute
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

NOTEBOOK_GB = 5
SERVERLESS_MB = 2048
SIZE_OF_FAMILY = "xlarge"
COMMITMENTS = {"": "no commitment", "OneMonth": "1 month", "SixMonths": "6 months"}
MODEL_ID = re.compile(r"(?:.*foundation-model/)?(?:us\.|eu\.|apac\.|global\.)?(?P<id>[a-z0-9-]+\.[a-z0-9.:-]+)$")


def endpoint(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """What its configuration puts behind it: each variant's machines and disks, or the time it computes."""
    types = ("aws_sagemaker_endpoint_configuration",)
    configuration = desk.resources.behind(resource.values.get("endpoint_config_name"), types)
    if configuration is None:
        return unpriced(resource, "its endpoint configuration was not found")
    variants = [*configuration.blocks("production_variants"), *configuration.blocks("shadow_production_variants")]
    parts = [_variant(desk, each, usage, resource.region, at) for at, each in enumerate(variants)]
    processed = usage.number("monthly_data_processed_gb")
    data = desk.line("Data processed", "GB", processed, "sagemaker/processed", resource.region, is_usage=True)
    return Part(resource.address, (data,), tuple(parts))


def _variant(desk: Desk, variant: Resource, usage: Amounts, region: str, at: int) -> Part:
    name = variant.text("variant_name", f"variant[{at}]")
    serverless = variant.block("serverless_config")
    if serverless.values:
        return Part(name, _serverless(desk, serverless, usage, region))
    kind, count = variant.text("instance_type"), variant.number("initial_instance_count", 1) or Decimal(1)
    used = usage.number("instances")
    lines = [_instance(desk, "Endpoint instance", kind, region, usage, count if used is None else used)]
    size = variant.number("volume_size_in_gb")
    if size:
        lines.append(desk.line("Storage", "GB", size * count, "sagemaker/storage", region))
    return Part(name, tuple(lines))


def _instance(desk: Desk, title: str, kind: str, region: str, usage: Amounts, count: Decimal) -> Line:
    hours = (usage.number("monthly_hrs") or HOURS) * count
    return desk.line(f"{title} (on-demand, {kind})", "hours", hours, f"sagemaker/instance.{kind}", region)


def _serverless(desk: Desk, config: Resource, usage: Amounts, region: str) -> tuple[Line, ...]:
    memory_gb = (config.number("memory_size_in_mb", SERVERLESS_MB) or Decimal(SERVERLESS_MB)) / 1024
    requests, duration_ms = usage.number("monthly_requests"), usage.number("request_duration_ms")
    seconds = None if requests is None or duration_ms is None else requests * duration_ms / 1000 * memory_gb
    lines = [desk.line("Compute", "GB-seconds", seconds, "sagemaker/serverless", region, is_usage=True)]
    kept = config.number("provisioned_concurrency")
    if kept:
        always = kept * memory_gb * HOURS * 3600
        lines.append(desk.line("Provisioned concurrency", "GB-seconds", always, "sagemaker/serverless.kept", region))
    return tuple(lines)


def notebook(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    kind, size = resource.text("instance_type"), resource.number("volume_size", NOTEBOOK_GB)
    return Part(
        resource.address,
        (
            _instance(desk, "Notebook instance", kind, resource.region, usage, Decimal(1)),
            desk.line("Storage", "GB", size, "sagemaker/storage", resource.region),
        ),
    )


def studio_app(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    kind = resource.block("resource_spec").text("instance_type")
    if kind in ("", "system"):
        return None
    return Part(resource.address, (_instance(desk, "Studio instance", kind, resource.region, usage, Decimal(1)),))


def feature_group(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    if not resource.block("online_store_config").flag("enable_online_store"):
        return None
    kinds = (
        ("Write request units", "1M units", "monthly_write_request_units", "feature.write", 1_000_000),
        ("Read request units", "1M units", "monthly_read_request_units", "feature.read", 1_000_000),
        ("Online storage", "GB", "online_storage_gb", "feature.storage", 1),
    )
    return Part(
        resource.address,
        tuple(
            desk.line(name, unit, usage.number(key), f"sagemaker/{rate}", resource.region, per=per, is_usage=True)
            for name, unit, key, rate, per in kinds
        ),
    )


def provisioned_throughput(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Model units by the hour, cheaper the longer they are committed to."""
    model = model_id(resource.text("model_arn"))
    units, term = resource.number("model_units", 1) or Decimal(1), resource.text("commitment_duration")
    name = f"Provisioned throughput ({model}, {COMMITMENTS.get(term, term)})"
    rate = f"bedrock/unit.{model}" + (f".{term}" if term else "")
    return Part(resource.address, (desk.line(name, "model unit-hours", units * HOURS, rate, resource.region),))


def tokens(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """An agent's or a profile's calls of its model."""
    source = resource.block("model_source").text("copy_from")
    model = model_id(source or resource.text("foundation_model"))
    return Part(
        resource.address,
        tuple(
            desk.line(
                f"{way.title()} tokens ({model})", "1k tokens", usage.number(f"monthly_{way}_tokens"),
                f"bedrock/{way}.{model}", resource.region, per=THOUSAND, is_usage=True,
            )
            for way in ("input", "output")
        ),
    )  # fmt: skip


def model_id(name: str) -> str:
    """`arn:...:foundation-model/anthropic.claude-v2` and `us.anthropic.claude-v2` are that model."""
    match = MODEL_ID.match(name)
    return match["id"] if match else name


def batch_environment(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """An environment's machines: as many vCPUs as are kept or desired all month, or as many vCPU-hours as are used."""
    wanted = resource.block("compute_resources")
    if not wanted.values:
        return None  # unmanaged: its machines are resources of their own
    kind = wanted.text("type", "EC2").upper()
    hours = usage.number("monthly_vcpu_hours")
    if kind.startswith("FARGATE"):
        return Part(resource.address, _fargate(desk, usage, resource.region, hours, kind == "FARGATE_SPOT"))
    kept = wanted.number("desired_vcpus") or wanted.number("min_vcpus", 0) or Decimal(0)
    types = wanted.given("instance_type", [])
    name = str(types[0]) if isinstance(types, list) and types else ""
    shape = Shape(name, resource.region, Purchase.SPOT if kind == "SPOT" else Purchase.ON_DEMAND)
    if name and "." not in name:
        shape = replace(shape, instance=f"{name}.{SIZE_OF_FAMILY}")  # a whole family: its sizes cost the same a vCPU
    vcpus = desk.vcpus(shape.instance) or Decimal(1)
    machine_hours = Decimal(math.ceil(kept / vcpus)) * HOURS if hours is None else hours / vcpus
    line = compute(desk, shape, usage, machine_hours)
    if hours is None and not kept:
        line = Line(line.name, line.unit, None, line.rate, line.priced_as, depends_on_usage=True)
    return Part(resource.address, (line,))


def _fargate(desk: Desk, usage: Amounts, region: str, hours: Decimal | None, is_spot: bool) -> tuple[Line, ...]:
    spot = ".spot" if is_spot else ""
    memory = usage.number("monthly_memory_gb_hours")
    return (
        desk.line("Per vCPU per hour", "vCPU-hours", hours, f"fargate/cpu{spot}", region, is_usage=True),
        desk.line("Per GB per hour", "GB-hours", memory, f"fargate/memory{spot}", region, is_usage=True),
    )


PRICERS: dict[str, Pricer] = {
    "aws_sagemaker_endpoint": endpoint,
    "aws_sagemaker_notebook_instance": notebook,
    "aws_sagemaker_app": studio_app,
    "aws_sagemaker_feature_group": feature_group,
    "aws_bedrock_provisioned_model_throughput": provisioned_throughput,
    "aws_bedrock_inference_profile": tokens,
    "aws_bedrockagent_agent": tokens,
    "aws_batch_compute_environment": batch_environment,
}
