"""What do Azure's balancers, gateways, tunnels, firewalls, names and private links cost?"""

from collections.abc import Mapping
from decimal import Decimal

from weyr.ledger.terraform.azure import line, over, part, region_of, table, tiered
from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.metered import Item
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

MONTH = Decimal(1)
PROCESSED = "monthly_data_processed_gb"
BILLION = ("first 1B", "over 1B")
PETABYTES = ("first 1PB", "next 4PB", "over 5PB")
QUERIES = (Item("DNS queries", "1M queries", "dns/query", "monthly_queries", per=MILLION, tiers=BILLION),)
ZONE = (Item("Hosted zone", "months", "dns/zone", fixed=MONTH),)
RECORDS = ("a", "aaaa", "caa", "cname", "mx", "ns", "ptr", "srv", "txt")
ITEMS: Mapping[str, tuple[Item, ...]] = {
    "azurerm_nat_gateway": (
        Item("NAT gateway", "hours", "nat/hour", fixed=HOURS),
        Item("Data processed", "GB", "nat/processed", PROCESSED),
    ),
    "azurerm_public_ip_prefix": (Item("IP prefix", "hours", "ip/prefix", fixed=HOURS),),
    "azurerm_private_endpoint": (
        Item("Private endpoint", "hour", "privatelink/hour", fixed=HOURS),
        Item("Inbound data processed", "GB", "privatelink/inbound", "monthly_inbound_data_processed_gb",
             tiers=PETABYTES),
        Item("Outbound data processed", "GB", "privatelink/outbound", "monthly_outbound_data_processed_gb",
             tiers=PETABYTES),
    ),
    "azurerm_dns_zone": ZONE,
    "azurerm_private_dns_zone": ZONE,
    **{f"azurerm_{whose}dns_{kind}_record": QUERIES for whose in ("", "private_") for kind in RECORDS},
    "azurerm_private_dns_resolver_dns_forwarding_ruleset": (
        Item("Forwarding ruleset", "months", "dns/ruleset", fixed=MONTH),
    ),
    "azurerm_private_dns_resolver_inbound_endpoint": (
        Item("Inbound endpoint", "months", "dns/endpoint.inbound", fixed=MONTH),
    ),
    "azurerm_private_dns_resolver_outbound_endpoint": (
        Item("Outbound endpoint", "months", "dns/endpoint.outbound", fixed=MONTH),
    ),
    "azurerm_vpn_gateway_connection": (Item("S2S Connections", "hours", "vpn/wan.s2s.connection", fixed=HOURS),),
    "azurerm_express_route_connection": (Item("ER Connections", "hours", "expressroute/connection", fixed=HOURS),),
    "azurerm_network_ddos_protection_plan": (
        Item("DDoS Protection Plan", "hours", "ddos/plan", fixed=HOURS),
        Item("Overage charges", "resource", "ddos/resource", "overage_amount", times=HOURS, per=HOURS),
    ),
}  # fmt: skip
TUNNELS_INCLUDED = 128
CHECKS_INCLUDED, LOGS_INCLUDED_GB, TESTS_INCLUDED = 1000, 5, 10
ZONES = {
    "2": ("australiaeast", "southeastasia", "centralindia", "eastasia", "japaneast", "koreacentral", "india", "japan",
          "korea", "singapore", "japanwest", "australiasoutheast", "jioindiacentral", "koreasouth", "southindia",
          "westindia", "eastasiastage", "southeastasiastage"),
    "3": ("southafricanorth", "southafricawest", "southafrica", "uaenorth", "uaecentral", "uae", "brazilsouth",
          "brazilsoutheast", "brazil"),
}  # fmt: skip
"""Where data that leaves a network costs more; all other regions of the public cloud are zone 1.
Source: the questions at the end of azure.microsoft.com/pricing/details/virtual-network."""


