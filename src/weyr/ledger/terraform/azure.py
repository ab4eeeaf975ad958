"""Where is something of Azure, and how is a table of its lines priced there?

Source of what is counted and how: the service's page under azure.microsoft.com/pricing; the keys of use are those of
Infracost's usage file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from weyr.ledger.terraform.desk import Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.metered import Item, lines_of
from weyr.ledger.terraform.resources import Resource, Resources
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts

PROVIDER = "azure"
GROUP = "azurerm_resource_group"
DAYS = Decimal(30)
"""Of a month, for what Azure prices by the day."""
DEPTH_MAX = 4


def region_of(desk: Desk, resource: Resource) -> str:
    return place_of(desk.resources, resource)


def place_of(resources: Resources, resource: Resource, depth: int = DEPTH_MAX) -> str:
    """`West Europe` is `westeurope`. What says no place is where that is which it belongs to: its account or its
    server, else its group. A region that it was given goes before: Azure's provider has none."""
    place = (resource.region or resource.text("location")).lower().replace(" ", "")
    if place or not depth:
        return place
    owners = [each for value in resource.values.values() for each in resources.meant_by(value)]
    owners.sort(key=lambda each: each.type == GROUP)
    group = resources.behind(resource.given("resource_group_name"), (GROUP,))
    for owner in (*owners, *([group] if group else [])):
        if owner is not resource and (place := place_of(resources, owner, depth - 1)):
            return place
    return ""


def lines(
    desk: Desk, resource: Resource, usage: Amounts, items: Iterable[Item], count: Decimal | int = 1, **facts: object
) -> tuple[Line, ...]:
    """The lines of a table, `count` of what is fixed. `facts` fill the braces in names and rates, as its SKU."""
    filled = [replace(i, name=i.name.format_map(facts), rate=i.rate.format_map(facts)) for i in items]
    return lines_of(filled, desk, usage, region_of(desk, resource), PROVIDER, count)


def line(
    desk: Desk, resource: Resource, name: str, unit: str, quantity: Decimal | int | None, rate: str,
    per: Decimal | int = 1, *, is_usage: bool = False,
) -> Line:  # fmt: skip
    return desk.line(
        name, unit, quantity, rate, region_of(desk, resource), per=per, is_usage=is_usage, provider=PROVIDER
    )


def part(resource: Resource, *lines: Line, parts: Iterable[Part] = ()) -> Part:
    return Part(resource.address, lines, tuple(parts))


def table(items: Mapping[str, tuple[Item, ...]]) -> dict[str, Pricer]:
    """Pricers of types whose lines need nothing of the resource but its place."""

    def priced(desk: Desk, resource: Resource, usage: Amounts) -> Part:
        return part(resource, *lines(desk, resource, usage, items[resource.type]))

    return dict.fromkeys(items, priced)


def over(amount: Decimal | None, included: Decimal | int) -> Decimal | None:
    """What goes beyond what the price includes; None stays unknown."""
    return None if amount is None else max(Decimal(0), amount - included)


def tiered(line: Line, names: Sequence[str]) -> list[Line]:
    """The line once for each tier that it reaches, as `by_tier`; where fewer tiers are known, those are all."""
    return by_tier(line, names[: len(line.rate.steps)] if line.rate else names)
