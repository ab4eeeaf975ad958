"""In which other ways could an object be had, and why is it not? Its markets, here and at other price books. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from weyr.core.kind import AnyKind
from weyr.core.schema import Spec
from weyr.core.units import money_text
from weyr.stack.costs import NOTHING_KNOWN, Prices, Pricing
from weyr.stack.steps import Amount, Candidate

OTHERS_MAX, TOO_SMALL_MAX = 3, 1
"""Other price books that are told of: the cheapest of them, and one whose machine would not do."""


class Place(Prices, Protocol):
    """A price book that knows how large its machine is."""

    def fits(self, quantities: Mapping[str, int]) -> bool:
        """Whether one machine is large enough for something that uses all of these at once."""
        ...


def candidates_of(
    kind: AnyKind, spec: Spec, pricing: Pricing, chosen: Amount, others: Sequence[Place]
) -> tuple[Candidate, ...]:
    """The chosen way first, then the others, the cheapest of them first; nothing where there is no choice."""
    markets: Mapping[str, Spec] = kind.markets(spec) if kind.markets else {}
    ours = next((word for word, variant in markets.items() if variant == spec), None)
    if ours is None or chosen.unpriced:
        return ()
    here = [*_elsewhere(markets, pricing, pricing.prices, chosen, ours)]
    there = [way for book in others for way in _at(markets, pricing, book, chosen, ours)]
    cheapest = sorted(there, key=lambda way: (way.month.micros, way.name))[:OTHERS_MAX]
    small = [way for book in others for way in _too_small(markets, pricing, book, ours)][:TOO_SMALL_MAX]
    first = Candidate(f"{ours} at {pricing.prices.name}", chosen, "", is_chosen=True)
    return (first, *sorted((*here, *cheapest), key=lambda way: (way.month.micros, way.name)), *small)


def _elsewhere(
    markets: Mapping[str, Spec], pricing: Pricing, book: Prices, chosen: Amount, ours: str
) -> Iterator[Candidate]:
    """The other markets of the same book."""
    for word, variant in markets.items():
        month = _month(pricing, book, variant)
        # Where nothing is to be had on it, such as below a floor on demand, it is no other way.
        if word != ours and month is not None and month.micros != chosen.micros:
            why = f"{ours} is asked for" if ours == "spot" else f"{word} is not asked for, and may be reclaimed"
            yield Candidate(f"{word} at {book.name}", month, f"{_beside(month, chosen)}: {why}")


def _at(markets: Mapping[str, Spec], pricing: Pricing, book: Place, chosen: Amount, ours: str) -> Iterator[Candidate]:
    """The same market at another book, where its machine is large enough."""
    estimates = pricing.kind.expected(markets[ours])
    quantities = {line.sku: line.quantity for line in estimates}
    month = _month(pricing, book, markets[ours]) if book.fits(quantities) else None
    if month is not None:
        why = f"price_as is {pricing.prices.name}"
        yield Candidate(f"{ours} at {book.name}", month, f"{_beside(month, chosen)}: {why}")


def _too_small(markets: Mapping[str, Spec], pricing: Pricing, book: Place, ours: str) -> Iterator[Candidate]:
    """A book whose machine is not large enough is no way, and says so."""
    estimates = pricing.kind.expected(markets[ours])
    month = None if book.fits({line.sku: line.quantity for line in estimates}) else _month(pricing, book, markets[ours])
    if month is not None:
        yield Candidate(f"{ours} at {book.name}", month, "its machine is too small")


def _month(pricing: Pricing, book: Prices, spec: Spec) -> Amount | None:
    """What it would cost there with the same figures; None where a price is not known."""
    month = replace(pricing, prices=book, known=NOTHING_KNOWN).of(spec).month
    return None if month.unpriced else Amount(month.micros)


def _beside(month: Amount, chosen: Amount) -> str:
    more = month.micros - chosen.micros
    if more == 0:
        return "costs the same"
    return f"{money_text(abs(more))} {'more' if more > 0 else 'less'}"
