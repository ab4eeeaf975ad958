"""What does the ledger know that a plan's price rests on? Past use, what was spent, and how prices may turn out."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from weyr.core.assumptions import NO_PAST, Past
from weyr.core.decision import Spend
from weyr.core.kind import Kinds
from weyr.core.ref import Ref
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import CPU, Catalogue
from weyr.ledger.prices.spot_ends import spot_ends
from weyr.stack.costs import Known
from weyr.stack.stack import Stack
from weyr.store.kernel import ObjectRow

Rows = Mapping[Ref, ObjectRow]
NO_ROWS: Rows = MappingProxyType({})


def foreseen(
    ledger: Ledger, catalogue: Catalogue, stack: Stack, kinds: Kinds, now: float, rows: Rows = NO_ROWS
) -> Known:
    """Everything that is known of the stack's cost at this moment beside its file. `rows`: the objects there are."""
    book = catalogue.book(stack.price_as)
    others = tuple(
        other
        for name, other in catalogue.books.items()
        if name != book.name and CPU in other.prices and book.region in ("", other.region)
    )
    low, high = spot_ends(catalogue, book)
    return Known(
        usage=stack.usage,
        past=_pasts(ledger, stack, kinds, now, rows),
        low=low,
        high=high,
        others=others,
        offers=lambda: catalogue.all_offers,
        offers_here=cache(lambda: catalogue.offers(provider=book.provider, region=book.region) if book.region else []),
        shared=ledger.left_of_shared(stack.name, now),
        spends=dict(_spends(ledger, stack, kinds, now)),
        prices_version=f"{book.version} {catalogue.version}",
    )


def _pasts(ledger: Ledger, stack: Stack, kinds: Kinds, now: float, rows: Rows) -> Mapping[Ref, Past]:
    """What meters counted, with what objects themselves measured and remember."""
    pasts = dict(ledger.pasts(stack.name, now))
    for ref in stack.objects.keys() & rows.keys():
        past = pasts.get(ref, NO_PAST)
        if (recalled := kinds[ref.kind].recalled(rows[ref].memory, past)) is not past:
            pasts[ref] = recalled
    return pasts


def _spends(ledger: Ledger, stack: Stack, kinds: Kinds, now: float) -> Iterator[tuple[Ref, Spend]]:
    for ref, item in stack.objects.items():
        limits = kinds[ref.kind].limits
        if limits is not None:
            limit = limits(ref, item.spec)
            yield ref, ledger.spend(limit.reach, limit.every, now)
