"""How is an estimate written for other programs? In the shape of Infracost's JSON, so that what reads that reads this.

Amounts are decimals in text, exact. What is not known is null and never "0".
"""

from collections import Counter
from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS
from weyr.ledger.terraform.lines import Estimate, Line, Part

CURRENCY = "USD"
VERSION = "0.2"

Plain = dict[str, object]


def plain(estimate: Estimate, name: str, prices: str) -> Plain:
    """`name`: what was priced. `prices`: the version of the catalogue, which names exactly these prices."""
    resources = [{**_part(part), "resourceType": kind} for kind, part in estimate.priced]
    total, usage = estimate.total, estimate.usage_total
    breakdown: Plain = {
        "resources": resources,
        "freeResources": [{"name": address, "resourceType": kind} for address, kind in estimate.free],
        "unpricedResources": [
            {"name": each.address, "resourceType": each.type, "why": each.why} for each in estimate.unpriced
        ],
        **_totals(total, usage),
    }
    summary = _summary(estimate)
    return {
        "version": VERSION,
        "currency": CURRENCY,
        "prices": prices,
        "projects": [{"name": name, "metadata": {"path": name}, "breakdown": breakdown, "summary": summary}],
        "notes": list(estimate.notes),
        **_totals(total, usage),
        "summary": summary,
    }


def _totals(total: Decimal, usage: Decimal) -> Plain:
    return {
        "totalMonthlyCost": text(total),
        "totalHourlyCost": text(total / HOURS),
        "totalMonthlyUsageCost": text(usage),
    }


def _summary(estimate: Estimate) -> Plain:
    unpriced = Counter(each.type for each in estimate.unpriced)
    free = Counter(kind for _, kind in estimate.free)
    return {
        "totalDetectedResources": len(estimate.priced) + len(estimate.free) + len(estimate.unpriced),
        "totalSupportedResources": len(estimate.priced),
        "totalUnsupportedResources": len(estimate.unpriced),
        "totalUsageBasedResources": sum(
            any(line.depends_on_usage for line in part.all_lines()) for _, part in estimate.priced
        ),
        "totalNoPriceResources": len(estimate.free),
        "unsupportedResourceCounts": dict(sorted(unpriced.items())),
        "noPriceResourceCounts": dict(sorted(free.items())),
        "linesWithoutPrice": [
            {"resource": address, "name": line.name, "pricedAs": line.priced_as}
            for address, line in estimate.without_price
        ],
    }


def _part(part: Part) -> Plain:
    cost = part.cost()
    plain: Plain = {
        "name": part.name,
        "monthlyCost": text(cost),
        "hourlyCost": text(None if cost is None else cost / HOURS),
        "costComponents": [_line(line) for line in part.lines],
    }
    if part.parts:
        plain["subresources"] = [_part(each) for each in part.parts]
    return plain


def _line(line: Line) -> Plain:
    quantity, cost = line.shown_quantity, line.cost
    plain: Plain = {
        "name": line.name,
        "unit": line.unit,
        "hourlyQuantity": text(None if quantity is None else quantity / HOURS),
        "monthlyQuantity": text(quantity),
        "price": text(line.shown_price),
        "hourlyCost": text(None if cost is None else cost / HOURS),
        "monthlyCost": text(cost),
        "usageBased": line.depends_on_usage,
        "source": line.rate.source if line.rate else None,
        "dated": line.rate.dated if line.rate else None,
    }
    if line.free:
        plain["freeQuantity"] = text(line.free / line.per)
    return plain


def text(amount: Decimal | None) -> str | None:
    """A decimal without an exponent and without zeros at its end."""
    if amount is None:
        return None
    rounded = round(amount, 12)
    return f"{rounded.normalize():f}" if rounded else "0"
