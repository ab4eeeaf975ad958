"""What will an object cost in a month, and in one run? A kind's estimate times a price book, never a guess of a price.

An estimate is made three times: with the figures that are expected, with the lowest and with the highest, each at the
prices of that end. The expected one is reckoned by the very function with which the ledger will post it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from weyr.core.assumptions import NO_PAST, Assumption, Past
from weyr.core.decision import Spend
from weyr.core.kind import AnyKind, Estimate
from weyr.core.ref import Ref
from weyr.core.schema import Spec
from weyr.core.units import HOUR_S
from weyr.ledger.commitments import Terms
from weyr.ledger.prices.offers import Offer
from weyr.stack.stack import Figure
from weyr.stack.steps import Amount, CostLine, ObjectCost
from weyr.stack.usage import Usage

NOTHING = Amount()
RUNS = "runs"
"""What has this figure has a cost for each of them."""


class Prices(Protocol):
    """A price book, as `weyr.ledger.prices.PriceBook` is one."""

    @property
    def name(self) -> str: ...

    @property
    def currency(self) -> str: ...

    def monthly_micros(self, sku: str, quantity: int, hours: float, before: int = 0) -> int | None:
        """What `quantity` of `sku` costs for `hours` of a month in which `before` was used; None: no price is known."""
        ...

    def tally(self, sku: str) -> str:
        """What its use is counted together with in a month; "" where it costs the same however much it is."""
        ...

    def tiers_text(self, sku: str, used: int, before: int) -> str:
        """Which tiers a month's use lies in, and what else is asked for beside its price, in words."""
        ...

    def beside(self, quantities: Mapping[str, int]) -> "Prices":
        """The prices that hold for something that uses all of these at once."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a stack's cost beside its file and its prices.

    `usage` is what somebody says of it, `past` what its own meters counted. `low` and `high` are the price book as it
    may turn out at its ends, the same one where its prices are certain. `others` are books to compare it with. `spends`
    is what each budget has counted in its running period. `may_pass`: whoever asks allows it to pass its budgets.
    `prices_version` names exactly the prices that all of it is reckoned with. `offers`: machines that clouds offer, of
    which there are thousands, read where they are asked for, and those of the book's own place. `shared`: commitments
    of other stacks, as far as those leave something of them.
    """

    usage: Usage = field(default_factory=dict)
    past: Mapping[Ref, Past] = field(default_factory=dict)
    low: Prices | None = None
    high: Prices | None = None
    others: Sequence[Any] = ()
    spends: Mapping[Ref, Spend] = field(default_factory=dict)
    may_pass: bool = False
    prices_version: str = ""
    offers: Callable[[], Iterable[Offer]] = tuple
    offers_here: Callable[[], Sequence[Offer]] = tuple
    shared: Sequence[Terms] = ()


NOTHING_KNOWN = Known()


Used = Counter[str]
"""What a month's objects have used of each tally so far, quantity x milliseconds."""


@dataclass(frozen=True, slots=True)
class Months:
    """The month as it was and as it will be, object after object: what is free, or cheaper, is so once for all."""

    before: "Month" = field(default_factory=lambda: Month())
    after: "Month" = field(default_factory=lambda: Month())


@dataclass(frozen=True, slots=True)
class Month:
    """What was used of each tally by objects before this one: as expected, at least and at most."""

    expected: Used = field(default_factory=Counter)
    low: Used = field(default_factory=Counter)
    high: Used = field(default_factory=Counter)


