"""What do Azure's app services, functions, workflows, static sites and managed APIs cost?"""

import math
from decimal import Decimal

from weyr.ledger.terraform.azure import line, over, part
from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

PLANS = ("azurerm_service_plan", "azurerm_app_service_plan")
PAID_ELSEWHERE = ("ep", "ws", "y1", "fc")
"""Plans whose functions or workflows are paid for, and not the plan."""
SIZES = {1: (Decimal(1), Decimal("3.5")), 2: (Decimal(2), Decimal(7)), 3: (Decimal(4), Decimal(14))}
"""vCPUs and GB of an elastic plan or a workflow's, by the number in its name."""
MEMORY_STEP_MB, DURATION_MIN_MS = 128, 100
BANDWIDTH_INCLUDED_GB = 100
ISOLATED = ("I1", "I2", "I3")
MONTH = Decimal(1)


def _plan_line(desk: Desk, resource: Resource, size: str, count: Decimal, system: str) -> Part | None:
    kind = size.lower()
    if kind.startswith(PAID_ELSEWHERE) or kind.startswith("f") or not kind:
        return None
    if kind.startswith(("d", "shared")):
        kind, system = "shared", "windows"
    rate = f"appservice/{kind}.{system}"
    return part(resource, line(desk, resource, f"Instance usage ({size})", "hours", count * HOURS, rate))


