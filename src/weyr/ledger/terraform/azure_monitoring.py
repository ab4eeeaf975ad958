"""What do Azure's logs, Sentinel, insights, alerts and action groups cost?"""

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from weyr.core.units import HOUR_S
from weyr.ledger.terraform.azure import DAYS, line, lines, part, table
from weyr.ledger.terraform.desk import HOURS, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.metered import Item
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

ITEMS: Mapping[str, tuple[Item, ...]] = {
    "azurerm_monitor_diagnostic_setting": (
        Item("Platform logs processed", "GB", "monitor/platform_logs", "monthly_platform_log_gb"),
    ),
    "azurerm_monitor_data_collection_rule": (
        Item("Metrics ingestion", "10M samples", "monitor/samples", "monthly_custom_metrics_samples", per=10_000_000),
    ),
}
LEGACY = ("unlimited", "standard", "premium", "pernode")
COMMITMENTS = (100, 200, 300, 400, 500, 1000, 2000, 5000)
RETAINED_DAYS, INSIGHTS_DAYS = 30, 90
"""What is kept so long costs no more."""
WORKSPACE = (
    Item("Log data export", "GB", "logs/export", "monthly_log_data_export_gb"),
    Item("Basic log data ingestion", "GB", "logs/basic", "monthly_basic_log_data_ingestion_gb"),
    Item("Basic log search queries", "GB searched", "logs/basic.search", "monthly_basic_log_search_gb"),
    Item("Archive data", "GB", "logs/archive", "monthly_archive_data_gb"),
    Item("Archive data restored", "GB", "logs/archive.restore", "monthly_archive_data_restored_gb"),
    Item("Archive data searched", "GB", "logs/archive.search", "monthly_archive_data_searched_gb"),
)
CONNECTORS = "azurerm_sentinel_data_connector_"
RECEIVERS = (
    ("email_receiver", "Email notifications", "emails", "email"),
    ("itsm_receiver", "ITSM connectors", "events", "itsm"),
    ("azure_app_push_receiver", "Push notifications", "notifications", "push"),
)
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
FREQUENCIES = (15, 10, 5, 1)


