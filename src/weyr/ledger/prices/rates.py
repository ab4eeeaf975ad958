"""What does a quantity of a service cost in a month? A rate: a price with its tiers, and where it can be looked up.

A price list states amounts finer than a millionth: they are kept as whole millionths for more than one unit. A cost is
rounded once, to integer micro-units, over the whole quantity.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from weyr.core.metering import Price, Tier
from weyr.core.units import MICROS

UNIT = 1000
"""One unit of a rate as a price counts it: for a second, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Step:
    """A tier as a price page writes it: `amount` USD for one unit, below `up_to` units; None: without end."""

    amount: Decimal
    up_to: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """What a provider asks for one thing in one region.

    `name` says for what, such as `storage.standard`; `unit` is what people count in it (`GB-month`, `hour`,
    `request`), and `price` is for so many of them, each as if it were used for a second. Its free part is what an
    account has free in every month. `region` "" is every region. `source` and `dated` (an ISO day) tell where the
    amount can be looked up.
    """

    provider: str
    service: str
    region: str
    name: str
    unit: str
    price: Price
    source: str
    dated: str

    @property
    def amount(self) -> Decimal:
        """USD for one unit of the first tier: the figure that a price page shows."""
        return self.steps[0].amount

    @property
    def free(self) -> Decimal:
        """How many units of a month cost nothing, before the tiers begin."""
        return Decimal(self.price.free) / UNIT

    @property
    def steps(self) -> tuple[Step, ...]:
        """The tiers as a price page writes them, the free part left out."""
        price = self.price
        ends = [*(Decimal(tier.above) / UNIT for tier in price.tiers), None]
        micros = [price.micros, *(tier.micros for tier in price.tiers)]
        return tuple(
            Step(Decimal(each) / (price.per_quantity * MICROS), end) for each, end in zip(micros, ends, strict=True)
        )

    def cost(self, quantity: Decimal | int, *, with_free: bool = False) -> Decimal:
        """Exact USD for a month's `quantity`; `with_free`: nothing else of the account uses up the free part."""
        used = Decimal(quantity) * UNIT + (0 if with_free else self.price.free)
        return self.price.weight(used) / (self.price.per * MICROS)

    def cost_micros(self, quantity: Decimal | int, *, with_free: bool = False) -> int:
        """The same in micro-units, rounded once, half up."""
        return int((self.cost(quantity, with_free=with_free) * MICROS).to_integral_value(ROUND_HALF_UP))


RateKey = tuple[str, str, str, str]
"""Provider, service, region, name."""
COLUMNS = ("provider", "service", "region", "name", "unit", "tiers", "free", "source", "dated")


def parse_rates(text: str, sources: Mapping[str, str] | None = None) -> Iterator[Rate]:
    """Reads a CSV with `COLUMNS`. `tiers` reads `0.09 to 10240; 0.085 to 51200; 0.07`, or is one amount.

    `region` may name several, with a space between: it costs the same there. `source` is a key of `sources`, or stands
    for itself. Lines that begin with `#` are comments.
    """
    for row in csv.DictReader(io.StringIO(_uncommented(text))):
        price = price_of(row["tiers"], row["free"], tally=f"{row['provider']} {row['service']} {row['name']}")
        source = (sources or {}).get(row["source"], row["source"])
        for region in row["region"].split(" "):
            yield Rate(row["provider"], row["service"], region, row["name"], row["unit"], price, source, row["dated"])


def price_of(text: str, free: Decimal | str = "", unit: int = 1, per_s: int = 1, tally: str = "") -> Price:
    """`0.09 to 10240; 0.085` → the first 10,240 units at 0.09, all others at 0.085, after `free` units of a month.

    `unit` is how many of what is metered are one of them, and `per_s` how long they are in use for that amount.
    """
    parts = [part.partition(" to ") for part in text.split(";")]
    amounts = [Decimal(amount.strip()) for amount, _, _ in parts]
    ends = [Decimal(end.strip()) for _, _, end in parts if end]
    assert [bool(end) for _, _, end in parts] == [True] * (len(parts) - 1) + [False], "only the last tier has no end"
    scale = _scale_of(amounts)
    micros = [int(amount * MICROS * scale) for amount in amounts]
    bounds = [int(end * unit * per_s * 1000) for end in (Decimal(free or 0), *ends)]
    tiers = tuple(Tier(above, each) for above, each in zip(bounds[1:], micros[1:], strict=True))
    is_tiered = bool(bounds[0] or tiers)
    return Price(micros[0], unit * scale, per_s, bounds[0], tiers, (tally or text) if is_tiered else "")


def flat(amount: Decimal) -> Price:
    """`amount` USD for one unit, of however many."""
    return price_of(f"{amount:f}")


def _scale_of(amounts: Iterable[Decimal]) -> int:
    """For how many units these amounts are whole millionths: a power of ten."""
    digits = [-int(amount.normalize().as_tuple().exponent) for amount in amounts]
    return int(10 ** max(0, max(digits) - 6))


def _uncommented(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def by_key(rates: Iterable[Rate]) -> dict[RateKey, Rate]:
    """The rates by what they are for; where one stands twice, the later one holds."""
    return {(rate.provider, rate.service, rate.region, rate.name): rate for rate in rates}
