"""What do machines cost: instances by themselves, from templates, in groups that scale, and under Kubernetes?

Source: aws.amazon.com/ec2/pricing and docs.aws.amazon.com: a month has 730 hours, detailed monitoring sends seven
metrics, T3 and T4g run unlimited unless told otherwise, groups start at their desired or least size.
"""

import math
from dataclasses import dataclass, replace
from decimal import Decimal

from weyr.ledger.prices.offers import Purchase
from weyr.ledger.prices.rates import Rate
from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts
from weyr.ledger.terraform.volumes import volume

MONITORING_METRICS = 7
EKS_DEFAULT_TYPE, EKS_DISK_GB = "t3.medium", 20
SYSTEMS = {"linux": "Linux/UNIX", "windows": "Windows", "rhel": "RHEL", "suse": "SUSE"}
BURSTABLE = ("t2", "t3", "t3a", "t4g")
UNLIMITED_BY_DEFAULT = ("t3", "t4g")
EXTRA_FOR_EBS = ("c1", "c3", "c4", "d2", "g2", "h1", "i2", "i3", "m1", "m2", "m3", "p2", "r3", "r4", "x1", "x1e")
"""Families from before EBS optimisation was a part of every instance."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one machine is asked to be, wherever that was written."""

    instance: str
    region: str
    purchase: Purchase = Purchase.ON_DEMAND
    tenancy: str = ""
    is_ebs_optimized: bool = False
    is_monitored: bool = False
    credits: str = ""
    accelerator: str = ""
    has_host: bool = False


def machine(desk: Desk, shape: Shape, usage: Amounts, volumes: tuple[Part, ...], name: str) -> Part:
    """One machine with its volumes."""
    hours = usage.number("monthly_hrs") or HOURS
    # Who has a whole host pays for that, and not for the machines on it.
    lines = [] if shape.has_host or shape.tenancy == "host" else [compute(desk, shape, usage, hours)]
    family = shape.instance.split(".")[0]
    if shape.is_ebs_optimized and (extra := _ebs_optimized(desk, shape, hours)):
        lines.append(extra)
    if shape.is_monitored:
        metrics = desk.line("EC2 detailed monitoring", "metrics", MONITORING_METRICS, "cloudwatch/metric", shape.region)
        lines.append(metrics)
    if shape.accelerator:
        rate = f"ec2/inference.{shape.accelerator}"
        lines.append(desk.line(f"Inference accelerator ({shape.accelerator})", "hours", hours, rate, shape.region))
    credits = shape.credits or ("unlimited" if family in UNLIMITED_BY_DEFAULT else "")
    spent = usage.number("monthly_cpu_credit_hrs")
    if credits == "unlimited" and family in BURSTABLE and spent:
        vcpus = usage.number("vcpu_count") or desk.vcpus(shape.instance) or Decimal(0)
        lines.append(desk.line("CPU credits", "vCPU-hours", spent * vcpus, f"ec2/credits.{family}", shape.region))
    return Part(name, tuple(lines), volumes)


def compute(desk: Desk, shape: Shape, usage: Amounts, hours: Decimal) -> Line:
    """The hours themselves."""
    system = usage.text("operating_system").lower() or "linux"
    reserved = usage.text("reserved_instance_type")
    label = "reserved" if reserved else "spot" if shape.purchase is Purchase.SPOT else "on-demand"
    title = f"Instance usage ({SYSTEMS.get(system, system)}, {label}, {shape.instance or 'unknown'})"
    if reserved:
        term, payment = usage.text("reserved_instance_term"), usage.text("reserved_instance_payment_option")
        what = f"ec2/instance.{shape.instance}.{system}.reserved.{reserved}.{term}"
        return desk.reserved(title, hours, what, payment, shape.region)
    rate, priced_as = _hourly(desk, shape, system)
    return Line(title, "hours", hours, rate, priced_as)


def _hourly(desk: Desk, shape: Shape, system: str) -> tuple[Rate | None, str]:
    """The catalogue's offers are for Linux on shared hardware; all else has a rate of its own."""
    kind = "" if shape.purchase is Purchase.ON_DEMAND else f".{shape.purchase.value}"
    dedicated = ".dedicated" if shape.tenancy == "dedicated" else ""
    what = f"instance.{shape.instance}.{system}{dedicated}{kind}"
    rate = desk.rate("ec2", shape.region, what)
    if rate is None and system == "linux" and not dedicated:
        rate = desk.machine_rate(shape.instance, shape.region, shape.purchase)
    return rate, f"ec2/{what} in {shape.region}"


