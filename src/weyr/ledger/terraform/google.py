"""What do Google's TPUs and Vertex AI cost?

A TPU's type names cores up to v5p (`v3-8` is four chips) and chips for v5e and v6e (`v5litepod-8`). What Vertex AI
runs for you costs 15 % more than the same machine of Compute Engine.
Source: cloud.google.com/tpu/pricing and cloud.google.com/vertex-ai/pricing.
"""

import re
from decimal import Decimal

from weyr.ledger.prices.offers import Purchase
from weyr.ledger.prices.rates import Rate, flat
from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

PROVIDER = "gcp"
CORES_OF_CHIP = {"v2": 2, "v3": 2, "v4": 2, "v5p": 2}
GENERATION = {"V2": "v2", "V3": "v3", "V4": "v4", "V5LITE_POD": "v5litepod", "V5P": "v5p", "V6E": "v6e"}
MANAGED = Decimal("1.15")
TPU = re.compile(r"(v\d+[a-z]*)-(\d+)")
DEFAULT_TPU = "v2-8"


def tpu(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    config = resource.block("accelerator_config")
    kind = resource.text("accelerator_type")
    match = TPU.fullmatch(kind)
    if config.values:
        generation = GENERATION.get(config.text("type", "V2"), config.text("type"))
        chips = Decimal(1)
        for side in config.text("topology", "1").split("x"):
            chips *= Decimal(side) if side.isdigit() else 1
        kind = f"{generation}, {config.text('topology')}"
    elif match or not kind:
        generation, count = (match or TPU.fullmatch(DEFAULT_TPU)).groups()  # type: ignore[union-attr]
        kind = kind or DEFAULT_TPU
        chips = Decimal(count) / CORES_OF_CHIP.get(generation, 1)
    else:
        return unpriced(resource, f"no TPU is known as {kind}")
    schedule = resource.block("scheduling_config")
    is_spot = schedule.flag("preemptible") or schedule.flag("spot")
    label, suffix = ("spot", ".spot") if is_spot else ("on-demand", "")
    hours = (usage.number("monthly_hrs") or HOURS) * chips
    line = desk.line(
        f"TPU ({label}, {kind})", "chip-hours", hours, f"tpu/chip.{generation}{suffix}", region_of(resource),
        provider=PROVIDER,
    )  # fmt: skip
    return Part(resource.address, (line,))


def queued_tpu(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """A queued resource is the node that it asks for."""
    nodes = [spec.block("node") for spec in resource.block("tpu").blocks("node_spec")]
    parts = [
        tpu(desk, Resource(f"node_spec[{at}]", resource.type, node.values, region_of(resource)), usage)
        for at, node in enumerate(nodes)
    ]
    known = tuple(part for part in parts if isinstance(part, Part))
    if len(known) < len(parts) or not parts:
        return unpriced(resource, "what its nodes are is not known")
    return Part(resource.address, (), known)


def region_of(resource: Resource) -> str:
    """A zone's region, else the location or region that is written, else the provider's."""
    zone = resource.text("zone")
    if zone:
        return zone.rpartition("-")[0]
    place = resource.text("location") or resource.text("region") or resource.region
    return place.rpartition("-")[0] if re.fullmatch(r"[a-z]+-[a-z]+\d+-[a-z]", place) else place


def machine(desk: Desk, spec: Resource, region: str, count: Decimal, usage: Amounts) -> list[Line]:
    """Machines that Vertex AI manages, with their accelerators."""
    kind = spec.text("machine_type", "n1-standard-2")
    hours = (usage.number("monthly_hrs") or HOURS) * count
    rate = desk.rate("vertex", region, f"machine.{kind}", PROVIDER) or _managed(desk, kind, region)
    lines = [Line(f"Prediction node ({kind})", "hours", hours, rate, f"vertex/machine.{kind} in {region}")]
    accelerator = spec.text("accelerator_type")
    if accelerator and not kind.startswith(("a2-", "a3-", "g2-", "a4-")):
        each = spec.number("accelerator_count", 1) or Decimal(1)
        name, priced_as = f"Accelerator ({accelerator})", f"vertex/accelerator.{accelerator}"
        lines.append(desk.line(name, "hours", hours * each, priced_as, region, provider=PROVIDER))
    return lines


def _managed(desk: Desk, kind: str, region: str) -> Rate | None:
    rate = desk.machine_rate(kind, region, Purchase.ON_DEMAND, PROVIDER)
    if rate is None:
        return None
    source = f"{rate.source}, and the 15 % of Vertex AI"
    price = flat(rate.amount * MANAGED)
    return Rate(PROVIDER, "vertex", region, f"machine.{kind}", "hour", price, source, rate.dated)


def deployed_model(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    dedicated = resource.block("deploy_config").block("dedicated_resources")
    return _dedicated(desk, resource, dedicated, usage)


def _dedicated(desk: Desk, resource: Resource, dedicated: Resource, usage: Amounts) -> Part:
    used = usage.number("replicas")
    count = used if used is not None else dedicated.number("min_replica_count", 1) or Decimal(1)
    spec = dedicated.block("machine_spec")
    return Part(resource.address, tuple(machine(desk, spec, region_of(resource), count, usage)))


def endpoint(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """An endpoint alone costs nothing; models are mostly deployed to it by other means, which its usage may state."""
    if not usage.has("machine_type"):
        return None
    keys = ("machine_type", "accelerator_type", "accelerator_count")
    spec = Resource(resource.address, "", {key: usage.text(key) for key in keys if usage.has(key)}, resource.region)
    count = usage.number("replicas") or Decimal(1)
    return Part(resource.address, tuple(machine(desk, spec, region_of(resource), count, usage)))


def deployed_index(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    of = Resource(resource.address, resource.type, resource.values, resource.region)
    index = desk.resources.behind(resource.values.get("index_endpoint"), ("google_vertex_ai_index_endpoint",))
    region = region_of(of) or (region_of(index) if index else "")
    placed = Resource(resource.address, resource.type, {**resource.values, "region": region}, region)
    return _dedicated(desk, placed, placed.block("dedicated_resources"), usage)


def feature_store(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    serving, bigtable = resource.block("online_serving_config"), resource.block("bigtable").block("auto_scaling")
    nodes = (
        serving.number("fixed_node_count")
        or serving.block("scaling").number("min_node_count")
        or bigtable.number("min_node_count")
    )
    if not nodes:
        return None
    line = desk.line(
        "Online serving nodes", "hours", nodes * HOURS, "vertex/feature_node", region_of(resource), provider=PROVIDER
    )
    return Part(resource.address, (line,))


PRICERS: dict[str, Pricer] = {
    "google_tpu_node": tpu,
    "google_tpu_v2_vm": tpu,
    "google_tpu_v2_queued_resource": queued_tpu,
    "google_vertex_ai_endpoint": endpoint,
    "google_vertex_ai_endpoint_with_model_garden_deployment": deployed_model,
    "google_vertex_ai_index_endpoint_deployed_index": deployed_index,
    "google_vertex_ai_featurestore": feature_store,
    "google_vertex_ai_feature_online_store": feature_store,
}