def service_plan(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    system = "linux" if resource.text("os_type").lower() == "linux" else "windows"
    count = resource.number("worker_count", 1) or Decimal(1)
    return _plan_line(desk, resource, resource.text("sku_name"), count, system)


def old_service_plan(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    sku, kind = resource.block("sku"), resource.text("kind").lower()
    system = "windows" if kind in ("", "app", "windows") else "linux"
    return _plan_line(desk, resource, sku.text("size"), sku.number("capacity") or Decimal(1), system)


def environment(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    tier, system = resource.text("pricing_tier", "I1"), usage.text("operating_system").lower() or "linux"
    found: list[Line] = []
    if tier in ISOLATED:
        found.append(line(desk, resource, "Stamp fee", "hours", HOURS, "appservice/stamp"))
    rate = f"appservice/environment.{tier.lower()}.{system}"
    return part(resource, *found, line(desk, resource, f"Instance usage ({tier})", "hours", HOURS, rate))


def _plan_of(desk: Desk, resource: Resource) -> Resource | None:
    at = resource.values.get("service_plan_id") or resource.values.get("app_service_plan_id")
    return desk.resources.behind(at, PLANS, ("id",))


def function(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced | None:
    """On an elastic plan by its instances, on none by what runs; on a plan of machines those are paid for alone."""
    plan = _plan_of(desk, resource)
    sku = plan.block("sku") if plan else None
    size = (plan.text("sku_name") or (sku.text("size") if sku else "")).upper() if plan else ""
    is_old = plan is not None and bool(sku and sku.values)
    is_elastic = size.startswith("EP")
    if is_old and plan is not None and sku is not None:
        is_elastic &= plan.text("kind").lower() == "elastic" or sku.text("tier").lower() == "elasticpremium"
    if is_elastic:
        return _elastic(desk, resource, usage, size)
    if size.startswith("FC"):
        return unpriced(resource, f"no price is known for the plan {size}")
    if size[:1] in ("B", "S", "P", "I"):
        return None
    done, lasting_ms, memory_mb = (
        usage.number(key) for key in ("monthly_executions", "execution_duration_ms", "memory_mb")
    )
    weight = None
    if done is not None and lasting_ms is not None and memory_mb is not None:
        steps = max(1, math.ceil(memory_mb / MEMORY_STEP_MB))
        weight = done * max(lasting_ms, Decimal(DURATION_MIN_MS)) / 1000 * steps * MEMORY_STEP_MB / 1024
    return part(
        resource,
        line(desk, resource, "Execution time", "GB-seconds", weight, "functions/gb_second", is_usage=True),
        line(desk, resource, "Executions", "1M requests", done, "functions/execution", MILLION, is_usage=True),
    )


def _elastic(desk: Desk, resource: Resource, usage: Amounts, size: str) -> Part | Unpriced:
    cores, memory_gb = SIZES.get(int(size[2:]) if size[2:].isdigit() else 0, (None, None))
    if cores is None or memory_gb is None:
        return unpriced(resource, f"no price is known for the plan {size}")
    count = usage.number("instances")
    count = Decimal(1) if count is None else count
    return part(
        resource,
        line(desk, resource, f"vCPU ({size})", "vCPU", count * cores * HOURS, "functions/premium.vcpu", HOURS),
        line(desk, resource, f"Memory ({size})", "GB", count * memory_gb * HOURS, "functions/premium.memory", HOURS),
    )


def workflow(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By the size of its plan, which a usage file may say where the plan is not known."""
    plan = _plan_of(desk, resource)
    said = (plan.block("sku").text("size") or plan.text("sku_name")) if plan else ""
    size = (usage.text("sku") or said).upper()
    number = int(size[2:]) if size.startswith("WS") and size[2:].isdigit() else 0
    cores, memory_gb = SIZES.get(number, (None, None))
    shown = size if cores else "unknown SKU"
    found = [
        line(desk, resource, f"Workflow {what} ({shown})", unit, None if count is None else count * HOURS,
             f"logicapps/{rate}", HOURS)
        for what, unit, count, rate in (("vCore", "vCore", cores, "vcpu"), ("memory", "GB", memory_gb, "memory"))
    ]  # fmt: skip
    for kind in ("standard", "enterprise"):
        calls = usage.number(f"monthly_{kind}_connector_calls")
        name, rate = f"{kind.title()} connectors", f"logicapps/connector.{kind}"
        found.append(line(desk, resource, name, "calls", calls, rate, is_usage=True))
    return part(resource, *found)


def integration_account(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    sku = resource.text("sku_name")
    if sku.lower() == "free":
        return None
    rate = f"logicapps/account.{sku.lower()}"
    return part(resource, line(desk, resource, f"Integration Account ({sku})", "hours", HOURS, rate))


def integration_environment(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    kind, _, units = resource.text("sku_name", "Developer_0").partition("_")
    rate = f"logicapps/environment.{kind.lower()}"
    found = [line(desk, resource, "Base units", "hours", HOURS, rate)]
    if kind.lower() == "premium" and units.isdigit() and int(units):
        found.append(line(desk, resource, "Scale units", "hours", HOURS * int(units), f"{rate}.scale"))
    return part(resource, *found)


def static_site(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    tiers = {resource.text("sku_tier").lower(), resource.text("sku_size").lower()} - {"", "free"}
    if not tiers:
        return None
    sent = over(usage.number("monthly_bandwidth_gb"), BANDWIDTH_INCLUDED_GB)
    name = f"Bandwidth (over {BANDWIDTH_INCLUDED_GB}GB)"
    return part(
        resource,
        line(desk, resource, "Static Web App (Standard)", "months", MONTH, "staticsites/app"),
        line(desk, resource, name, "GB", sent, "staticsites/bandwidth", is_usage=True),
    )


def managed_api(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    tier, _, units = resource.text("sku_name").lower().partition("_")
    if tier == "consumption":
        calls = usage.number("monthly_api_calls")
        name = "API management (consumption)"
        return part(resource, line(desk, resource, name, "1M calls", calls, "apimanagement/call", MILLION,
                                   is_usage=True))  # fmt: skip
    if not tier or not units.isdigit():
        return unpriced(resource, f"no price is known for the size {resource.text('sku_name') or 'it has'}")
    rate = f"apimanagement/{tier}"
    found = [line(desk, resource, f"API management ({tier})", "units", int(units) * HOURS, rate, HOURS)]
    if tier == "premium":
        gateways = usage.number("self_hosted_gateway_count")
        gateways = None if gateways is None else gateways * HOURS
        found.append(line(desk, resource, "Self hosted gateway", "gateways", gateways, "apimanagement/gateway", HOURS,
                          is_usage=True))  # fmt: skip
    return part(resource, *found)


def certificate_binding(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Of a name nothing, of an address its certificate."""
    if not resource.text("ssl_state").upper().startswith("IP"):
        return None
    return part(resource, line(desk, resource, "IP SSL certificate", "months", MONTH, "appservice/ssl.ip"))


def certificate_order(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    kind = resource.text("product_type", "Standard").lower()
    months = MONTH / 12
    return part(resource, line(desk, resource, f"SSL certificate ({kind})", "years", months, f"appservice/ssl.{kind}"))


PRICERS: dict[str, Pricer] = {
    "azurerm_service_plan": service_plan,
    "azurerm_app_service_plan": old_service_plan,
    "azurerm_app_service_environment": environment,
    "azurerm_function_app": function,
    "azurerm_linux_function_app": function,
    "azurerm_windows_function_app": function,
    "azurerm_logic_app_standard": workflow,
    "azurerm_logic_app_integration_account": integration_account,
    "azurerm_integration_service_environment": integration_environment,
    "azurerm_static_site": static_site,
    "azurerm_static_web_app": static_site,
    "azurerm_api_management": managed_api,
    "azurerm_app_service_certificate_binding": certificate_binding,
    "azurerm_app_service_custom_hostname_binding": certificate_binding,
    "azurerm_app_service_certificate_order": certificate_order,
}
