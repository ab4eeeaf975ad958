"""Would it pay to commit? Break-even from one's own past, hour by hour. Pure.

A commitment pays a fixed amount each hour, used or not, for on-demand use at a discount. Of use that varies only the
part that is there most of the time is worth it: committing to one more unit pays exactly where the share of hours that
use it is above `1 - discount`. So the best commitment is a quantile of the hours, and no search is needed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weyr.core.metering import Meter
from weyr.core.units import HOUR_S
from weyr.ledger.prices import CPU, Offer, PriceBook, Purchase

WHOLE = 1000
HOUR_MS = HOUR_S * 1000


@dataclass(frozen=True, slots=True)
class Terms:
    """What is offered: `discount_milli` thousandths off what it covers, for `months`. `source` says whose price it is,
    with its date."""

    name: str
    discount_milli: int
    months: int
    source: str = ""

    def __post_init__(self) -> None:
        assert 0 < self.discount_milli < WHOLE, "a discount is more than nothing and less than everything"


@dataclass(frozen=True, slots=True)
class BestCommitment:
    """`covered_micros_per_hour` of on-demand use at `paid_micros_per_hour`; `saved_micros` in the hours looked at.

    `needed_milli` is the share of hours that have to use it for it to pay, `used_milli` the share that did.
    """

    terms: Terms
    covered_micros_per_hour: int
    paid_micros_per_hour: int
    saved_micros: int
    hours: int
    needed_milli: int
    used_milli: int


def best_commitment(hourly: Sequence[int], terms: Terms) -> BestCommitment | None:
    """Takes on-demand micro-units of each hour, those without use too. None where no commitment would save."""
    hours = len(hourly)
    needed = WHOLE - terms.discount_milli
    falling = sorted(hourly, reverse=True)
    # The k-th largest hour is used by k hours; the last k that is not above the share needed still pays.
    least = hours * needed // WHOLE
    covered = falling[least] if least < hours else 0
    if covered <= 0:
        return None
    paid = covered * needed // WHOLE
    saved = sum(min(use, covered) for use in hourly) - paid * hours
    used = sum(use >= covered for use in hourly) * WHOLE // hours
    return BestCommitment(terms, covered, paid, saved, hours, needed, used) if saved > 0 else None


def terms_for(book: PriceBook, offers: Iterable[Offer]) -> tuple[Terms, ...]:
    """What a whole machine's book is offered for with a commitment, in the region whose price on demand is the book's.

    Empty where the book is of no machine, or nobody is known to offer it so.
    """
    price = book.prices.get(CPU)
    ours = [offer for offer in offers if f"{offer.provider}/{offer.instance}" == book.name]
    if not book.is_whole or price is None:
        return ()
    regions = {o.region for o in ours if o.purchase is Purchase.ON_DEMAND and o.micros_per_hour == price.micros}
    found = []
    for offer in ours:
        discount = WHOLE + -offer.micros_per_hour * WHOLE // price.micros if price.micros else 0
        if offer.purchase.is_commitment and offer.region in regions and 0 < discount < WHOLE:
            months = 12 if offer.purchase is Purchase.RESERVED_1Y else 36
            name = f"{book.name} for {months // 12} year{'s' * (months > 12)} in {offer.region}"
            found.append(Terms(name, discount, months, f"{offer.source}, {offer.dated}"))
    return tuple(found)


def hourly_spending(meters: Iterable[Meter], from_ms: int, hours: int) -> list[int]:
    """Micro-units of each hour since `from_ms` that these meters counted: those with a price that count by time."""
    spent = [0] * hours
    to_ms = from_ms + hours * HOUR_MS
    for meter in meters:
        if meter.price is None or meter.run_since_ms is None or not meter.quantity:
            continue
        begin = max(meter.run_since_ms, from_ms)
        end = min(to_ms if meter.until_ms is None else meter.until_ms, to_ms)
        for hour in range((begin - from_ms) // HOUR_MS, -(-(end - from_ms) // HOUR_MS)):
            starts = from_ms + hour * HOUR_MS
            within_ms = min(end, starts + HOUR_MS) - max(begin, starts)
            spent[hour] += meter.price.cost_micros(meter.quantity * max(0, within_ms))
    return spent
