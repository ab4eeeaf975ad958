"""Whoever pays wants to know what else there was, and why it was not taken."""

from dataclasses import dataclass

from weyr.core.assumptions import NO_PAST, Assumed
from weyr.core.decision import Decision
from weyr.core.kind import Estimate, Kind, Layer
from weyr.core.schema import Spec, field
from weyr.stack.candidates import candidates_of
from weyr.stack.costs import NOTHING_KNOWN, Pricing


class CartSpec(Spec):
    spot: bool = field(False)


def estimate(spec: CartSpec, _assumed: Assumed) -> tuple[Estimate, ...]:
    return (Estimate("cart.spot" if spec.spot else "cart", 1_000_000, 1.0),)


def markets(spec: CartSpec) -> dict[str, CartSpec]:
    return {word: spec.model_copy(update={"spot": word == "spot"}) for word in ("spot", "on demand")}


CART: Kind[CartSpec, None] = Kind(
    "cart", "carts", Layer.COMPUTE, "A cart.", CartSpec, lambda _w, _v: Decision(), estimate=estimate, markets=markets
)


@dataclass(frozen=True)
class Book:
    name: str
    price: float
    spot: float | None = None
    is_large: bool = True
    currency: str = "USD"

    def monthly_micros(self, sku: str, quantity: int, hours: float, before: int = 0) -> int | None:
        price = self.spot if sku == "cart.spot" else self.price
        return None if price is None else round(quantity * hours * price)

    def beside(self, _quantities: object) -> "Book":
        return self

    def tally(self, sku: str) -> str:
        return ""

    def tiers_text(self, sku: str, used: int, before: int) -> str:
        return ""

    def fits(self, _quantities: object) -> bool:
        return self.is_large


def ways(spec: CartSpec, here: Book, *others: Book) -> list[tuple[str, bool, str]]:
    pricing = Pricing(CART, here, NOTHING_KNOWN, NO_PAST, {})
    found = candidates_of(CART, spec, pricing, pricing.of(spec).month, others)
    return [(way.name, way.is_chosen, way.why) for way in found]


def test_what_was_not_chosen_says_its_difference_and_why() -> None:
    """Cheaper and dearer ones alike: a plan that hides the cheaper one is an advertisement."""
    others = (Book("dear", 5.0), Book("cheap", 1.0), Book("small", 0.1, is_large=False), Book("unknown", 0.2, None))

    assert ways(CartSpec(), Book("here", 2.0, 0.5), *others[:3]) == [
        ("on demand at here", True, ""),
        ("spot at here", False, "1.50 less: spot is not asked for, and may be reclaimed"),
        ("on demand at cheap", False, "1.00 less: price_as is here"),
        ("on demand at dear", False, "3.00 more: price_as is here"),
        ("on demand at small", False, "its machine is too small"),
    ]
    assert ways(CartSpec(spot=True), Book("here", 2.0, 0.5), *others) == [
        ("spot at here", True, ""),
        ("on demand at here", False, "1.50 more: spot is asked for"),
    ]


def test_what_has_no_price_is_not_compared() -> None:
    """An unknown price is neither cheaper nor dearer."""
    assert ways(CartSpec(spot=True), Book("here", 2.0, None), Book("there", 1.0, 0.1)) == []
