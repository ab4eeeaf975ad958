"""In which other ways could an object be had, and why is it not? Its markets, here and at other price books. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from weyr.core.kind import AnyKind
from weyr.core.schema import Spec
from weyr.core.units import money_text
from weyr.stack.costs import NOTHING_KNOWN, Prices, Pricing
from weyr.stack.steps import Amount, Candidate, CostLine

OTHERS_MAX, TOO_SMALL_MAX = 2, 1
"""Other price books that are told of: the cheapest of them, and one whose machine would not do."""


class Place(Prices, Protocol):
    """A price book that knows how large its machine is."""

    def fits(self, quantities: Mapping[str, int]) -> bool:
        """Whether one machine is large enough for something that uses all of these at once."""
        ...


Instead = Callable[[Sequence[CostLine], str], tuple[int, int]]
"""What an object costs with these lines, at the price book of this name, and how much more the whole plan does."""


def candidates_of(
    kind: AnyKind,
    spec: Spec,
    pricing: Pricing,
    chosen: Amount,
    others: Sequence[Place],
    instead: Instead | None = None,
    machines: Sequence[Candidate] = (),
) -> tuple[Candidate, ...]:
    """The chosen way first, then the others, the cheapest of them first; nothing where there is no choice.

    Takes: `instead`, where commitments pay for something: each way is compared by what the plan then costs; `machines`,
    ways of another sort, which come before what would not do.
    """
    pricing = replace(pricing, known=NOTHING_KNOWN)
    asked = _Asked(pricing, chosen, instead)
    markets: Mapping[str, Spec] = kind.markets(spec) if kind.markets else {}
    ours = next((word for word, variant in markets.items() if variant == spec), None)
    if ours is None or chosen.unpriced:
        return ()
    here = [*_elsewhere(markets, asked, ours)]
    there = [way for book in others for way in _at(markets, asked, book, ours)]
    cheapest = sorted(there, key=lambda way: (way.month.micros, way.name))[:OTHERS_MAX]
    small = [way for book in others for way in _too_small(markets, asked, book, ours)][:TOO_SMALL_MAX]
    first = Candidate(f"{ours} at {pricing.prices.name}", chosen, "", is_chosen=True)
    return (first, *sorted((*here, *cheapest), key=lambda way: (way.month.micros, way.name)), *machines, *small)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every way is set beside."""

    pricing: Pricing
    chosen: Amount
    instead: Instead | None

    def way(self, market: str, book: Prices, spec: Spec, why: str) -> Candidate | None:
        """One way with what it would cost, with the same figures; None where a price is not known."""
        found = replace(self.pricing, prices=book).of(spec)
        if found.month.unpriced:
            return None
        month, said = compared(found.lines, book.name, self.chosen, self.instead)
        return Candidate(f"{market} at {book.name}", month, f"{said}: {why}" if why else said)


def _elsewhere(markets: Mapping[str, Spec], asked: _Asked, ours: str) -> Iterator[Candidate]:
    """The other markets of the same book."""
    for word, variant in markets.items():
        why = f"{ours} is asked for" if ours == "spot" else f"{word} is not asked for, and may be reclaimed"
        way = asked.way(word, asked.pricing.prices, variant, why) if word != ours else None
        # Where nothing is to be had on it, such as below a floor on demand, it is no other way.
        if way is not None and way.month.micros != asked.chosen.micros:
            yield way


def _at(markets: Mapping[str, Spec], asked: _Asked, book: Place, ours: str) -> Iterator[Candidate]:
    """The same market at another book, where its machine is large enough."""
    if _fits(markets, asked, book, ours):
        way = asked.way(ours, book, markets[ours], f"price_as is {asked.pricing.prices.name}")
        yield from (way,) if way is not None else ()


def _too_small(markets: Mapping[str, Spec], asked: _Asked, book: Place, ours: str) -> Iterator[Candidate]:
    """A book whose machine is not large enough is no way, and says so."""
    way = None if _fits(markets, asked, book, ours) else asked.way(ours, book, markets[ours], "")
    if way is not None:
        yield replace(way, why="its machine is too small")


def _fits(markets: Mapping[str, Spec], asked: _Asked, book: Place, ours: str) -> bool:
    estimates = asked.pricing.kind.expected(markets[ours])
    return book.fits({line.sku: line.quantity for line in estimates})


def compared(lines: Sequence[CostLine], book: str, chosen: Amount, instead: Instead | None) -> tuple[Amount, str]:
    """What a way costs, and how that is beside the chosen one: `1.20 less`; where commitments pay, for the stack."""
    listed = sum(line.micros or 0 for line in lines)
    own, more = (listed, listed - chosen.micros) if instead is None else instead(lines, book)
    said = "costs the same" if more == 0 else f"{money_text(abs(more))} {'more' if more > 0 else 'less'}"
    unused = more - (own - chosen.micros)
    if abs(unused) * 100 > abs(own):
        figure = money_text(abs(unused))
        said += f" in all, as {figure} of commitments is for nothing then" if unused > 0 else ""
        said += f" in all, as others then use {figure} of commitments" if unused < 0 else ""
    return Amount(own), said
