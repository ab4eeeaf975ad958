"""What do Azure's event hubs, service buses, event grids, notification hubs, SignalR and IoT hubs cost?"""

from decimal import Decimal

from weyr.ledger.terraform.azure import DAYS, line, over, part, tiered
from weyr.ledger.terraform.desk import HOURS, MILLION, THOUSAND, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

RETAINED_GB = {"dedicated": 10_000, "premium": 1_000}
"""What each unit of an event hub keeps without being paid for it."""
UNITS = {"dedicated": "capacity units", "premium": "processing units"}
OPERATIONS_INCLUDED, CONNECTIONS_INCLUDED = 13_000_000, 1_000
OPERATIONS = ("13M-100M", "100M-2,500M", "over 2,500M")
CONNECTIONS = ("1K-100K", "100K-500K", "over 500K")
PUSHES_INCLUDED = 10_000_000
PUSHES = {"basic": ("over 10M",), "standard": ("10-100M", "over 100M")}
GRID_PER = 100_000


def event_hub(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    tier = "dedicated" if resource.has("dedicated_cluster_id") else resource.text("sku", "Basic").lower()
    count = usage.number("throughput_or_capacity_units") or resource.number("capacity", 1) or Decimal(1)
    name, found = tier.title(), list[Line]()
    if tier in ("basic", "standard"):
        sent = usage.number("monthly_ingress_events")
        rate = f"eventhub/{tier}.event"
        found.append(line(desk, resource, f"Ingress event ({name})", "1M events", sent, rate, MILLION, is_usage=True))
    if tier == "standard" and usage.text("capture_enabled").lower() == "true":
        found.append(line(desk, resource, "Capture", "units", count * HOURS, "eventhub/capture", HOURS))
    unit = UNITS.get(tier, "throughput units")
    found.append(line(desk, resource, f"Capacity ({name})", unit, count * HOURS, f"eventhub/{tier}.unit", HOURS))
    if tier in RETAINED_GB:
        kept = over(usage.number("retention_storage_gb"), count * RETAINED_GB[tier])
        if kept is None or kept:
            found.append(line(desk, resource, "Extended retention", "GB", kept, f"eventhub/{tier}.retention",
                              is_usage=True))  # fmt: skip
    return part(resource, *found)


def service_bus(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    tier = resource.text("sku", "Standard").lower()
    if tier == "premium":
        units = resource.number("capacity", 1) or Decimal(1)
        return part(resource, line(desk, resource, "Messaging units", "units", units * HOURS, "servicebus/premium",
                                   HOURS))  # fmt: skip
    done, kept = usage.number("monthly_messaging_operations"), usage.number("monthly_brokered_connections")
    name, unit = "Messaging operations", "1M operations"
    if tier == "basic":
        return part(resource, line(desk, resource, name, unit, done, "servicebus/basic.operation", MILLION,
                                   is_usage=True))  # fmt: skip
    operations = line(desk, resource, name, unit, over(done, OPERATIONS_INCLUDED), "servicebus/standard.operation",
                      MILLION, is_usage=True)  # fmt: skip
    connections = line(desk, resource, "Brokered connections", "connections", over(kept, CONNECTIONS_INCLUDED),
                       "servicebus/standard.connection", is_usage=True)  # fmt: skip
    base = line(desk, resource, "Base charge", "hours", HOURS, "servicebus/standard")
    return part(resource, base, *tiered(operations, OPERATIONS), *tiered(connections, CONNECTIONS))


def event_grid(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Whole hundreds of thousands only."""
    done = usage.number("monthly_operations")
    done = None if done is None else done // GRID_PER * GRID_PER
    return part(resource, line(desk, resource, "Operations", "100k operations", done, "eventgrid/operation", GRID_PER,
                               is_usage=True))  # fmt: skip


def notification_hub(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    name = resource.text("sku_name", "Basic")
    tier = name.lower()
    if tier == "free":
        return None
    base = line(desk, resource, f"Namespace usage ({name})", "months", 1, f"notifications/{tier}")
    more = over(usage.number("monthly_pushes"), PUSHES_INCLUDED)
    if more is not None and not more:
        return part(resource, base)
    pushes = line(desk, resource, "Pushes", "1M pushes", more, f"notifications/{tier}.push", MILLION, is_usage=True)
    return part(resource, base, *tiered(pushes, PUSHES.get(tier, PUSHES["standard"])))


def signals(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    sku = resource.block("sku")
    tier = sku.text("name").partition("_")[0].title()
    if tier == "Free":
        return None
    units, more = sku.number("capacity", 1) or Decimal(1), usage.number("monthly_additional_messages")
    rate, days = f"signalr/{tier.lower()}", HOURS / 24
    return part(
        resource,
        line(desk, resource, f"Service usage ({tier})", "units", units * days, f"{rate}.unit", days),
        line(desk, resource, f"Additional messages ({tier})", "1M messages", more, f"{rate}.message", MILLION,
             is_usage=True),
    )  # fmt: skip


def iot_hub(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    sku = resource.block("sku")
    if sku.text("name").upper() == "F1":
        return None
    count = sku.number("capacity", 1) or Decimal(1)
    return part(resource, line(desk, resource, "IoT Hub", "units", count, f"iothub/{sku.text('name').lower()}"))


def iot_provisioning(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    done = usage.number("monthly_operations")
    return part(resource, line(desk, resource, "Device provisioning", "1k operations", done, "iothub/provisioning",
                               THOUSAND, is_usage=True))  # fmt: skip


def configuration(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Each copy is paid for as the first; the day's first requests are in its price."""
    tier = resource.text("sku", "free").lower()
    if tier == "free":
        return None
    copies = len(resource.blocks("replica"))
    name = f"Instance ({copies} replica{'s' if copies > 1 else ''})" if copies else "Instance"
    more, count = usage.number("monthly_additional_requests"), copies + 1
    return part(
        resource,
        line(desk, resource, name, "days", DAYS * count, f"appconfiguration/{tier}", count),
        line(desk, resource, "Requests (over 200k/day per replica)", "10k requests", more,
             f"appconfiguration/{tier}.request", 10_000, is_usage=True),
    )  # fmt: skip


PRICERS: dict[str, Pricer] = {
    "azurerm_eventhub_namespace": event_hub,
    "azurerm_servicebus_namespace": service_bus,
    "azurerm_eventgrid_topic": event_grid,
    "azurerm_eventgrid_system_topic": event_grid,
    "azurerm_notification_hub_namespace": notification_hub,
    "azurerm_signalr_service": signals,
    "azurerm_iothub": iot_hub,
    "azurerm_iothub_dps": iot_provisioning,
    "azurerm_app_configuration": configuration,
}
