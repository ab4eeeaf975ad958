"""What do guards, tunnels, trails and builders cost? WAF, VPN, CloudTrail, health checks, parameters and CodeBuild.

Source: each service's page under aws.amazon.com; the keys of use are those of Infracost's usage file.
"""

from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer
from weyr.ledger.terraform.lines import Part
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

PROCESSED = "monthly_data_processed_gb"
HUNDRED_THOUSAND = 100_000


def vpn_connection(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """At a transit gateway it pays for being attached, too."""
    region = resource.region
    lines = [desk.hours("VPN connection", "vpn/connection", region)]
    if resource.has("transit_gateway_id"):
        data = desk.line(
            "Data processed", "GB", usage.number(PROCESSED), "vpc/transit.processed", region, is_usage=True
        )
        lines += [desk.hours("Transit gateway attachment", "vpc/transit.hour", region), data]
    return Part(resource.address, tuple(lines))


def health_check(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """More where its usage says that the endpoint is not AWS's; an optional feature for each of four."""
    kind = resource.text("type").upper()
    place = "" if usage.text("endpoint_type") in ("", "aws") else ".elsewhere"
    features = sum((kind.startswith("HTTPS"), kind.endswith("_STR_MATCH"), resource.flag("measure_latency")))
    features += resource.text("request_interval") == "10"
    lines = [desk.line("Health check", "months", 1, f"route53/check{place}", resource.region)]
    if features and kind not in ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"):
        lines.append(desk.line("Optional features", "months", features, f"route53/feature{place}", resource.region))
    return Part(resource.address, tuple(lines))


def parameter(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Advanced ones only."""
    if resource.text("tier", "Standard").lower() != "advanced":
        return None
    asked, kept = usage.number("monthly_api_interactions"), usage.number("parameter_storage_hrs") or HOURS
    return Part(
        resource.address,
        (
            desk.line("Parameter storage (advanced)", "hours", kept, "ssm/parameter", resource.region, is_usage=True),
            desk.line("API interactions (advanced)", "10k interactions", asked, "ssm/interaction", resource.region,
                      per=10_000, is_usage=True),
        ),
    )  # fmt: skip


def build_project(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    machine = resource.block("environment")
    system = "Windows" if "WINDOWS" in machine.text("type").upper() else "Linux"
    size = machine.text("compute_type").removeprefix("BUILD_").lower().replace("_", ".")
    rate = f"codebuild/{system.lower()}.{size}"
    spent = usage.number("monthly_build_mins")
    line = desk.line(f"{system} ({size})", "minutes", spent, rate, resource.region, is_usage=True)
    return Part(resource.address, (line,))


def transfer_server(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region = resource.region
    named = resource.given("protocols", ["SFTP"])
    protocols = sorted(str(each) for each in named) if isinstance(named, list) and named else ["SFTP"]
    hours = [desk.hours(f"{each} protocol enabled", "transferfamily/hour", region) for each in protocols]
    data = [
        desk.line(f"Data {way}", "GB", usage.number(f"monthly_data_{way}_gb"), "transferfamily/data", region,
                  is_usage=True)
        for way in ("downloaded", "uploaded")
    ]  # fmt: skip
    return Part(resource.address, (*hours, *data))


def api_stage(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Only its cache costs."""
    size = resource.text("cache_cluster_size")
    if not size or not resource.flag("cache_cluster_enabled"):
        return None
    line = desk.hours(f"Cache memory ({size} GB)", f"apigateway/cache.{size}", resource.region)
    return Part(resource.address, (line,))


def firewall_rules(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """A list of rules, each rule, each group of rules and what is in it, and the requests."""
    region, asked = resource.region, usage.number("monthly_requests")
    is_new = resource.type.startswith("aws_wafv2")
    rules = resource.blocks("rule") if is_new else resource.blocks("rules")
    groups = [rule for rule in rules if _is_group(rule, "rule_group_reference_statement")]
    managed = [rule for rule in rules if _is_group(rule, "managed_rule_group_statement")] if is_new else []
    plain = len(rules) - len(groups) - len(managed)
    inside = len(groups) * (usage.number("rule_group_rules") or 0)
    inside += len(managed) * (usage.number("managed_rule_group_rules") or 0) if is_new else 0
    count = Decimal(plain) + (inside if is_new else usage.number("rule_group_rules") or 0)
    lines = [desk.line("Web ACL usage", "months", 1, "waf/list", region)]
    if count:
        lines.append(desk.line("Rules", "rules", count, "waf/rule", region))
    for title, found in (("Rule groups", groups), ("Managed rule groups", managed)):
        if found:
            lines.append(desk.line(title, "groups", len(found), "waf/rule", region, is_usage=True))
    lines.append(desk.line("Requests", "1M requests", asked, "waf/request", region, per=MILLION, is_usage=True))
    return Part(resource.address, tuple(lines))


def _is_group(rule: Resource, statement: str) -> bool:
    if rule.text("type").upper() == "GROUP":
        return statement == "rule_group_reference_statement"
    return rule.block("statement").has(statement)


def hardware_key_store(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    hours = usage.number("monthly_hrs") or HOURS
    return Part(
        resource.address, (desk.line("HSM usage", "hours", hours, "cloudhsm/hour", resource.region, is_usage=True),)
    )


def trail(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Further copies of what was managed, what was done to data, and what stands out, where it is looked for."""
    selectors = resource.blocks("event_selector")
    kinds = [("Data events", "data", "monthly_data_events")]
    if not selectors or any(each.flag("include_management_events", default=True) for each in selectors):
        title = "Management events (additional copies)"
        kinds.insert(0, (title, "management", "monthly_additional_management_events"))
    if resource.has("insight_selector") or usage.has("monthly_insight_events"):
        kinds.append(("Insight events", "insight", "monthly_insight_events"))
    lines = (
        desk.line(title, "100k events", usage.number(key), f"cloudtrail/{rate}", resource.region, per=HUNDRED_THOUSAND,
                  is_usage=True)
        for title, rate, key in kinds
    )  # fmt: skip
    return Part(resource.address, tuple(lines))


PRICERS: dict[str, Pricer] = {
    "aws_vpn_connection": vpn_connection,
    "aws_route53_health_check": health_check,
    "aws_ssm_parameter": parameter,
    "aws_codebuild_project": build_project,
    "aws_transfer_server": transfer_server,
    "aws_api_gateway_stage": api_stage,
    "aws_waf_web_acl": firewall_rules,
    "aws_wafv2_web_acl": firewall_rules,
    "aws_cloudhsm_v2_hsm": hardware_key_store,
    "aws_cloudtrail": trail,
}
