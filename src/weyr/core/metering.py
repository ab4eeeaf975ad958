"""What is metered, and what is posted? The values that pass between the ledger and its store.

Amounts are integer micro-units, moments integer milliseconds of Unix time, and what was used is
quantity x milliseconds: whole numbers throughout, so that lines add up exactly.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from weyr.core.ref import Ref, ThingId
from weyr.core.units import HOUR_S

_Number = TypeVar("_Number", int, Decimal)


@dataclass(frozen=True, slots=True)
class Tier:
    """`micros` is the amount for whatever lies `above` so much, until the next tier begins."""

    above: int
    micros: int


@dataclass(frozen=True, slots=True)
class Price:
    """`micros` for `per_quantity` of a unit during `per_s` seconds.

    A tiered price depends on what was used before in the same UTC month: `free` of it costs nothing, then `micros`
    holds, and of what lies beyond what is free each of `tiers` holds from its bound on. Bounds are quantity x
    milliseconds, as what is used. `tally` names what is counted together: a provider gives its free part, and the
    lower price of much use, to an account and not to each of its objects.
    """

    micros: int
    per_quantity: int
    per_s: int
    free: int = 0
    tiers: tuple[Tier, ...] = ()
    tally: str = ""

    def __post_init__(self) -> None:
        assert self.micros >= 0, "a price is not negative"
        assert self.per_quantity > 0, "a price is for some quantity"
        assert self.per_s > 0, "a price is for some time"
        assert self.free >= 0, "what is free is some quantity, or nothing"
        bounds = [0, *(tier.above for tier in self.tiers)]
        assert bounds == sorted(set(bounds)), "tiers rise"
        assert all(tier.micros >= 0 for tier in self.tiers), "a price is not negative"
        assert self.tally or not self.is_tiered, "what is free or cheaper is so to what is counted together"

    @property
    def is_tiered(self) -> bool:
        """Whether the same use may cost another amount in the same month."""
        return bool(self.free or self.tiers)

    @property
    def per(self) -> int:
        """What `micros` are for, in quantity x milliseconds."""
        return self.per_quantity * self.per_s * 1000

    def cost_micros(self, used: int, before: int = 0) -> int:
        """What `used` (quantity x milliseconds) costs, rounded down once, over the whole of it.

        Of a tiered price, where `before` was used in the month already, rounded so that what is used one after the
        other costs as much as all of it at once. Less than nothing was used where some of it is taken back.
        """
        if not self.is_tiered:
            return used * self.micros // self.per
        return self.weight(before + used) // self.per - self.weight(before) // self.per

    def weight(self, used: _Number) -> _Number:
        """What all that is used in a month costs, times `per`: exact, in whole numbers where `used` is one."""
        paid = max(used - self.free, used * 0)
        weight, micros = paid * self.micros, self.micros
        for tier in self.tiers:
            weight += max(paid - tier.above, used * 0) * (tier.micros - micros)
            micros = tier.micros
        return weight

    def hourly_micros(self, quantity: int, before: int = 0) -> int:
        """What `quantity` costs for an hour, rounded down, where `before` was used in the month already."""
        return self.cost_micros(quantity * HOUR_S * 1000, before)


Tallied = tuple[tuple[str, int], ...]
"""What was used of what is counted together, by UTC month: (("2026-11", 5_000),)."""

Labels = tuple[tuple[str, str], ...]
"""What a cost is to be told apart by besides its object, sorted: (("model", "digits"), ("team", "vision"))."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a cost counts for: an object, with the labels that it had when it came up. `id` is the store's."""

    ref: Ref
    labels: Labels = ()
    id: int = 0


@dataclass(frozen=True, slots=True)
class Reserved:
    """What is set aside for a thing that begins; `ends`: it ends by itself, and that is all that it is to cost."""

    micros: int = 0
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Meter:
    """The running account of one thing and one SKU, at the price of the moment it was opened.

    `settled` is what was used up to `run_from_ms`; since then `quantity` has been in use until
    `until_ms`, or is still. `run_since_ms` is the engine's own record of the start, by which a run is
    told from the next one of the same thing. A counter has no `quantity`: all that it has used is in `settled`, and
    `counted` is its highest reading. `posted`, `posted_micros` and `posted_until_ms` say how
    far the journal has come and `lines` how many lines that took. `price` None: no price is known.
    `source`: whose cost this is a share of; its lines move money from there, and none is owed to anybody outside.
    `reserved` is for all of its thing's meters until that has ended. `tallied` is what the journal
    has of the price's tally, by UTC month: it is the store's, and told with every meter of a tiered price.
    `covered_micros_per_hour` is what commitments take off its price now, worked out where somebody asks for rates.
    """

    thing: ThingId
    sku: str
    book: str
    price: Price | None
    opened_ms: int
    id: int = 0
    quantity: int = 0
    run_since_ms: int | None = None
    run_from_ms: int = 0
    until_ms: int | None = None
    settled: int = 0
    posted: int = 0
    posted_micros: int = 0
    posted_until_ms: int = 0
    lines: int = 0
    counted: int = 0
    closed_ms: int | None = None
    account: int = 0
    labels: Labels = ()
    source: Account | None = None
    reserved: Reserved = Reserved()
    tallied: Tallied = ()
    covered_micros_per_hour: int = 0

    @property
    def is_running(self) -> bool:
        """Whether it counts at this moment: begun, and no end is known."""
        return self.run_since_ms is not None and self.until_ms is None and self.closed_ms is None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the journal: `micros` move from `credit` to `debit`. Never changed, never removed.

    `number` counts the lines of its meter: (meter, number) is unique, so that nothing is posted
    twice. `used` is quantity x milliseconds between `from_ms` and `to_ms`. Where a recorded end
    turns out earlier than was posted, a line runs backwards and its two accounts are swapped.
    What no meter counted was posted by somebody: `entry` is its id, `who` posted it and `note` says why. A line of a
    day whose period is closed counts for the first open day, and its `note` names the day it is of.
    """

    meter: int
    number: int
    thing: ThingId
    sku: str
    from_ms: int
    to_ms: int
    used: int
    micros: int
    debit: str
    credit: str
    day: str
    """The UTC day it counts for, such as `2026-11-22`; no line spans two days of spending."""
    entry: str = ""
    note: str = ""
    who: str = ""
    seq: int = 0
    """Its place in the journal, from 1 on; 0 before it is posted."""

    @property
    def signed_micros(self) -> int:
        """What the line adds to its own object's spending: less than nothing where it takes back what was posted."""
        return self.micros if self.debit == f"expense:{self.thing.ref.absolute}" else -self.micros
