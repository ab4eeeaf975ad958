"""How cheap and how dear may spot become? As was seen in the zones of a machine's region, or else up to on demand.

Nobody pays more for spot than on demand. Where a price was seen in one place only, or never, it may come near that.
"""

from dataclasses import replace

from weyr.core.units import MICROS
from weyr.ledger.prices.books import CPU, CPU_SPOT, MEMORY, MEMORY_SPOT, PriceBook
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.prices.offers import Purchase

_SPOT = ((CPU_SPOT, CPU), (MEMORY_SPOT, MEMORY))
SEEN_MIN = 2
"""One price that was seen says nothing of how far it moves."""


def spot_ends(catalogue: Catalogue, book: PriceBook) -> tuple[PriceBook, PriceBook]:
    """The book with spot at its cheapest and at its dearest; the same book twice where it has no spot price."""
    spots = [(spot, on_demand) for spot, on_demand in _SPOT if {spot, on_demand} <= set(book.prices)]
    if not spots:
        return book, book
    seen = _seen(catalogue, book) if book.is_whole else ()
    low, high = {}, {}
    for spot, on_demand in spots:
        price, most = book.prices[spot], book.prices[on_demand]
        low[spot], high[spot] = price, most
        if len(seen) >= SEEN_MIN:
            low[spot] = replace(price, micros=min(price.micros, min(seen)))
            high[spot] = replace(price, micros=min(most.micros, max(price.micros, *seen)))
    return replace(book, prices={**book.prices, **low}), replace(book, prices={**book.prices, **high})


def _seen(catalogue: Catalogue, book: PriceBook) -> list[int]:
    """Millionths an hour for the whole machine: least, middle and most of each zone of the region it is priced in."""
    instance = book.name.removeprefix(f"{book.provider}/").removesuffix(f"/{book.region}")
    here = catalogue.offers(provider=book.provider, instance=instance, region=book.region, purchase=Purchase.SPOT)
    return [round(usd * MICROS) for each in here for usd in (each.low, each.usd_per_hour, each.high) if usd]
