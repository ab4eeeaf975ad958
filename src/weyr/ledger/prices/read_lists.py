"""What did a price list hold that somebody else wrote? Offers, rates, and what was not read, with the reason. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from weyr.ledger.prices.offers import Machine, Offer
from weyr.ledger.prices.rates import Rate


@dataclass(slots=True)
class PriceList:
    """Offers in the order of the list. A spot offer of a list is one observation: it has no range.

    `left_out` counts what is in the list and is not read, by the reason.
    """

    source: str
    offers: list[Offer] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def machines(self) -> set[Machine]:
        return {offer.machine for offer in self.offers}


def joined(lists: Iterable[PriceList]) -> PriceList:
    """Several lists as one."""
    all_of_them = PriceList("")
    for each in lists:
        all_of_them.offers += each.offers
        all_of_them.rates += each.rates
        all_of_them.left_out.update(each.left_out)
        all_of_them.source = all_of_them.source or each.source
    return all_of_them
