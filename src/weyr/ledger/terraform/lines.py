"""What does a priced resource consist of? Lines, each a quantity at a rate, and parts that group them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from weyr.ledger.prices.rates import Rate


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that costs. `quantity` counts the rate's own units in a month; None: it depends on usage that nobody
    stated. `per`: how many of them are in one `unit`, in which people read the quantity. `rate` None: no price is
    known, and `priced_as` says for what."""

    name: str
    unit: str
    quantity: Decimal | None
    rate: Rate | None
    priced_as: str
    per: Decimal = Decimal(1)
    depends_on_usage: bool = False
    free: Decimal = Decimal(0)
    """How much of the quantity the account's monthly allowance takes; it costs nothing."""

    @property
    def shown_quantity(self) -> Decimal | None:
        return None if self.quantity is None else self.quantity / self.per

    @property
    def shown_price(self) -> Decimal | None:
        return None if self.rate is None else self.rate.amount * self.per

    @property
    def cost(self) -> Decimal | None:
        """Exact USD of a month; None where the price or the quantity is not known."""
        if self.rate is None or self.quantity is None:
            return None
        return self.rate.cost(self.quantity - self.free)


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that belong together, as a volume's of an instance, or a storage class's of a bucket."""

    name: str
    lines: tuple[Line, ...] = ()
    parts: tuple["Part", ...] = ()

    def all_lines(self) -> Iterator[Line]:
        yield from self.lines
        for part in self.parts:
            yield from part.all_lines()

    def cost(self) -> Decimal | None:
        """What is known of it; None where nothing is."""
        known = [cost for line in self.all_lines() if (cost := line.cost) is not None]
        return sum(known, Decimal(0)) if known else None

    def times(self, count: Decimal, name: str = "") -> "Part":
        """The same `count` times."""
        lines = tuple(_times(line, count) for line in self.lines)
        return Part(name or self.name, lines, tuple(part.times(count) for part in self.parts))


def _times(line: Line, count: Decimal) -> Line:
    quantity = None if line.quantity is None else line.quantity * count
    return Line(line.name, line.unit, quantity, line.rate, line.priced_as, line.per, line.depends_on_usage)


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A resource that is not priced, and why."""

    address: str
    type: str
    why: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """The whole: what is priced by address, what is free, and what nobody here has a price for."""

    priced: tuple[tuple[str, Part], ...]
    """The resource's type, and the resource as a part named by its address."""
    free: tuple[tuple[str, str], ...]
    """Address and type."""
    unpriced: tuple[Unpriced, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def total(self) -> Decimal:
        """Exact USD of a month, of what is known."""
        return sum((part.cost() or Decimal(0) for _, part in self.priced), Decimal(0))

    @property
    def usage_total(self) -> Decimal:
        """The part of `total` that depends on usage."""
        return sum(
            (line.cost or Decimal(0) for _, part in self.priced for line in part.all_lines() if line.depends_on_usage),
            Decimal(0),
        )

    @property
    def without_price(self) -> tuple[tuple[str, Line], ...]:
        """Address and line of what has a quantity, and no price that is known."""
        return tuple((part.name, line) for _, part in self.priced for line in part.all_lines() if line.rate is None)