def workspace(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced | None:
    """What comes in costs by the GB, or by the day where so much a day is promised; Sentinel is paid beside it."""
    sku = resource.text("sku", "PerGB2018")
    if sku.lower() == "free":
        return None
    if sku.lower() in LEGACY:
        return unpriced(resource, f"no price is known for the pricing tier {sku}")
    promised = resource.number("reservation_capacity_in_gb_per_day") or resource.number(
        "reservation_capcity_in_gb_per_day"
    )
    names = [("Log data ingestion", "logs", "monthly_log_data_ingestion_gb")]
    if _feeds_sentinel(desk, resource):
        names.append(("Sentinel data ingestion", "logs", "monthly_sentinel_data_ingestion_gb"))
    found: list[Line] = []
    for name, service, key in names:
        if sku.lower() == "pergb2018":
            found.append(line(desk, resource, name, "GB", usage.number(key), f"{service}/ingestion", is_usage=True))
        elif promised:
            tier = max((each for each in COMMITMENTS if each <= promised), default=COMMITMENTS[0])
            rate = f"{service}/commitment.{tier}"
            found.append(line(desk, resource, name, f"{tier} GB (per day)", DAYS, rate))
    if (resource.number("retention_in_days") or 0) > RETAINED_DAYS:
        kept = usage.number("monthly_additional_log_data_retention_gb")
        found.append(line(desk, resource, "Log data retention", "GB", kept, "logs/retention", is_usage=True))
    return part(resource, *found, *lines(desk, resource, usage, WORKSPACE))


def _feeds_sentinel(desk: Desk, workspace: Resource) -> bool:
    """Whether a connector names the workspace, or a solution that is installed in it."""
    solutions = ("azurerm_log_analytics_solution",)
    for other in desk.resources:
        if other.type.startswith(CONNECTORS):
            at = other.values.get("log_analytics_workspace_id")
            if desk.resources.behind(at, (workspace.type,), ("id",)) is workspace:
                return True
            solution = desk.resources.behind(at, solutions, ("id", "workspace_resource_id"))
            of = solution.values.get("workspace_resource_id") if solution else None
            if desk.resources.behind(of, (workspace.type,), ("id",)) is workspace:
                return True
    return False


def insights(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    taken, days = usage.number("monthly_data_ingested_gb"), resource.number("retention_in_days") or Decimal(0)
    found = [line(desk, resource, "Data ingested", "GB", taken, "insights/ingested", is_usage=True)]
    if days > INSIGHTS_DAYS and taken is not None:
        kept = taken * (days - INSIGHTS_DAYS) / DAYS
        found.append(line(desk, resource, f"Data retention ({days} days)", "GB", kept, "insights/retention"))
    return part(resource, *found)


def web_test(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Only one of several steps costs by itself."""
    if resource.text("kind").lower() != "multistep" or not resource.flag("enabled"):
        return None
    return part(resource, line(desk, resource, "Multi-step web test", "test", 1, "insights/test.multistep"))


def standard_web_test(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    every_s = resource.number("frequency", 300) or Decimal(300)
    if not resource.flag("enabled", default=True):
        return None
    tests = HOURS * HOUR_S // every_s
    name = f"Standard web test ({every_s} second frequency)"
    return part(resource, line(desk, resource, name, "tests", tests, "insights/test"))


def metric_alert(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """By the series that it watches: the dimensions of each scope."""
    plain, moving = (_dimensions(resource, kind) for kind in ("criteria", "dynamic_criteria"))
    scopes = _scopes(resource)
    if not resource.flag("enabled", default=True) or not plain + moving:
        return None
    found = [line(desk, resource, "Metrics monitoring", "time-series", scopes * (plain + moving), "alerts/metric")]
    if moving:
        found.append(
            line(desk, resource, "Dynamic threshold monitoring", "time-series", scopes * moving, "alerts/threshold")
        )
    return part(resource, *found)


def query_alert(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """By how often it looks, and by each series more than one."""
    if not resource.flag("enabled", default=True):
        return None
    minutes, series = resource.number("frequency") or _minutes(resource.text("evaluation_frequency")), 1
    if resource.type.endswith("_v2"):
        series = _scopes(resource) * _dimensions(resource, "criteria")
    often = next((each for each in FREQUENCIES if minutes >= each), FREQUENCIES[-1])
    label = f"({often} minute frequency)"
    found = [line(desk, resource, f"Log alerts monitoring {label}", "rule", 1, f"alerts/query.{often}")]
    if series > 1:
        name, rate = f"Additional time-series monitoring {label}", f"alerts/query.{often}.series"
        found.append(line(desk, resource, name, "time-series", series - 1, rate))
    return part(resource, *found)


def _scopes(resource: Resource) -> int:
    """How many things are watched: the whole subscription where nothing is said."""
    said = resource.given("scopes")
    return len(said) if isinstance(said, list) and said else 1


def _dimensions(resource: Resource, kind: str) -> int:
    return sum(len(each.blocks("dimension")) for each in resource.blocks(kind))


def _minutes(text: str) -> int:
    """`PT5M` and `P1D`, as ISO 8601 writes durations."""
    match = DURATION.fullmatch(text)
    days, hours, minutes = (int(each or 0) for each in match.groups()) if match else (0, 0, 1)
    return days * 1440 + hours * 60 + minutes


def action_group(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Each notification goes to each receiver; what is sent to a telephone costs by its country."""
    sent, found = usage.number("monthly_notifications"), list[Line]()
    counted = [(name, unit, rate, len(resource.blocks(kind))) for kind, name, unit, rate in RECEIVERS]
    hooks = resource.blocks("webhook_receiver")
    secure = sum(each.has("aad_auth") for each in hooks)
    counted += [("Secure web hooks", "notifications", "webhook.secure", secure),
                ("Web hooks", "notifications", "webhook", len(hooks) - secure)]  # fmt: skip
    for name, unit, rate, count in counted:
        if count:
            times = None if sent is None else sent * count
            found.append(line(desk, resource, f"{name} ({count})", unit, times, f"notify/{rate}", is_usage=True))
    parts = [
        Part(title, tuple(_by_country(desk, resource, kind, unit, rate, sent)))
        for title, kind, unit, rate in (("SMS messages", "sms_receiver", "messages", "sms"),
                                        ("Voice calls", "voice_receiver", "calls", "voice"))
        if resource.blocks(kind)
    ]  # fmt: skip
    return part(resource, *found, parts=parts) if found or parts else None


def _by_country(desk: Desk, resource: Resource, kind: str, unit: str, rate: str, sent: Decimal | None) -> list[Line]:
    countries = Counter(each.text("country_code") for each in resource.blocks(kind))
    return [
        line(desk, resource, f"Country code {code} ({count})", unit, None if sent is None else sent * count,
             f"notify/{rate}.{code}", is_usage=True)
        for code, count in sorted(countries.items())
    ]  # fmt: skip


PRICERS: dict[str, Pricer] = {
    **table(ITEMS),
    "azurerm_log_analytics_workspace": workspace,
    "azurerm_application_insights": insights,
    "azurerm_application_insights_web_test": web_test,
    "azurerm_application_insights_standard_web_test": standard_web_test,
    "azurerm_monitor_metric_alert": metric_alert,
    "azurerm_monitor_scheduled_query_rules_alert": query_alert,
    "azurerm_monitor_scheduled_query_rules_alert_v2": query_alert,
    "azurerm_monitor_action_group": action_group,
}
