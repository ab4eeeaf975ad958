"""What does it cost to bring data to where it is wanted? CloudFront, Global Accelerator, Firehose, Direct Connect.

Source: each service's page under aws.amazon.com; the keys of use are those of Infracost's usage file.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from weyr.ledger.terraform.desk import MILLION, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.resources import Resource, Unknown
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts

TEN_THOUSAND = 10_000
PATHS_FREE = Decimal(1000)
EVERYWHERE = ""
"""The region of what has one price all over the world."""
OUT_TIERS = ("first 10TB", "next 40TB", "next 100TB", "next 350TB", "next 524TB", "next 4PB", "over 5PB")
VISITORS = {
    "us": "US, Mexico, Canada",
    "europe": "Europe, Israel",
    "south_africa": "South Africa, Kenya, Middle East",
    "south_america": "South America",
    "japan": "Japan",
    "australia": "Australia, New Zealand",
    "asia_pacific": "Hong Kong, Philippines, Asia Pacific",
    "india": "India",
}
"""Where requests come from, as CloudFront's price list parts the world."""
SHIELDS = {
    "us": ("us-", "ca-"), "europe": ("eu-", "af-"), "japan": ("ap-northeast-1",), "south_korea": ("ap-northeast-2",),
    "india": ("ap-south-1", "me-south-1"), "singapore": ("ap-southeast-1", "ap-east-1"),
    "australia": ("ap-southeast-2", "ap-southeast-6"), "south_america": ("sa-",), "middle_east": ("me-central-1",),
}  # fmt: skip
CITIES = {
    "sa-east-1": "South America", "us-east-1": "US East", "us-east-2": "US East", "us-west-2": "US West",
    "ap-south-1": "Asia Pacific", "ap-northeast-1": "Asia Pacific", "ap-northeast-2": "Asia Pacific",
    "ap-southeast-1": "Asia Pacific", "ap-southeast-2": "Asia Pacific", "eu-central-1": "EU", "eu-west-1": "EU",
    "eu-west-2": "EU",
}  # fmt: skip
"""Regions that a shield may stand in, and what they are near to: the name of its line."""


