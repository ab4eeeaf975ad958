"""How are prices put into words? Offers, comparisons and rates, as tables and as JSON."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from weyr.cli.screen import table
from weyr.core.diagnostic import Diagnostic
from weyr.core.units import MONTH_S
from weyr.ledger.prices import Offer, Purchase, Rate
from weyr.ledger.prices.lint import Refusal, age_text
from weyr.ledger.prices.merge import Merged
from weyr.ledger.prices.read_lists import PriceList
from weyr.ledger.prices.search import Comparison

MONTH_H = MONTH_S // 3600
UNKNOWN = "unknown"
RATES_SHOWN = 5
THOUSAND, TINY = 1000, Decimal("0.001")


def offers_table(offers: Iterable[Offer], today: date) -> str:
    """A row for each: what it is, where, what it costs for an hour, for one accelerator, for a month, and its date."""
    shown = list(offers)
    is_spot = any(offer.purchase is Purchase.SPOT for offer in shown)
    heads = ["machine", "has", "where", "USD/h", "each/h", *(["seen"] if is_spot else []), "USD/month", "dated"]
    rows = [_row(offer, is_spot, today) for offer in shown]
    return table(heads, rows, frozenset(i for i, head in enumerate(heads) if head.startswith(("USD", "each"))))


def _row(offer: Offer, is_spot: bool, today: date) -> list[str]:
    each = offer.usd_per_accelerator_hour
    return [
        f"{offer.provider} {offer.instance}",
        _has(offer),
        _where(offer),
        usd(offer.usd_per_hour),
        usd(each) if each is not None else "",
        *([_seen(offer)] if is_spot else []),
        f"{offer.usd_per_hour * MONTH_H:,.0f}",
        _dated(offer.dated, today),
    ]


def _where(offer: Offer) -> str:
    """AWS's zones are named by numbers of their own, which tell nobody where they are: `eu-north-1 eun1-az3`."""
    return offer.zone if offer.zone.startswith(offer.region) else f"{offer.region} {offer.zone}".rstrip()


def _has(offer: Offer) -> str:
    machine = offer.machine
    accelerators = f"{_number(machine.count)} x {machine.accelerator}, " if machine.accelerator else ""
    return f"{accelerators}{_number(machine.vcpus)} vCPU, {_number(machine.memory_gib)} GiB"


def _seen(offer: Offer) -> str:
    return f"{usd(offer.low)} to {usd(offer.high)}" if offer.low is not None and offer.high is not None else "once"


def offer_json(offer: Offer, today: date) -> dict[str, Any]:
    """Amounts are exact, as text; counts are numbers."""
    machine, each = offer.machine, offer.usd_per_accelerator_hour
    return {
        "provider": offer.provider,
        "instance": offer.instance,
        "vcpus": float(machine.vcpus),
        "memory_gib": float(machine.memory_gib),
        "accelerator": machine.accelerator or None,
        "count": float(machine.count),
        "region": offer.region,
        "zone": offer.zone or None,
        "purchase": offer.purchase.value,
        "usd_per_hour": _exact(offer.usd_per_hour),
        "usd_per_accelerator_hour": None if each is None else _exact(each.quantize(Decimal("0.000001"))),
        "low": None if offer.low is None else _exact(offer.low),
        "high": None if offer.high is None else _exact(offer.high),
        "source": offer.source,
        "dated": offer.dated,
        "age_days": (today - date.fromisoformat(offer.dated)).days,
        "is_stale": bool(age_text(offer.dated, today)),
    }


def comparisons_table(rows: Iterable[Comparison], today: date) -> str:
    """A row for each accelerator on each provider."""
    heads = ["what", "on", "on demand/h", "where", "spot/h", "in its zones", "saves", "1 year/h", "3 years/h", "oldest"]
    lines = [_comparison(row, today) for row in rows]
    return table(heads, lines, frozenset({2, 4, 6, 7, 8}))


def _comparison(row: Comparison, today: date) -> list[str]:
    found = row.cheapest
    on_demand, spot = found.get(Purchase.ON_DEMAND), found.get(Purchase.SPOT)
    saving = row.saving(Purchase.SPOT)
    if saving is not None and saving < 0:
        # Of few machines is spot known: that of a larger one is no answer to what this would cost.
        spot, saving = None, None
    oldest = min(offer.dated for offer in found.values())
    spread = UNKNOWN
    if spot is not None and row.spot_low is not None and row.spot_high is not None:
        count = spot.machine.count or 1
        spread = f"{_range(row.spot_low / count, row.spot_high / count)}, {spot.instance}, {spot.region}"
    return [
        row.what or (on_demand or spot or next(iter(found.values()))).instance,
        row.provider,
        _each(on_demand),
        f"{on_demand.instance}, {on_demand.region}" if on_demand else "",
        _each(spot),
        spread if spot is not None else "",
        f"{saving:.0%}" if saving is not None and saving > 0 else "",
        _each(found.get(Purchase.RESERVED_1Y)),
        _each(found.get(Purchase.RESERVED_3Y)),
        _dated(oldest, today),
    ]