def _ebs_optimized(desk: Desk, shape: Shape, hours: Decimal) -> Line | None:
    """Newer families have it included, at zero. Of the older ones those without a price cannot be optimised."""
    name = "EBS-optimized usage"
    line = desk.line(name, "hours", hours, f"ec2/ebs_optimized.{shape.instance}", shape.region)
    if line.rate is not None:
        return line
    if shape.instance.split(".")[0] in (*EXTRA_FOR_EBS, *BURSTABLE):
        return None
    return desk.covered(name, "hours", hours, "included in the instance's price")


def instance(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    template = _template(desk, resource.block("launch_template"))
    base = template or resource.block("")
    shape = Shape(
        instance=resource.text("instance_type") or base.text("instance_type"),
        region=resource.region,
        purchase=Purchase.SPOT if _is_spot(resource) or _is_spot(base) else Purchase.ON_DEMAND,
        tenancy=(resource.text("tenancy") or base.block("placement").text("tenancy")).lower(),
        is_ebs_optimized=resource.flag("ebs_optimized", base.flag("ebs_optimized")),
        is_monitored=resource.flag("monitoring", base.block("monitoring").flag("enabled")),
        credits=_credits(resource) or _credits(base),
        has_host=resource.values.get("host_id") is not None,
    )
    volumes = [volume(desk, resource.block("root_block_device"), "root_block_device", usage)]
    from_template = {each.text("device_name"): each.block("ebs") for each in base.blocks("block_device_mappings")}
    devices = []
    standing = {other.values.get("id") for other in desk.resources if other.type == "aws_ebs_volume"} - {None}
    for device in resource.blocks("ebs_block_device"):
        if device.text("volume_id") in standing:
            continue  # attached after it was made: it is a resource of its own
        below = from_template.pop(device.text("device_name"), None)
        devices.append(replace(device, values={**(below.values if below else {}), **device.values}))
    devices.extend(from_template.values())
    for at, device in enumerate(devices):
        own = replace(device, region=resource.region)
        volumes.append(volume(desk, own, f"ebs_block_device[{at}]", usage))
    return machine(desk, shape, usage, tuple(volumes), resource.address)


def _template(desk: Desk, block: Resource) -> Resource | None:
    types = ("aws_launch_template",)
    return desk.resources.behind(block.values.get("id"), types) or desk.resources.behind(
        block.values.get("name"), types, ("name", "name_prefix")
    )


def _credits(resource: Resource) -> str:
    return resource.block("credit_specification").text("cpu_credits").lower()


def _is_spot(resource: Resource) -> bool:
    market = resource.block("instance_market_options").text("market_type").lower()
    return market == "spot" or resource.has("spot_price") or resource.type == "aws_spot_instance_request"


@dataclass(frozen=True, slots=True)
class Mix:
    """How many machines, and how many of them on demand: `base`, then `percent` of the others."""

    count: Decimal
    base: Decimal = Decimal(0)
    percent: Decimal = Decimal(100)

    @property
    def on_demand(self) -> Decimal:
        base = min(self.base, self.count)
        return base + math.ceil((self.count - base) * self.percent / 100)


def from_template(desk: Desk, template: Resource, region: str, usage: Amounts, mix: Mix, instance: str = "") -> Part:
    """As many machines as `mix` says from a launch template."""
    shape = Shape(
        instance=instance or template.text("instance_type"),
        region=region,
        tenancy=template.block("placement").text("tenancy").lower(),
        is_ebs_optimized=template.flag("ebs_optimized"),
        is_monitored=template.block("monitoring").flag("enabled"),
        credits=_credits(template),
        accelerator=template.block("elastic_inference_accelerator").text("type"),
    )
    devices = [each.block("ebs") for each in template.blocks("block_device_mappings") if each.has("ebs")]
    volumes = tuple(
        volume(desk, replace(each, region=region), f"block_device_mapping[{at}]", usage)
        for at, each in enumerate(devices)
    )
    each = machine(desk, replace(shape, has_host=True), usage, volumes, template.address).times(mix.count)
    hours = usage.number("monthly_hrs") or HOURS
    split = ((Purchase.ON_DEMAND, mix.on_demand), (Purchase.SPOT, mix.count - mix.on_demand))
    lines = [
        compute(desk, replace(shape, purchase=purchase), usage, hours * count)
        for purchase, count in split
        if count > 0 and shape.tenancy != "host"
    ]
    return Part(template.address, (*lines, *each.lines), each.parts)


def from_configuration(desk: Desk, configuration: Resource, region: str, usage: Amounts, count: Decimal) -> Part:
    """The same from a launch configuration, which monitors in detail unless told not to."""
    shape = Shape(
        instance=configuration.text("instance_type"),
        region=region,
        purchase=Purchase.SPOT if configuration.has("spot_price") else Purchase.ON_DEMAND,
        tenancy=configuration.text("placement_tenancy").lower(),
        is_ebs_optimized=configuration.flag("ebs_optimized"),
        is_monitored=configuration.flag("enable_monitoring", True),
        credits=_credits(configuration),
    )
    root = replace(configuration.block("root_block_device"), region=region)
    volumes = [volume(desk, root, "root_block_device", usage)]
    for at, device in enumerate(configuration.blocks("ebs_block_device")):
        volumes.append(volume(desk, replace(device, region=region), f"ebs_block_device[{at}]", usage))
    return machine(desk, shape, usage, tuple(volumes), configuration.address).times(count)


def autoscaling_group(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    count = resource.number("desired_capacity") or resource.number("min_size") or Decimal(1)
    if resource.number("desired_capacity") == 0:
        count = Decimal(0)
    used = usage.number("instances")
    configuration = desk.resources.behind(
        resource.values.get("launch_configuration"), ("aws_launch_configuration",), ("name", "name_prefix")
    )
    if configuration:
        part = from_configuration(desk, configuration, resource.region, usage, count if used is None else used)
        return Part(resource.address, (), (part,))
    template = _template(desk, resource.block("launch_template"))
    if template:
        mix = Mix(count if used is None else used, percent=Decimal(0 if _is_spot(template) else 100))
        return Part(resource.address, (), (from_template(desk, template, resource.region, usage, mix),))
    return _mixed(desk, resource, usage, count)


def _mixed(desk: Desk, resource: Resource, usage: Amounts, count: Decimal) -> Part | Unpriced:
    policy = resource.block("mixed_instances_policy")
    specification = policy.block("launch_template").block("launch_template_specification")
    template = desk.resources.behind(
        specification.values.get("launch_template_id"), ("aws_launch_template",)
    ) or desk.resources.behind(specification.values.get("launch_template_name"), ("aws_launch_template",))
    if template is None:
        return unpriced(resource, "the launch template of its machines was not found")
    override = policy.block("launch_template").block("override")
    weight = override.number("weighted_capacity", 1) or Decimal(0)
    count = Decimal(math.ceil(count / weight)) if weight else Decimal(0)
    used = usage.number("instances")
    split = policy.block("instances_distribution")
    mix = Mix(
        count if used is None else used,
        split.number("on_demand_base_capacity", 0) or Decimal(0),
        split.number("on_demand_percentage_above_base_capacity", 100) or Decimal(0),
    )
    part = from_template(desk, template, resource.region, usage, mix, override.text("instance_type"))
    return Part(resource.address, (), (part,))


def eks_node_group(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    used = usage.number("instances")
    count = resource.block("scaling_config").number("desired_size", 0) if used is None else used
    count = count or Decimal(0)
    types = resource.given("instance_types", [])
    asked = str(types[0]) if isinstance(types, list) and types and isinstance(types[0], str) else ""
    template = _template(desk, resource.block("launch_template"))
    is_spot = resource.text("capacity_type").upper() == "SPOT"
    if template:
        name = asked or template.text("instance_type") or EKS_DEFAULT_TYPE
        mix = Mix(count, percent=Decimal(0 if is_spot or _is_spot(template) else 100))
        return Part(resource.address, (), (from_template(desk, template, resource.region, usage, mix, name),))
    purchase = Purchase.SPOT if is_spot else Purchase.ON_DEMAND
    shape = Shape(asked or EKS_DEFAULT_TYPE, resource.region, purchase)
    disk = resource.number("disk_size", EKS_DISK_GB)
    root = volume(desk, Resource(resource.address, "", {"volume_type": "gp2"}, resource.region), "", usage, disk)
    one = machine(desk, shape, usage, (), resource.address)
    return Part(resource.address, (*one.lines, *root.lines)).times(count)


def ec2_host(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    family = resource.text("instance_family") or resource.text("instance_type").split(".")[0]
    term, payment = usage.text("reserved_instance_term"), usage.text("reserved_instance_payment_option")
    title, what = f"EC2 Dedicated Host ({'reserved' if term else 'on-demand'}, {family})", f"ec2/host.{family}"
    if term:
        line = desk.reserved(title, HOURS, f"{what}.reserved.{term}", payment, resource.region)
    else:
        line = desk.hours(title, what, resource.region)
    return Part(resource.address, (line,))


PRICERS: dict[str, Pricer] = {
    "aws_instance": instance,
    "aws_spot_instance_request": instance,
    "aws_autoscaling_group": autoscaling_group,
    "aws_eks_node_group": eks_node_group,
    "aws_ec2_host": ec2_host,
}