def distribution(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """What leaves it by where it goes to; more of it is cheaper. What is set up beside it has lines of its own."""
    lines: list[Line] = []
    behaviors = [*resource.blocks("default_cache_behavior"), *resource.blocks("ordered_cache_behavior")]
    if any(each.has("field_level_encryption_id") for each in behaviors):
        lines.append(_counted(desk, "Field level encryption requests", "10k requests", "encryption",
                              usage.number("monthly_encryption_requests"), TEN_THOUSAND))  # fmt: skip
    if resource.block("logging_config").has("bucket"):
        logged = usage.number("monthly_log_lines")
        lines.append(_counted(desk, "Real-time log requests", "1M lines", "log", logged, MILLION))
    if resource.block("viewer_certificate").text("ssl_support_method") == "vip":
        certificates = usage.number("custom_ssl_certificates")
        count = Decimal(1) if certificates is None else certificates
        lines.append(_counted(desk, "Dedicated IP custom SSLs", "certificates", "certificate", count))
    lines += _shields(desk, resource, usage.within("monthly_shield_requests"))
    lines += _invalidations(desk, usage.number("monthly_invalidation_requests"))
    return Part(resource.address, tuple(lines), tuple(_visitors(desk, usage)))


def _invalidations(desk: Desk, paths: Decimal | None) -> list[Line]:
    free = None if paths is None else min(paths, PATHS_FREE)
    first = desk.covered("Invalidation requests (first 1k)", "paths", free, "a thousand paths of a month are free")
    lines = [replace(first, depends_on_usage=True)]
    if paths is not None and paths > PATHS_FREE:
        lines.append(_counted(desk, "Invalidation requests (over 1k)", "paths", "path", paths - PATHS_FREE))
    return lines


def _visitors(desk: Desk, usage: Amounts) -> list[Part]:
    """Each part of the world that has use; without any, the first shows what it would cost."""
    kinds = {
        "out": ("monthly_data_transfer_to_internet_gb", "Data transfer out to internet", "GB", 1),
        "origin": ("monthly_data_transfer_to_origin_gb", "Data transfer out to origin", "GB", 1),
        "http": ("monthly_http_requests", "HTTP requests", "10k requests", TEN_THOUSAND),
        "https": ("monthly_https_requests", "HTTPS requests", "10k requests", TEN_THOUSAND),
    }
    used = {kind: usage.within(key) for kind, (key, *_) in kinds.items()}
    amounts = {place: {kind: used[kind].number(place) for kind in kinds} for place in VISITORS}
    places = [place for place, of in amounts.items() if any(of.values())] or ["us"]
    return [Part(VISITORS[place], tuple(_visit(desk, place, kinds, amounts[place]))) for place in places]


def _visit(
    desk: Desk, place: str, kinds: Mapping[str, tuple[str, str, str, int]], amounts: Mapping[str, Decimal | None]
) -> list[Line]:
    lines: list[Line] = []
    for kind, (_, title, unit, per) in kinds.items():
        line = _counted(desk, title, unit, f"{kind}.{place}", amounts[kind], per)
        lines += by_tier(line, OUT_TIERS) if kind == "out" else [line]
    return lines


def _shields(desk: Desk, resource: Resource, usage: Amounts) -> list[Line]:
    """A shield before an origin is asked once more for what is not in a cache."""
    stands = [each.block("origin_shield") for each in resource.blocks("origin") if each.has("origin_shield")]
    regions = {each.text("origin_shield_region", resource.region) for each in stands if each.flag("enabled")}
    lines = []
    for region in sorted(regions):
        place = next((name for name, heads in SHIELDS.items() if region.startswith(heads)), "")
        near = f"{CITIES[region]} {region}" if region in CITIES else region
        asked = usage.number(place) if place else None
        lines.append(_counted(desk, f"Origin shield HTTP requests ({near})", "10k requests", f"shield.{place}", asked,
                              TEN_THOUSAND))  # fmt: skip
    return lines


def _counted(desk: Desk, name: str, unit: str, rate: str, quantity: Decimal | None, per: Decimal | int = 1) -> Line:
    return desk.line(name, unit, quantity, f"cloudfront/{rate}", EVERYWHERE, per=per, is_usage=True)


AREAS = {
    "us": "US, Mexico, Canada", "europe": "Europe", "south_africa": "South Africa, Kenya",
    "south_america": "South America", "south_korea": "South Korea", "middle_east": "Middle East",
    "australia": "Australia, New Zealand", "asia_pacific": "Asia Pacific",
    "india": "India, Indonesia, Philippines, Thailand",
}  # fmt: skip
"""Where users are, as Global Accelerator's price list parts the world."""
AREA_OF = {"us-": "us", "ca-": "us", "mx-": "us", "eu-": "europe", "il-": "europe", "sa-": "south_america",
           "me-": "middle_east", "af-": "south_africa", "ap-northeast-2": "south_korea",
           "ap-southeast-2": "australia", "ap-southeast-4": "australia", "ap-south-": "india",
           "ap-southeast-3": "india", "ap-": "asia_pacific"}  # fmt: skip


def accelerated(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Only the direction that more goes in is paid for, by where the users are."""
    region = resource.text("endpoint_group_region", resource.region)
    source = next((area for head, area in AREA_OF.items() if region.startswith(head)), "nowhere")
    ways = {way: usage.within(f"monthly_{way.lower()}_data_transfer_gb") for way in ("Inbound", "Outbound")}
    amounts = {way: {area: used.number(area) for area in AREAS} for way, used in ways.items()}
    sums = {way: sum((each or Decimal(0) for each in of.values()), Decimal(0)) for way, of in amounts.items()}
    way = "Outbound" if sums["Outbound"] > sums["Inbound"] else "Inbound"
    parts = [
        Part(title, (
            desk.line(f"{way} DT-premium fee", "GB", amounts[way][area] or 0,
                      f"globalaccelerator/premium.{source}.{area}", EVERYWHERE, is_usage=True),
        ))
        for area, title in AREAS.items()
        if any(of[area] for of in amounts.values())
    ]  # fmt: skip
    if not parts:
        line = desk.line(f"{way} DT-premium fee", "GB", None, f"globalaccelerator/premium.{source}.us", EVERYWHERE,
                         is_usage=True)  # fmt: skip
        parts = [Part(AREAS["us"], (line,))]
    return Part(resource.address, (), tuple(parts))


def delivery_stream(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """What is taken in; converting it and carrying it into a network of one's own cost extra."""
    region, taken = resource.region, usage.number("monthly_data_ingested_gb")
    ingested = desk.line("Data ingested", "GB", taken, "firehose/ingested", region, is_usage=True)
    lines = by_tier(ingested, ("first 500TB", "next 1.5PB", "next 3PB"))
    bucket = resource.block("extended_s3_configuration")
    formats = bucket.blocks("data_format_conversion_configuration")
    if formats and formats[0].flag("enabled", default=True):
        lines.append(desk.line("Format conversion", "GB", taken, "firehose/converted", region, is_usage=True))
    networks = [
        network
        for target in ("elasticsearch_configuration", "opensearch_configuration", "opensearchserverless_configuration")
        for network in resource.block(target).blocks("vpc_config")
    ]
    for network in networks:
        lines.append(desk.line("VPC data", "GB", taken, "firehose/vpc.data", region, is_usage=True))
        lines.append(desk.hours("VPC AZ delivery", "firehose/vpc.hour", region, _count(network.values["subnet_ids"])))
    return Part(resource.address, tuple(lines))


def _count(listed: object) -> int:
    """How many a list has, also where it is made only at the apply: then the resources that it is made of."""
    if isinstance(listed, Unknown):
        return max(1, len(listed.refs))
    return max(1, len(listed)) if isinstance(listed, list) else 1


def line_to_a_site(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Direct Connect: the port by its bandwidth, and what leaves a region through it, by region and site."""
    speed = resource.text("bandwidth").lower()
    site, kind = resource.text("location"), usage.text("dx_connection_type") or "dedicated"
    lines = [desk.hours("DX connection", f"directconnect/{kind}.{speed}", EVERYWHERE)]
    out = usage.within("monthly_outbound_from_region_to_dx_connection_location")
    leaving = {key.replace("_", "-"): out.number(key) for key in out.values}
    old = usage.number("monthly_outbound_region_to_dx_location_gb")
    if not leaving and old is not None:
        leaving = {resource.region: old}
    usage.text("dx_virtual_interface_type")  # a public one costs the same
    for region, amount in sorted(leaving.items()):
        if desk.rate("directconnect", region, f"out.{site.lower()}") is not None:
            title = f"Outbound data transfer (from {region}, to {site})"
            lines.append(desk.line(title, "GB", amount, f"directconnect/out.{site.lower()}", region, is_usage=True))
    return Part(resource.address, tuple(lines))


def gateway_to_a_site(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """At a transit gateway it pays for being attached; at a virtual private gateway nothing."""
    gateway = resource.values.get("associated_gateway_id")
    if desk.resources.behind(gateway, ("aws_vpn_gateway",), ("id",)) or str(gateway).startswith("vgw-"):
        return None
    data = usage.number("monthly_data_processed_gb")
    return Part(
        resource.address,
        (
            desk.line("Data processed", "GB", data, "vpc/transit.processed", resource.region, is_usage=True),
            desk.hours("Transit gateway attachment", "vpc/transit.hour", resource.region),
        ),
    )


PRICERS: dict[str, Pricer] = {
    "aws_cloudfront_distribution": distribution,
    "aws_globalaccelerator_endpoint_group": accelerated,
    "aws_kinesis_firehose_delivery_stream": delivery_stream,
    "aws_dx_connection": line_to_a_site,
    "aws_dx_gateway_association": gateway_to_a_site,
}
