"""How is a quantity shown that reaches several tiers? A line for each of them, so that each shows its own price."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from weyr.core.metering import Price
from weyr.ledger.prices.rates import Rate, Step, price_of
from weyr.ledger.terraform.lines import Line


def by_tier(line: Line, names: Sequence[str]) -> list[Line]:
    """The line once for each tier that its quantity reaches, `names` in their order behind its own name."""
    if line.rate is None:
        return [replace(line, name=f"{line.name} ({names[0]})")]
    lines: list[Line] = []
    start = Decimal(0)
    for tier, name in zip(line.rate.steps, names, strict=True):
        end = tier.up_to
        reached = None if line.quantity is None else max(Decimal(0), min(line.quantity, end or line.quantity) - start)
        if not lines or reached:
            rate = replace(line.rate, price=_of_tier(line.rate, tier))
            lines.append(replace(line, name=f"{line.name} ({name})", quantity=reached, rate=rate))
        start = end or start
    return lines


def _of_tier(rate: Rate, tier: Step) -> Price:
    """One tier's amount for all of it, after what the account has free."""
    return price_of(f"{tier.amount:f}", rate.free, tally=rate.price.tally)
