"""By which prices was a plan reckoned, and which of them are others today? The plan keeps them, whatever a list says
later: it can be priced again to the same amounts, and whoever carries it out is told what has changed. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from weyr.core.metering import Price
from weyr.ledger.prices.books import PriceBook


@dataclass(frozen=True, slots=True)
class Pin:
    """A price book as it was: its name and version, and each price in it."""

    book: str
    version: str
    prices: Mapping[str, Price]
    is_whole: bool = False
    dated: str = ""

    def as_book(self) -> PriceBook:
        """The book again: what is priced by it costs what it cost then."""
        return PriceBook(self.book, self.prices, dated=self.dated, is_whole=self.is_whole)


def pin_of(book: PriceBook) -> Pin:
    return Pin(book.name, book.version, dict(book.prices), book.is_whole, book.dated)


@dataclass(frozen=True, slots=True)
class Changed:
    """A price that is another today; None: it is not known."""

    sku: str
    was: Price | None
    now: Price | None

    def __str__(self) -> str:
        return f"{self.sku} {_part(self.was, self.now)}"


def changed_since(pin: Pin, book: PriceBook, skus: Iterable[str]) -> list[Changed]:
    """Of these SKUs, what costs something else in the book of today than when the plan was made."""
    pairs = ((sku, pin.as_book().price(sku), book.price(sku)) for sku in sorted(set(skus)))
    return [Changed(sku, was, now) for sku, was, now in pairs if was != now]


def _part(was: Price | None, now: Price | None) -> str:
    if was is None:
        return "had no known price and has one now"
    if now is None:
        return "has no known price any more"
    if not was.micros:
        return "was included and has a price now"
    more = Fraction(now.micros, now.per_quantity * now.per_s) / Fraction(was.micros, was.per_quantity * was.per_s) - 1
    return f"costs {float(abs(more)):.0%} {'more' if more > 0 else 'less'}"
