"""What do the prices become when a list is read in? The files of a catalogue with what is new in it, and what was not
taken. Pure.

What was known before stays until something newer is known of the same machine in the same place: a list of one region
takes nothing from the others. Each spot price that was seen stays beside the former ones, so that its range grows.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from weyr.ledger.prices.catalogue import READ, Catalogue
from weyr.ledger.prices.lint import Refusal, Report, lint, lint_rates
from weyr.ledger.prices.offers import MACHINE_COLUMNS, OFFER_COLUMNS, SPOT_COLUMNS, Machine, Offer, Purchase, newest
from weyr.ledger.prices.rates import COLUMNS as RATE_COLUMNS
from weyr.ledger.prices.rates import Rate, parse_rates, price_of
from weyr.ledger.prices.read_lists import PriceList

MACHINES, OFFERS, SPOTS, RATES = (f"{kind}{READ}" for kind in ("instances", "offers", "spots", "rates"))
REFUSED = "refused.csv"
REFUSED_COLUMNS = (*OFFER_COLUMNS[:6], "rule", "reason")
SEEN_MAX = 60
"""Of a zone, so many observations are kept: two a day for a month."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The files of the new catalogue, and how it went: what was kept of the list, and what was refused of it."""

    texts: dict[str, str]
    kept: int
    refused: tuple[Refusal, ...]
    refused_rates: tuple[str, ...] = ()
    """Why rates of services were not taken, a sentence each."""

    @property
    def report(self) -> Report:
        return Report((), self.refused)


def merged(catalogue: Catalogue, read: PriceList, today: date) -> Merged:
    """Takes the list into the catalogue. The linter looks at all prices together: a spot price is judged by the price
    on demand that is known, from whichever list."""
    new = {id(offer) for offer in read.offers}
    fixed = newest((*(o for o in catalogue.all_offers if o.purchase is not Purchase.SPOT), *_fixed(read.offers)))
    spots = [offer for offer in read.offers if offer.purchase is Purchase.SPOT]
    report = lint((*fixed, *spots), today)
    kept = [offer for offer in report.kept if id(offer) in new]
    refused = tuple(refusal for refusal in report.refused if id(refusal.offer) in new)
    texts = dict(catalogue.texts)
    before = Catalogue.of(_only_read(texts))
    texts[MACHINES] = machines_csv((*before.machines.values(), *(offer.machine for offer in kept)))
    texts[OFFERS] = offers_csv(newest((*_fixed(before.all_offers), *_fixed(kept))))
    texts[SPOTS] = _spots_csv(texts.get(SPOTS, ""), [offer for offer in kept if offer.purchase is Purchase.SPOT])
    texts[REFUSED] = _refused_csv(refused)
    rates = [_with_free(catalogue, rate) for rate in read.rates if not lint_rates([rate], today)]
    texts[RATES] = rates_csv((*parse_rates(texts.get(RATES, "")), *rates))
    return Merged(texts, len(kept) + len(rates), refused, tuple(lint_rates(read.rates, today)))


def _with_free(catalogue: Catalogue, rate: Rate) -> Rate:
    """What is known to be free stays so where a list does not tell: AWS writes it beside some of its prices only."""
    known = catalogue.rate(rate.service, rate.region, rate.name, provider=rate.provider)
    if rate.free or known is None or not known.free:
        return rate
    steps = "; ".join(f"{step.amount:f}" + (f" to {step.up_to:f}" if step.up_to else "") for step in rate.steps)
    return replace(rate, price=price_of(steps, known.free, tally=known.price.tally))


def _fixed(offers: Iterable[Offer]) -> list[Offer]:
    return [offer for offer in offers if offer.purchase is not Purchase.SPOT]


def _only_read(texts: dict[str, str]) -> dict[str, str]:
    """What was read in before, without what was shipped: that keeps its own files."""
    return {name: text for name, text in texts.items() if not name.startswith(("offers", "spots")) or name == OFFERS}


def machines_csv(machines: Iterable[Machine]) -> str:
    rows = {
        (m.provider, m.instance): (
            m.provider,
            m.instance,
            _plain(m.vcpus),
            _plain(m.memory_gib),
            m.accelerator,
            _plain(m.count),
        )
        for m in machines
    }
    return _csv(MACHINE_COLUMNS, sorted(rows.values()))


def offers_csv(offers: Iterable[Offer]) -> str:
    return _csv(OFFER_COLUMNS, (_offer_row(offer) for offer in offers))


def _offer_row(offer: Offer) -> tuple[str, ...]:
    return (
        offer.provider,
        offer.instance,
        offer.region,
        offer.zone,
        offer.purchase.value,
        _plain(offer.usd_per_hour),
        "" if offer.low is None else _plain(offer.low),
        "" if offer.high is None else _plain(offer.high),
        offer.source,
        offer.dated,
    )


def rates_csv(rates: Iterable[Rate]) -> str:
    """Of each thing in each region the newest."""
    newest_of = {(r.provider, r.service, r.region, r.name): r for r in sorted(rates, key=lambda rate: rate.dated)}
    return _csv(RATE_COLUMNS, (_rate_row(rate) for _, rate in sorted(newest_of.items())))


def _rate_row(rate: Rate) -> tuple[str, ...]:
    steps = (_plain(step.amount) + (f" to {_plain(step.up_to)}" if step.up_to else "") for step in rate.steps)
    free = _plain(rate.free) if rate.free else ""
    tiers = "; ".join(steps)
    return rate.provider, rate.service, rate.region, rate.name, rate.unit, tiers, free, rate.source, rate.dated


def _spots_csv(before: str, offers: Sequence[Offer]) -> str:
    """What was seen before and what is new, once each, the latest of every zone."""
    rows = [tuple(row[name] for name in SPOT_COLUMNS) for row in csv.DictReader(io.StringIO(before))]
    rows += [(o.provider, o.instance, o.region, o.zone, _plain(o.usd_per_hour), o.source, o.dated) for o in offers]
    zones: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in dict.fromkeys(rows):
        zones.setdefault(row[:4], []).append(row)
    return _csv(SPOT_COLUMNS, (row for seen in zones.values() for row in sorted(seen, key=lambda r: r[-1])[-SEEN_MAX:]))


def _refused_csv(refused: Iterable[Refusal]) -> str:
    return _csv(REFUSED_COLUMNS, ((*_offer_row(each.offer)[:6], each.rule, each.reason) for each in refused))


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}" if amount else "0"
