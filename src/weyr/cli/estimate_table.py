"""How is an estimate shown to people? A tree of resources and their lines, and what it leaves out, by name."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from weyr.cli.screen import coloured
from weyr.ledger.terraform.estimate import DEFAULT_REGIONS
from weyr.ledger.terraform.lines import Estimate, Line, Part

MOST_KNOWN = {**DEFAULT_REGIONS, "azurerm": "westeurope"}
NAMES_MAX = 3
REASONS_MAX = 20
GAP = "  "
Row = tuple[str, str, str, str]


def estimate_table(estimate: Estimate) -> str:
    """The whole, ending in the total."""
    rows: list[Row] = [("name", "monthly quantity", "unit", "monthly cost")]
    for _, part in estimate.priced:
        rows += [(part.name, "", "", ""), *_within(part, ""), ("", "", "", "")]
    rows.append(("total", "", "", dollars(estimate.total)))
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    lines = [_aligned(row, widths) for row in rows]
    return "\n".join([coloured(lines[0], "title"), *lines[1:]])


def _aligned(row: Row, widths: list[int]) -> str:
    name, quantity, unit, cost = row
    cells = [name.ljust(widths[0]), quantity.rjust(widths[1]), unit.ljust(widths[2]), cost.rjust(widths[3])]
    return GAP.join(cells).rstrip()


def _within(part: Part, indent: str) -> Iterator[Row]:
    children: list[Line | Part] = [*part.lines, *part.parts]
    for child in children:
        is_last = child is children[-1]
        name = f"{indent}{'└─' if is_last else '├─'} {child.name}"
        if isinstance(child, Line):
            yield (name, *_cells(child))
        else:
            yield (name, "", "", "")
            yield from _within(child, indent + ("   " if is_last else "│  "))


def _cells(line: Line) -> tuple[str, str, str]:
    price = line.shown_price
    quantity = "" if line.shown_quantity is None else amount(line.shown_quantity)
    if price is None:
        return quantity, line.unit, "price unknown"
    if line.cost is None:
        return "by usage", line.unit, f"{unit_price(price)} each"
    return quantity, line.unit, dollars(line.cost)


def left_out(estimate: Estimate) -> list[str]:
    """What the total does not have, and what is free: sentences."""
    priced, free, unpriced = len(estimate.priced), len(estimate.free), len(estimate.unpriced)
    total = priced + free + unpriced
    lines = [f"{total} resource{'' if total == 1 else 's'}: {priced} priced, {free} free, {unpriced} not priced."]
    counted = Counter(each.why for each in estimate.unpriced)
    for why, count in list(counted.items())[:REASONS_MAX]:
        names = [each.address for each in estimate.unpriced if each.why == why]
        more = f" and {count - NAMES_MAX} more" if count > NAMES_MAX else ""
        lines.append(f"  not priced: {', '.join(names[:NAMES_MAX])}{more}: {why}")
    if len(counted) > REASONS_MAX:
        lines.append(f"  and {len(counted) - REASONS_MAX} more reasons (--json has them all)")
    for address, line in estimate.without_price[:REASONS_MAX]:
        lines.append(f"  not in the total: {address}, {line.name}: no price is known for {line.priced_as}")
    if estimate.without_price or unpriced:
        lines += _elsewhere(estimate)
    waiting = sum(any(line.quantity is None for line in part.all_lines()) for _, part in estimate.priced)
    if waiting:
        lines.append(f"{waiting} of them cost more with use that is not stated: --usage FILE")
    return [*lines, *estimate.notes]


def _elsewhere(estimate: Estimate) -> list[str]:
    """Where more prices are known, of each provider of which one is missing that is asked for elsewhere."""
    kinds = {part.name: kind for kind, part in estimate.priced}
    missing = [(kinds[address], line.priced_as) for address, line in estimate.without_price]
    missing += [(each.type, each.why) for each in estimate.unpriced]
    regions = {name: region for name, region in MOST_KNOWN.items() if _is_elsewhere(name, region, missing)}
    return [
        f"Most list prices of {name} are known for {region}: --region {region} prices everything there."
        for name, region in regions.items()
    ]


def _is_elsewhere(provider: str, region: str, missing: list[tuple[str, str]]) -> bool:
    return any(
        kind.startswith(f"{provider}_") and " in " in what and not what.endswith(f" in {region}")
        for kind, what in missing
    )


def dollars(cost: Decimal) -> str:
    return f"${cost:,.2f}"


def unit_price(price: Decimal) -> str:
    """As finely as it is set, and at least to the cent."""
    whole, _, rest = f"{price.normalize():f}".partition(".")
    return f"${whole}.{rest.ljust(2, '0')}"


def amount(quantity: Decimal) -> str:
    whole, dot, rest = f"{round(quantity, 4).normalize():f}".partition(".")
    return f"{int(whole):,}{dot}{rest}"
