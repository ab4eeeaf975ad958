"""What do Azure's front doors, their firewalls and its CDN cost? By the zone that what they send goes to."""

from decimal import Decimal

from weyr.ledger.terraform.azure import line, over, part, region_of, tiered
from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

ZONES = {
    "2": ("southeastasia", "eastasia", "japaneast", "japanwest", "koreacentral", "koreasouth"),
    "3": ("brazilsouth", "brazilsoutheast"),
    "4": ("australiaeast", "australiasoutheast", "australiacentral", "australiacentral2"),
    "5": ("centralindia", "southindia", "westindia", "jioindiawest", "jioindiacentral"),
}
"""All other regions are in zone 1. Source: learn.microsoft.com/azure/cdn/cdn-billing, of billing regions."""
PLACES = {
    "1": ("North America, Europe and Africa", "north_america_europe_africa"),
    "2": ("Asia Pacific (including Japan)", "asia_pacific"), "3": ("South America", "south_america"),
    "4": ("Australia", "australia"), "5": ("India", "india"), "gov": ("US Gov", "us_gov"),
}  # fmt: skip
TERABYTES = ("first 10TB", "next 40TB", "over 50TB")
SENT = ("first 10TB", "next 40TB", "next 100TB", "next 350TB", "next 500TB", "next 4000TB", "over 5000TB")
ACCELERATED = ("first 50TB", "next 100TB", "next 350TB", "next 500TB", "over 1000TB")
RULES_INCLUDED, HOSTS_INCLUDED, ENGINE_RULES_INCLUDED = 5, 100, 5


def zone_of(region: str) -> str:
    if region.startswith("usgov"):
        return "gov"
    return next((zone for zone, regions in ZONES.items() if region in regions), "1")


def front_door(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    zone = zone_of(region_of(desk, resource))
    rules = Decimal(sum(each.flag("enabled", default=True) for each in resource.blocks("routing_rule")))
    hosts = len(resource.blocks("frontend_endpoint")) - HOSTS_INCLUDED
    found: list[Line] = []
    for name, count, rate in (
        (f"first {RULES_INCLUDED} rules", min(rules, Decimal(RULES_INCLUDED)), "rule"),
        ("per additional rule", rules - RULES_INCLUDED, "rule.more"),
    ):
        if count > 0:
            found.append(line(desk, resource, f"Routing rules ({name})", "hours", count * HOURS, f"frontdoor/{rate}"))
    if hosts > 0:
        name = f"Frontend hosts (over {HOSTS_INCLUDED})"
        found.append(line(desk, resource, name, "hosts", hosts, "frontdoor/host"))
    came = usage.number("monthly_inbound_data_transfer_gb")
    found.append(line(desk, resource, "Inbound data transfer", "GB", came, f"frontdoor/in.zone{zone}", is_usage=True))
    place, key = PLACES[zone]
    went = usage.within("monthly_outbound_data_transfer_gb").number(key)
    out = line(desk, resource, place, "GB", went, f"frontdoor/out.zone{zone}", is_usage=True)
    sent = [out] if zone == "gov" else tiered(out, TERABYTES)
    return part(resource, *found, parts=[Part("Outbound data transfer", tuple(sent))])


def front_firewall(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    found = [line(desk, resource, "Policy", "months", 1, "frontdoor/waf")]
    for name, kind, unit, rate, key in (
        ("Custom rule", "custom_rule", "rules", "custom", "monthly_custom_rule_requests"),
        ("Managed ruleset", "managed_rule", "rulesets", "managed", "monthly_managed_ruleset_requests"),
    ):
        count, asked = len(resource.blocks(kind)), usage.number(key)
        found.append(line(desk, resource, f"{name}s", unit, count, f"frontdoor/waf.{rate}"))
        found.append(line(desk, resource, f"{name} requests", "1M requests", asked, f"frontdoor/waf.{rate}.request",
                          MILLION, is_usage=True))  # fmt: skip
    return part(resource, *found)


def cdn_endpoint(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """By its profile's provider. What is accelerated costs beside what is sent."""
    profile = desk.resources.behind(resource.values.get("profile_name"), ("azurerm_cdn_profile",), ("name",))
    sku = profile.text("sku") if profile else ""
    tier, _, maker = sku.partition("_")
    if not maker or sku.lower() == "standard_chinacdn":
        return unpriced(resource, f"no price is known for {sku or 'a profile that was not found'}")
    zone, sent = zone_of(region_of(desk, resource)), usage.number("monthly_outbound_gb")
    label = f"{tier} {maker}" if maker.lower() == "verizon" else maker
    rate = f"cdn/{sku.lower()}"
    data = line(desk, resource, f"Outbound data transfer ({label}, ", "GB", sent, f"{rate}.zone{zone}", is_usage=True)
    found = [_named(each) for each in tiered(data, SENT)]
    if maker.lower() == "microsoft":
        found += _engine(desk, resource, usage, rate)
    if sku.lower() in ("standard_akamai", "standard_verizon") and (
        resource.text("optimization_type").lower() == "dynamicsiteacceleration"
    ):
        fast = line(desk, resource, "Acceleration outbound data transfer", "GB", sent,
                    f"{rate}.accelerated.zone{zone}", is_usage=True)  # fmt: skip
        found += tiered(fast, ACCELERATED)
    return part(resource, *found)


def _named(each: Line) -> Line:
    """The tier stands in the same brackets as the provider."""
    return Line(
        each.name.replace(",  (", ", "),
        each.unit,
        each.quantity,
        each.rate,
        each.priced_as,
        each.per,
        each.depends_on_usage,
    )


def _engine(desk: Desk, resource: Resource, usage: Amounts, rate: str) -> list[Line]:
    rules = len(resource.blocks("global_delivery_rule")) + len(resource.blocks("delivery_rule"))
    more, found = over(Decimal(rules), ENGINE_RULES_INCLUDED), list[Line]()
    if more:
        name = f"Rules engine rules (over {ENGINE_RULES_INCLUDED})"
        found.append(line(desk, resource, name, "rules", more, f"{rate}.rule"))
    if rules:
        asked = usage.number("monthly_rules_engine_requests")
        found.append(line(desk, resource, "Rules engine requests", "1M requests", asked, f"{rate}.request", MILLION,
                          is_usage=True))  # fmt: skip
    return found


PRICERS: dict[str, Pricer] = {
    "azurerm_frontdoor": front_door,
    "azurerm_frontdoor_firewall_policy": front_firewall,
    "azurerm_cdn_endpoint": cdn_endpoint,
}