def _range(low: Decimal, high: Decimal) -> str:
    return usd(low) if low == high else f"{usd(low)} to {usd(high)}"


def comparison_json(row: Comparison, today: date) -> dict[str, Any]:
    return {
        "what": row.what,
        "provider": row.provider,
        **{each.value: offer_json(row.cheapest[each], today) if each in row.cheapest else None for each in Purchase},
        "spot_low": None if row.spot_low is None else _exact(row.spot_low),
        "spot_high": None if row.spot_high is None else _exact(row.spot_high),
    }


def rates_table(rates: Iterable[Rate], today: date) -> str:
    """A row for each rate, its tiers in one cell."""
    rows = [
        [
            f"{rate.provider} {rate.service}",
            rate.region or "everywhere",
            rate.name,
            _tiers(rate),
            _dated(rate.dated, today),
        ]
        for rate in rates
    ]
    return table(["service", "where", "what", "USD", "dated"], rows)


def _tiers(rate: Rate) -> str:
    free = f"{rate.free:,f} free, then " if rate.free else ""
    # As price pages write it: nobody reads five zeros.
    is_tiny = rate.unit in ("request", "operation", "tag") and all(tier.amount < TINY for tier in rate.steps)
    many, unit = (THOUSAND, f"1,000 {rate.unit}s") if is_tiny else (1, rate.unit)
    parts = [
        f"{usd(tier.amount * many)}{f' to {tier.up_to:,f}' if tier.up_to is not None else ''}" for tier in rate.steps
    ]
    return f"{free}{', '.join(parts)} per {unit}"


def rate_json(rate: Rate, today: date) -> dict[str, Any]:
    return {
        "provider": rate.provider,
        "service": rate.service,
        "region": rate.region or None,
        "name": rate.name,
        "unit": rate.unit,
        "free": _exact(rate.free),
        "tiers": [
            {"usd": _exact(tier.amount), "up_to": None if tier.up_to is None else _exact(tier.up_to)}
            for tier in rate.steps
        ],
        "source": rate.source,
        "dated": rate.dated,
        "is_stale": bool(age_text(rate.dated, today)),
    }


def refresh_text(read: PriceList, result: Merged, version: str) -> str:
    """How a refresh went: how many prices were taken, and of the others how many for which reason, with examples."""
    lines = [f"{result.kept:,} prices were taken from {read.source}; they hold from now on, as {version}."]
    if result.refused:
        lines += ["", f"{len(result.refused):,} cannot be true and were left out; all of them are in refused.csv:"]
        lines += [f"  {count:>6,}  {rule}" for rule, count in result.report.by_rule.items()]
        lines += [f"  such as {refusal}" for refusal in _first_of_each(result.refused)]
    if result.refused_rates:
        lines += ["", f"{len(result.refused_rates):,} rates of services cannot be true and were left out:"]
        lines += [f"  {why}" for why in result.refused_rates[:RATES_SHOWN]]
    if read.left_out:
        lines += ["", f"{read.left_out.total():,} rows were not read:"]
        lines += [f"  {count:>6,}  {reason}" for reason, count in sorted(read.left_out.items())]
    return "\n".join(lines)


def _first_of_each(refused: Iterable[Refusal]) -> list[Refusal]:
    first: dict[str, Refusal] = {}
    for refusal in refused:
        first.setdefault(refusal.rule, refusal)
    return list(first.values())


def refresh_json(read: PriceList, result: Merged, version: str) -> dict[str, Any]:
    return {
        "version": version,
        "source": read.source,
        "kept": result.kept,
        "refused": [
            {"rule": each.rule, "reason": each.reason, "what": str(each), "source": each.offer.source}
            for each in result.refused
        ],
        "refused_rates": list(result.refused_rates),
        "left_out": dict(sorted(read.left_out.items())),
    }


def nothing_kept(read: PriceList, result: Merged) -> Diagnostic:
    """Why a refresh changed nothing."""
    counts = result.report.by_rule
    reasons = [f"{count:,} rows were not read: {reason}" for reason, count in sorted(read.left_out.items())]
    reasons += [f"{counts[one.rule]:,} refused, {one.rule}: {one}" for one in _first_of_each(result.refused)]
    reasons += result.refused_rates[:RATES_SHOWN]
    source = read.source or "The list"
    detail = f"{source} holds no price that could be taken; the prices that held before still hold."
    return Diagnostic("No prices were read", "\n".join([detail, *(f"  {reason}" for reason in reasons)]))


def usd(amount: Decimal) -> str:
    """Two places above a dollar, four below, all of them where it is tiny."""
    if amount >= 1:
        return f"{amount:,.2f}"
    return f"{amount:.4f}" if amount >= Decimal("0.001") else _exact(amount)


def _each(offer: Offer | None) -> str:
    if offer is None:
        return UNKNOWN
    each = offer.usd_per_accelerator_hour
    return usd(offer.usd_per_hour if each is None else each)


def _dated(dated: str, today: date) -> str:
    age = age_text(dated, today)
    return f"{dated}, {age}" if age else dated


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _exact(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