def object_cost(
    ref: Ref,
    kind: AnyKind,
    before: Spec | None,
    after: Spec | None,
    prices: Prices,
    known: Known = NOTHING_KNOWN,
    months: Months | None = None,
) -> ObjectCost | None:
    """What one object costs before and after; None where the kind uses nothing that has a price.

    Adds to `months` what it uses of them.
    """
    if kind.estimate is None:
        return None
    months = months or Months()
    pricing = Pricing(kind, prices, known, known.past.get(ref, NO_PAST), known.usage.get(ref, {}))
    was, will_be = pricing.of(before, months.before), pricing.of(after, months.after)
    if was.month == will_be.month == NOTHING and not will_be.notes:
        return None
    return ObjectCost(
        ref,
        was.month,
        will_be.month,
        will_be.notes,
        will_be.assumptions,
        was.run,
        will_be.run,
        will_be.lines,
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an object of one spec will cost: a month, a run where it has runs, and by which lines and figures."""

    month: Amount = NOTHING
    run: Amount | None = None
    lines: tuple[CostLine, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pricing:
    """One object's kind, prices and figures; its specs may differ."""

    kind: AnyKind
    prices: Prices
    known: Known
    past: Past
    told: Mapping[str, Figure]

    def of(self, spec: Spec | None, month_so_far: Month | None = None) -> Forecast:
        """The forecast of one spec; of none, nothing. Adds to the month what it uses of it."""
        if spec is None:
            return Forecast()
        so_far = month_so_far or Month()
        assumptions = self._assumptions(spec)
        figures = {one.name: one.value for one in assumptions}
        before = so_far.expected.copy()
        lines = priced(self._estimate(spec, figures), self.prices, so_far.expected)
        if not lines:
            return Forecast()
        month = _amount(lines)
        run = None
        if RUNS in figures:
            run = _amount(priced(self._estimate(spec, {**figures, RUNS: 1.0}), self.prices, Counter()))
        return Forecast(
            self._with_ends(spec, assumptions, month, before, so_far),
            run,
            lines,
            assumptions,
            tuple(dict.fromkeys(line.note for line in lines if line.note)),
        )

    def _assumptions(self, spec: Spec) -> tuple[Assumption, ...]:
        """What a file says beats what was measured, and that what the kind would take."""
        made = self.kind.assumes(spec, self.past) if self.kind.assumes else ()
        return tuple(self.told[one.name].instead_of(one) if one.name in self.told else one for one in made)

    def _with_ends(
        self, spec: Spec, assumptions: Sequence[Assumption], month: Amount, before: Used, so_far: Month
    ) -> Amount:
        """The amount with the least and the most that it may come to, where that is not the same."""
        ends = []
        for prices, used, figures in (
            (self.known.low or self.prices, so_far.low, {one.name: one.low for one in assumptions}),
            (self.known.high or self.prices, so_far.high, {one.name: one.high for one in assumptions}),
        ):
            is_same = all(figures[one.name] == one.value for one in assumptions)
            if is_same and prices is self.prices and used == before:
                used.update({tally: most - used[tally] for tally, most in so_far.expected.items()})
                ends.append(month.micros)
            else:
                ends.append(_amount(priced(self._estimate(spec, figures), prices, used)).micros)
        least, most = min(ends[0], month.micros), max(ends[1], month.micros)
        return month if least == most else Amount(month.micros, month.unpriced, (least, most))

    def _estimate(self, spec: Spec, figures: Mapping[str, float]) -> tuple[Estimate, ...]:
        assert self.kind.estimate is not None
        estimates: tuple[Estimate, ...] = self.kind.estimate(spec, figures)
        return estimates


def priced(estimates: Iterable[Estimate], prices: Prices, used: Used) -> tuple[CostLine, ...]:
    """Each line with what it costs after what was used of the month so far; None where no price is known.

    Adds to `used`: the next line of the same tally comes after it.
    """
    listed = tuple(estimates)
    quantities: Counter[str] = Counter()
    for line in listed:
        quantities[line.sku] += line.quantity
    prices = prices.beside(quantities)
    return tuple(_line(line, prices, used) for line in listed)


def _line(line: Estimate, prices: Prices, used: Used) -> CostLine:
    before, tally = 0, prices.tally(line.sku)
    uses = line.quantity * round(line.hours_per_month * HOUR_S * 1000)
    if tally:
        before = used[tally]
        used[tally] += uses
    note = "; ".join(part for part in (line.note, prices.tiers_text(line.sku, uses, before)) if part)
    micros = prices.monthly_micros(line.sku, line.quantity, line.hours_per_month, before)
    return CostLine(line.sku, line.quantity, line.hours_per_month, micros, note, line.once_micros)


def _amount(lines: Iterable[CostLine]) -> Amount:
    listed = tuple(lines)
    unpriced = {line.sku for line in listed if line.micros is None}
    return Amount(sum(line.micros or 0 for line in listed), tuple(sorted(unpriced)))
