"""What do clusters' control planes, gateways, load balancers and addresses cost?

Source: aws.amazon.com/{eks,vpc,elasticloadbalancing}/pricing.
"""

from datetime import date
from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, Desk, Pricer
from weyr.ledger.terraform.lines import Part
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

EKS_STANDARD_SUPPORT_ENDS = {
    "1.23": date(2023, 10, 11), "1.24": date(2024, 1, 31), "1.25": date(2024, 5, 1), "1.26": date(2024, 6, 11),
    "1.27": date(2024, 7, 24), "1.28": date(2024, 11, 26), "1.29": date(2025, 3, 23), "1.30": date(2025, 7, 23),
    "1.31": date(2025, 11, 26), "1.32": date(2026, 3, 23), "1.33": date(2026, 7, 29),
}  # fmt: skip
"""Source: docs.aws.amazon.com/eks, release calendar. Later ones are taken as supported."""
UNITS = {"new_connections": 100, "active_connections": 3000, "rule_evaluations": 1000}
"""How many make one capacity unit, as Infracost counts the figures of its usage files."""
TITLES = {"application": "Application load balancer", "network": "Network load balancer",
          "gateway": "Gateway load balancer"}  # fmt: skip


def eks_cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    ends = EKS_STANDARD_SUPPORT_ENDS.get(resource.text("version"))
    if ends is not None and ends < desk.today:
        return Part(
            resource.address,
            (desk.hours("EKS cluster (extended support)", "eks/cluster.extended", resource.region),),
        )
    return Part(resource.address, (desk.hours("EKS cluster", "eks/cluster", resource.region),))


def eks_fargate_profile(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """A profile runs pods of any size: shown is one vCPU and one GB all month."""
    line = desk.line
    return Part(
        resource.address,
        (
            line("Per GB per hour", "GB", HOURS, "fargate/memory", resource.region, per=HOURS),
            line("Per vCPU per hour", "CPU", HOURS, "fargate/cpu", resource.region, per=HOURS),
        ),
    )


def nat_gateway(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    processed = usage.number("monthly_data_processed_gb")
    return Part(
        resource.address,
        (
            desk.hours("NAT gateway", "vpc/nat.hour", resource.region),
            desk.line("Data processed", "GB", processed, "vpc/nat.processed", resource.region, is_usage=True),
        ),
    )


def load_balancer(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    kind = resource.text("load_balancer_type", "application").lower()
    title = TITLES.get(kind, "Load balancer")
    return Part(
        resource.address,
        (
            desk.hours(title, f"elb/{kind}.hour", resource.region),
            desk.line(
                "Load balancer capacity units", "LCU", _unit_hours(kind, usage), f"elb/{kind}.unit", resource.region,
                per=HOURS, is_usage=True,
            ),
        ),
    )  # fmt: skip


def _unit_hours(kind: str, usage: Amounts) -> Decimal | None:
    """Capacity units times hours of a month: `capacity_units`, an average, where that is stated.

    Else what makes the most of them. Gigabytes are the month's, and one makes a unit for an hour. A usage file's
    connections and evaluations are taken as Infracost takes them, whose figures the file's form is defined by: less
    than AWS would count for so many a second.
    """
    average = usage.number("capacity_units")
    if average is not None:
        return average * HOURS
    keys = UNITS if kind == "application" else [key for key in UNITS if key != "rule_evaluations"]
    units = [found / UNITS[key] for key in keys if (found := usage.number(key)) is not None]
    if (gigabytes := usage.number("processed_bytes_gb")) is not None:
        units.append(gigabytes)
    return max(units) if units else None


def classic_load_balancer(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    processed = usage.number("monthly_data_processed_gb")
    return Part(
        resource.address,
        (
            desk.hours("Classic load balancer", "elb/classic.hour", resource.region),
            desk.line("Data processed", "GB", processed, "elb/classic.processed", resource.region, is_usage=True),
        ),
    )


def elastic_ip(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Since February 2024 a public IPv4 address costs the same whether it is in use or not. One of the customer's
    own pool costs nothing."""
    if resource.has("customer_owned_ipv4_pool") or resource.has("public_ipv4_pool"):
        return None
    used = "IP address (in use)" if _is_used(desk, resource) else "IP address (if unused)"
    return Part(resource.address, (desk.hours(used, "vpc/ipv4.hour", resource.region),))


def _is_used(desk: Desk, address: Resource) -> bool:
    if any(address.values.get(name) is not None for name in ("instance", "network_interface")):
        return True
    return any(
        desk.resources.behind(value, ("aws_eip",)) is address
        for other in desk.resources
        if other.type in ("aws_nat_gateway", "aws_eip_association", "aws_lb", "aws_alb")
        for value in (
            other.values.get("allocation_id"),
            *(mapping.values.get("allocation_id") for mapping in other.blocks("subnet_mapping")),
        )
    )


PRICERS: dict[str, Pricer] = {
    "aws_eks_cluster": eks_cluster,
    "aws_eks_fargate_profile": eks_fargate_profile,
    "aws_nat_gateway": nat_gateway,
    "aws_lb": load_balancer,
    "aws_alb": load_balancer,
    "aws_elb": classic_load_balancer,
    "aws_eip": elastic_ip,
}
