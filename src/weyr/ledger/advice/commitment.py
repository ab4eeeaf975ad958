"""Would it pay to commit? Break-even from one's own past, hour by hour. Pure.

A commitment pays a fixed amount each hour, used or not, for on-demand use at a discount. Of use that varies only the
part that is there most of the time is worth it: committing to one more unit pays exactly where the share of hours that
use it is above `1 - discount`. So the best commitment is a quantile of the hours, and no search is needed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weyr.core.commitments import COVERABLE, Form
from weyr.core.metering import Meter
from weyr.core.ref import Ref
from weyr.core.units import HOUR_S, MICROS
from weyr.ledger.advice.values import Change
from weyr.ledger.prices import CPU, CURRENCY, Offer, PriceBook, Purchase

WHOLE = 1000
HOUR_MS = HOUR_S * 1000
FORMS = {"aws": Form.RESERVED_INSTANCES, "gcp": Form.COMMITTED_USE, "azure": Form.RESERVATION}
"""What machines for a term are called where they are sold."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is offered: `discount_milli` thousandths off what it covers, for `months`. `source` says whose price it is,
    with its date.

    Where machines are sold and no amount, `machine` is what one is: else any amount can be had.
    """

    name: str
    discount_milli: int
    months: int
    source: str = ""
    machine: "Sold | None" = None

    def __post_init__(self) -> None:
        assert 0 < self.discount_milli < WHOLE, "a discount is more than nothing and less than everything"


@dataclass(frozen=True, slots=True)
class Sold:
    """One machine of a price book: what it costs for an hour on demand, and with the commitment."""

    book: str
    form: Form
    on_demand_micros: int
    micros: int


@dataclass(frozen=True, slots=True)
class BestCommitment:
    """`covered_micros_per_hour` of on-demand use at `paid_micros_per_hour`; `saved_micros` in the hours looked at.

    `needed_milli` is the share of hours that have to use it for it to pay, `used_milli` the share that did.
    `machines` is how many, where machines are sold.
    """

    terms: Terms
    covered_micros_per_hour: int
    paid_micros_per_hour: int
    saved_micros: int
    hours: int
    needed_milli: int
    used_milli: int
    machines: int = 0

    def changed(self, ref: Ref, until: str) -> Change:
        """The commitment as a stack file declares it, once it was bought; its last day is the one before `until`."""
        years, sold = self.terms.months // 12, self.terms.machine
        assert sold is not None, "what is sold by the amount has no one price book"
        hourly = f"{sold.micros // MICROS}.{sold.micros % MICROS:06d}".rstrip("0").rstrip(".")
        spec = {
            "form": sold.form.value,
            "covers": [sold.book],
            "count": self.machines,
            "hourly": f"{hourly} {CURRENCY}",
            "term": f"{years}y",
            "until": until,
        }
        return Change(ref, (), spec)


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
    if terms.machine is None:
        tried = [(covered, covered * needed // WHOLE, 0)]
    else:
        # What is saved rises up to the best amount and falls beyond it: the best number is one of the two around it.
        each, fewer = terms.machine, covered // terms.machine.on_demand_micros
        tried = [(n * each.on_demand_micros, n * each.micros, n) for n in (fewer, fewer + 1) if n]
    found = [_tried(hourly, terms, needed, *amounts) for amounts in tried]
    best = max(found, key=lambda one: one.saved_micros)
    return best if best.saved_micros > 0 else None


def _tried(hourly: Sequence[int], terms: Terms, needed: int, covered: int, paid: int, machines: int) -> BestCommitment:
    hours = len(hourly)
    saved = sum(min(use, covered) for use in hourly) - paid * hours
    used = sum(use >= covered for use in hourly) * WHOLE // hours
    return BestCommitment(terms, covered, paid, saved, hours, needed, used, machines)


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
        if (
            offer.provider in FORMS
            and offer.purchase.is_commitment
            and offer.region in regions
            and 0 < discount < WHOLE
        ):
            months = 12 if offer.purchase is Purchase.RESERVED_1Y else 36
            name = f"{book.name} for {months // 12} year{'s' * (months > 12)} in {offer.region}"
            machine = Sold(book.name, FORMS[offer.provider], price.micros, offer.micros_per_hour)
            found.append(Terms(name, discount, months, f"{offer.source}, {offer.dated}", machine))
    return tuple(found)


def hourly_spending(meters: Iterable[Meter], from_ms: int, hours: int, covered_micros_per_hour: int = 0) -> list[int]:
    """Micro-units of each hour since `from_ms` that these meters counted, of what a commitment can cover: on demand, by
    time, at a known price. `covered_micros_per_hour` is covered by commitments that stand: nobody buys it twice."""
    spent = [0] * hours
    to_ms = from_ms + hours * HOUR_MS
    for meter in meters:
        if meter.price is None or meter.run_since_ms is None or not meter.quantity or meter.sku not in COVERABLE:
            continue
        begin = max(meter.run_since_ms, from_ms)
        end = min(to_ms if meter.until_ms is None else meter.until_ms, to_ms)
        for hour in range((begin - from_ms) // HOUR_MS, -(-(end - from_ms) // HOUR_MS)):
            starts = from_ms + hour * HOUR_MS
            within_ms = min(end, starts + HOUR_MS) - max(begin, starts)
            spent[hour] += meter.price.cost_micros(meter.quantity * max(0, within_ms))
    return [max(0, micros - covered_micros_per_hour) for micros in spent]
