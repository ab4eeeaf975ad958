"""What does a quantity of a service cost in a month? A rate: tiers of exact amounts, and what is free before them.

Amounts are Decimals of USD, because a price list states them finer than a millionth; a cost is rounded once, to
integer micro-units, over the whole quantity.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from weyr.core.units import MICROS


@dataclass(frozen=True, slots=True)
class Tier:
    """`amount` USD for one unit, of whatever lies below `up_to` units of a month; None: without end."""

    amount: Decimal
    up_to: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """What a provider asks for one thing in one region.

    `name` says for what, such as `storage.standard`; `unit` is what people count in it (`GB-month`, `hour`,
    `request`). `free` is what an account has free in every month: it comes off before the tiers begin. `region` ""
    is every region. `source` and `dated` (an ISO day) tell where the amount can be looked up.
    """

    provider: str
    service: str
    region: str
    name: str
    unit: str
    tiers: tuple[Tier, ...]
    source: str
    dated: str
    free: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        assert self.tiers, "a rate has an amount; where none is known there is no rate"
        ends = [tier.up_to for tier in self.tiers]
        assert ends[-1] is None, "the last tier has no end"
        bounds = [end for end in ends[:-1] if end is not None]
        assert len(bounds) == len(ends) - 1, "only the last tier has no end"
        assert bounds == sorted(set(bounds)), "tiers rise"

    @property
    def amount(self) -> Decimal:
        """USD for one unit of the first tier: the figure that a price page shows."""
        return self.tiers[0].amount

    def cost(self, quantity: Decimal | int, *, with_free: bool = False) -> Decimal:
        """Exact USD for a month's `quantity`; `with_free`: nothing else of the account uses up the free part."""
        left_from, cost = Decimal(0), Decimal(0)
        billed = max(Decimal(0), Decimal(quantity) - (self.free if with_free else 0))
        for tier in self.tiers:
            end = billed if tier.up_to is None else min(billed, tier.up_to)
            cost += max(Decimal(0), end - left_from) * tier.amount
            left_from = end
        return cost

    def cost_micros(self, quantity: Decimal | int, *, with_free: bool = False) -> int:
        """The same in micro-units, rounded once, half up."""
        return int((self.cost(quantity, with_free=with_free) * MICROS).to_integral_value(ROUND_HALF_UP))


RateKey = tuple[str, str, str, str]
"""Provider, service, region, name."""
COLUMNS = ("provider", "service", "region", "name", "unit", "tiers", "free", "source", "dated")


def parse_rates(text: str, sources: Mapping[str, str] | None = None) -> Iterator[Rate]:
    """Reads a CSV with `COLUMNS`. `tiers` reads `0.09 to 10240; 0.085 to 51200; 0.07`, or is one amount.

    `source` is a key of `sources`, or stands for itself. Lines that begin with `#` are comments.
    """
    for row in csv.DictReader(io.StringIO(_uncommented(text))):
        yield Rate(
            provider=row["provider"],
            service=row["service"],
            region=row["region"],
            name=row["name"],
            unit=row["unit"],
            tiers=tiers_of(row["tiers"]),
            source=(sources or {}).get(row["source"], row["source"]),
            dated=row["dated"],
            free=Decimal(row["free"] or 0),
        )


def tiers_of(text: str) -> tuple[Tier, ...]:
    """`0.09 to 10240; 0.085` → the first 10,240 units at 0.09, all others at 0.085."""
    return tuple(_tier(part) for part in text.split(";"))


def _tier(part: str) -> Tier:
    amount, _, end = part.partition(" to ")
    return Tier(Decimal(amount.strip()), Decimal(end.strip()) if end else None)


def _uncommented(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def by_key(rates: Iterable[Rate]) -> dict[RateKey, Rate]:
    """The rates by what they are for; where one stands twice, the later one holds."""
    return {(rate.provider, rate.service, rate.region, rate.name): rate for rate in rates}