def balancer(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """A basic one costs nothing."""
    if resource.text("sku", "Basic").lower() == "basic":
        return None
    carried = usage.number(PROCESSED)
    return part(resource, line(desk, resource, "Data processed", "GB", carried, "lb/processed", is_usage=True))


def balancer_rule(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    of = desk.resources.behind(resource.values.get("loadbalancer_id"), ("azurerm_lb",), ("id",))
    if of is None or of.text("sku", "Basic").lower() == "basic":
        return None
    return part(resource, line(desk, resource, "Rule usage", "hours", HOURS, "lb/rule"))


def application_gateway(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By its hours, and by capacity units, which are counted; of the first version a size has its price."""
    sku = resource.block("sku")
    kind, _, size = sku.text("name").lower().partition("_")
    least = resource.block("autoscale_configuration").number("min_capacity")
    count = sku.number("capacity") or usage.number("capacity_units") or least or Decimal(1)
    tier = "basic" if kind == "standard" else "WAF"
    if size == "v2":
        units = line(desk, resource, f"V2 capacity units ({tier})", "CU", count * HOURS,
                     f"appgateway/{tier.lower()}.v2.unit", is_usage=True)  # fmt: skip
        fixed = line(desk, resource, f"Gateway usage ({tier} v2)", "hours", HOURS, f"appgateway/{tier.lower()}.v2")
        return part(resource, fixed, units)
    rate = f"appgateway/{tier.lower()}.{size}"
    hours = line(desk, resource, f"Gateway usage ({tier}, {size})", "hours", count * HOURS, rate)
    carried = usage.number(PROCESSED)
    data = line(desk, resource, "Data processing (0-10TB)", "GB", carried, f"{rate}.processed", is_usage=True)
    return part(resource, hours, data)


def network_gateway(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """So many tunnels of people are in its price."""
    sku, users = resource.text("sku", "Basic"), over(usage.number("p2s_connection"), TUNNELS_INCLUDED)
    found = [line(desk, resource, f"VPN gateway ({sku})", "hours", HOURS, f"vpn/{sku.lower()}")]
    if users is None or users:
        tunnels = None if users is None else users * HOURS
        name = f"VPN gateway P2S tunnels (over {TUNNELS_INCLUDED})"
        found.append(line(desk, resource, name, "tunnel", tunnels, "vpn/p2s", HOURS, is_usage=True))
    sent = usage.number("monthly_data_transfer_gb")
    rate = f"vnet/between.zone{zone_of(region_of(desk, resource))}"
    # The name is spelt as Infracost spells it, so that programs that read its lines find it.
    return part(resource, *found, line(desk, resource, "VPN gateway data tranfer", "GB", sent, rate, is_usage=True))


def zone_of(region: str) -> str:
    """Which of the zones a region is in, by which data between networks is priced."""
    if region.startswith(("usgov", "china")):
        return region[:5]
    return next((zone for zone, regions in ZONES.items() if region in regions), "1")


def gateway_connection(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """A tunnel to another site; those of a basic gateway are in its price."""
    at = resource.values.get("virtual_network_gateway_id")
    gateway = desk.resources.behind(at, ("azurerm_virtual_network_gateway",), ("id",))
    sku = gateway.text("sku", "Basic") if gateway else "Basic"
    if sku.lower() == "basic" or resource.text("type").lower() != "ipsec":
        return None
    return part(resource, line(desk, resource, f"VPN gateway ({sku})", "hours", HOURS, "vpn/s2s"))


def peering(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Within a region by the GB, between regions by the zones that they are in."""
    network = ("azurerm_virtual_network",)
    source = desk.resources.behind(resource.values.get("virtual_network_name"), network, ("name",))
    remote = desk.resources.behind(resource.values.get("remote_virtual_network_id"), network, ("id", "name"))
    here, there = (region_of(desk, each) if each else "" for each in (source, remote))
    sent = usage.number("monthly_data_transfer_gb")
    found = []
    for name, region, way in (("Inbound", there, "in"), ("Outbound", here, "out")):
        rate = f"vnet/within.{way}" if here == there else f"vnet/between.zone{zone_of(region)}"
        found.append(line(desk, resource, f"{name} data transfer", "GB", sent, rate, is_usage=True))
    return part(resource, *found)


def bastion(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    sku = resource.text("sku", "Basic").lower()
    data = line(desk, resource, "Outbound data transfer", "GB", usage.number("monthly_outbound_data_gb"),
                "bastion/out", is_usage=True)  # fmt: skip
    tiers = ("first 10TB", "next 40TB", "next 100TB", "over 150TB")
    return part(resource, line(desk, resource, "Bastion host", "hours", HOURS, f"bastion/{sku}"), *tiered(data, tiers))


def firewall(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    tier = resource.text("sku_tier", "Standard").title()
    shown = tier
    if resource.blocks("virtual_hub"):
        shown = f"{tier} Secure{'' if tier == 'Standard' else 'd'} Virtual Hub"
    rate, carried = f"firewall/{tier.lower()}", usage.number(PROCESSED)
    return part(
        resource,
        line(desk, resource, f"Deployment ({shown})", "hours", HOURS, rate),
        line(desk, resource, "Data processed", "GB", carried, f"{rate}.processed", is_usage=True),
    )


def scale_units(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Of a gateway of a virtual WAN, to sites or to people."""
    way = "P2S" if "point_to_site" in resource.type else "S2S"
    count = resource.number("scale_unit", 1) or Decimal(1)
    rate = f"vpn/wan.{way.lower()}"
    found = [line(desk, resource, f"{way} scale units (500 Mbps)", "scale units", count * HOURS, rate, HOURS)]
    if way == "P2S":
        hours = usage.number("monthly_p2s_connections_hrs")
        found.append(line(desk, resource, "P2S connections", "hours", hours, f"{rate}.connection", is_usage=True))
    return part(resource, *found)


def express_route(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    count = resource.number("scale_units", 1) or Decimal(1)
    return part(
        resource,
        line(desk, resource, "ER scale units (2 Gbps)", "scale units", count * HOURS, "expressroute/unit", HOURS),
    )


def hub(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    if resource.text("sku", "Standard").lower() == "basic":
        return None
    carried = usage.number(PROCESSED)
    return part(
        resource,
        line(desk, resource, "Deployment", "hours", HOURS, "vwan/hub"),
        line(desk, resource, "Data processed", "GB", carried, "vwan/hub.processed", is_usage=True),
    )


def traffic_profile(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    if resource.text("profile_status", "Enabled").lower() != "enabled":
        return None
    asked, points = usage.number("monthly_dns_queries"), usage.number("monthly_traffic_view_data_points")
    queries = line(desk, resource, "DNS queries", "1M queries", asked, "trafficmanager/query", MILLION, is_usage=True)
    found = tiered(queries, BILLION)
    if resource.flag("traffic_view_enabled"):
        found.append(line(desk, resource, "Traffic view", "1M data points", points, "trafficmanager/point", MILLION,
                          is_usage=True))  # fmt: skip
    return part(resource, *found)


def traffic_endpoint(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Its health is looked at, which costs more of what is not in Azure, and more again where it is fast."""
    at, kinds = resource.values.get("profile_id"), ("azurerm_traffic_manager_profile",)
    profile = desk.resources.behind(at, kinds, ("id",))
    if profile and profile.text("profile_status", "Enabled").lower() != "enabled":
        return None
    region = region_of(desk, profile or resource)
    place = "Germany" if region.startswith("germany") else "Global"
    rate = f"trafficmanager/check.{'outside' if 'external' in resource.type else 'inside'}"
    found = [line(desk, profile or resource, f"Basic health check ({place})", "hours", HOURS, rate, 1)]
    often_s = profile.block("monitor_config").number("interval_in_seconds") if profile else None
    if often_s is not None and often_s < 30:
        name = f"Fast interval health checks add-on ({place})"
        found.append(line(desk, profile or resource, name, "hours", HOURS, f"{rate}.fast"))
    return part(resource, *found)


def watcher(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    done = over(usage.number("monthly_diagnostic_checks"), CHECKS_INCLUDED)
    name = f"Network diagnostic tool (over {CHECKS_INCLUDED:,} checks)"
    return part(resource, line(desk, resource, name, "checks", done, "networkwatcher/check", is_usage=True))


def flow_log(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    if not resource.flag("enabled"):
        return None
    collected, analysed = usage.number("monthly_logs_collected_gb"), resource.block("traffic_analytics")
    found: list[Line] = [
        line(desk, resource, f"Network logs collected (over {LOGS_INCLUDED_GB}GB)", "GB",
             over(collected, LOGS_INCLUDED_GB), "networkwatcher/logs", is_usage=True)
    ]  # fmt: skip
    if analysed.flag("enabled"):
        minutes = 10 if analysed.number("interval_in_minutes") == 10 else 60
        name = f"Traffic Analytics data processed ({minutes} min interval)"
        found.append(line(desk, resource, name, "GB", collected, f"networkwatcher/analysed.{minutes}", is_usage=True))
    return part(resource, *found)


def connection_monitor(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """By its tests: each source to each destination in each way."""
    count = usage.number("tests")
    if count is None:
        parts = ("source_endpoints", "destination_endpoints", "test_configuration_names")
        count = Decimal(0)
        for group in resource.blocks("test_group"):
            if group.flag("enabled", default=True):
                sizes = [len(each) if isinstance(each := group.given(name), list) else 0 for name in parts]
                count += sizes[0] * sizes[1] * sizes[2]
    more = over(count, TESTS_INCLUDED)
    if not more:
        return None
    tests = line(desk, resource, "Tests", "tests", more, "networkwatcher/test", is_usage=True)
    names = ("10-240,010", "240,010-750,010", "750,010-1,000,010", "1,000,010+")
    return part(resource, *tiered(tests, names))


PRICERS: dict[str, Pricer] = {
    **table(ITEMS),
    "azurerm_lb": balancer,
    "azurerm_lb_rule": balancer_rule,
    "azurerm_lb_outbound_rule": balancer_rule,
    "azurerm_application_gateway": application_gateway,
    "azurerm_virtual_network_gateway": network_gateway,
    "azurerm_virtual_network_gateway_connection": gateway_connection,
    "azurerm_virtual_network_peering": peering,
    "azurerm_bastion_host": bastion,
    "azurerm_firewall": firewall,
    "azurerm_vpn_gateway": scale_units,
    "azurerm_point_to_site_vpn_gateway": scale_units,
    "azurerm_express_route_gateway": express_route,
    "azurerm_virtual_hub": hub,
    "azurerm_traffic_manager_profile": traffic_profile,
    **dict.fromkeys(
        [f"azurerm_traffic_manager_{kind}_endpoint" for kind in ("azure", "external", "nested")], traffic_endpoint
    ),
    "azurerm_network_watcher": watcher,
    "azurerm_network_watcher_flow_log": flow_log,
    "azurerm_network_connection_monitor": connection_monitor,
}
