"""What will an object cost in a month? A kind's estimate times a price book, and never a guess of a price."""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from weyr.core.kind import AnyKind
from weyr.core.ref import Ref
from weyr.core.schema import Spec
from weyr.stack.steps import Amount, ObjectCost


class Prices(Protocol):
    """A price book, as `weyr.ledger.prices.PriceBook` is one."""

    @property
    def name(self) -> str: ...

    @property
    def currency(self) -> str: ...

    def monthly_micros(self, sku: str, quantity: int, hours: float) -> int | None:
        """What `quantity` of `sku` costs for `hours` of a month; None where no price is known."""
        ...

    def beside(self, quantities: Mapping[str, int]) -> "Prices":
        """The prices that hold for something that uses all of these at once."""
        ...


def object_cost(ref: Ref, kind: AnyKind, before: Spec | None, after: Spec | None, prices: Prices) -> ObjectCost | None:
    """What one object costs before and after; None where the kind uses nothing that has a price."""
    if kind.estimate is None:
        return None
    was, _ = _amount(kind, before, prices)
    will_be, notes = _amount(kind, after, prices)
    if was == will_be == Amount() and not notes:
        return None
    return ObjectCost(ref, was, will_be, notes)


def _amount(kind: AnyKind, spec: Spec | None, prices: Prices) -> tuple[Amount, tuple[str, ...]]:
    estimates = kind.estimate(spec) if kind.estimate and spec is not None else ()
    quantities: Counter[str] = Counter()
    for line in estimates:
        quantities[line.sku] += line.quantity
    prices = prices.beside(quantities)
    micros, unpriced = 0, set()
    for line in estimates:
        cost = prices.monthly_micros(line.sku, line.quantity, line.hours_per_month)
        if cost is None:
            unpriced.add(line.sku)
        else:
            micros += cost
    return Amount(micros, tuple(sorted(unpriced))), tuple(dict.fromkeys(line.note for line in estimates if line.note))
