"""Which offers does somebody mean by a few words, and which of them is the cheapest? Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.ledger.prices.areas import AREAS, is_within, unknown_region
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.prices.offers import Machine, Offer, Purchase, cheapest_first

PLACES = 6
"""So many regions are told of, the cheapest of them."""
_HOW = {
    Purchase.ON_DEMAND: "on demand", Purchase.SPOT: "on spot (--spot)",
    Purchase.RESERVED_1Y: "for a year (--reserved 1)", Purchase.RESERVED_3Y: "for three (--reserved 3)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for. `what`: names of accelerators (`A100` is every A100), machines, or beginnings of those;
    empty is everything, and `is_exact` takes an accelerator by its whole name. `region` is one of a provider, or an
    area such as `eu`."""

    what: tuple[str, ...] = ()
    is_exact: bool = False
    provider: str = ""
    region: str = ""
    purchase: Purchase | None = Purchase.ON_DEMAND
    count: Decimal | None = None
    vcpus_min: Decimal = Decimal(0)
    memory_gib_min: Decimal = Decimal(0)


def find(catalogue: Catalogue, wish: Wish) -> list[Offer]:
    """The offers that fit, the cheapest first.

    Raises: UserError where a word names nothing that is known, with the nearest that does; all of them at once.
    """
    matchers = _matchers(catalogue, wish)
    problems = [*_unknown_words(catalogue, wish, matchers), *_unknown_places(catalogue, wish)]
    if problems:
        raise UserError(*problems)
    return cheapest_first(offer for offer in catalogue.all_offers if _fits(offer, wish, matchers))


def _matchers(catalogue: Catalogue, wish: Wish) -> list[Callable[[Machine], bool]]:
    """One for each word: what it means as an accelerator, and only where it is none, as a machine."""
    accelerators = {machine.accelerator.lower() for machine in catalogue.machines.values()} - {""}
    return [_matcher(word.lower(), accelerators, wish.is_exact) for word in wish.what]


def _matcher(word: str, accelerators: set[str], is_exact: bool) -> Callable[[Machine], bool]:
    named = {each for each in accelerators if each == word or each.startswith(f"{word}-")}
    if is_exact and word in named:
        named = {word}
    if named:
        return lambda machine: machine.accelerator.lower() in named
    begun = word.removeprefix("standard_")
    return lambda machine: machine.instance.lower().removeprefix("standard_").startswith(begun)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The cheapest offer of each purchase on one provider, and what spot costs there from zone to zone."""

    what: str
    provider: str
    cheapest: dict[Purchase, Offer]
    spot_low: Decimal | None
    spot_high: Decimal | None

    def saving(self, purchase: Purchase) -> Decimal | None:
        """The part of the price on demand that another purchase saves; None where either is unknown."""
        full, other = self.cheapest.get(Purchase.ON_DEMAND), self.cheapest.get(purchase)
        if full is None or other is None:
            return None
        return 1 - _each(other) / _each(full)


def compare(catalogue: Catalogue, wishes: Sequence[Wish]) -> list[Comparison]:
    """For each wish, a row for each provider that has any of it. Raises: UserError, as `find` does."""
    return [row for wish in wishes for row in _by_provider(" ".join(wish.what), find(catalogue, wish))]


def _by_provider(what: str, offers: Sequence[Offer]) -> Iterable[Comparison]:
    for provider in sorted({offer.provider for offer in offers}):
        yield _comparison(what, provider, [offer for offer in offers if offer.provider == provider])


def _comparison(what: str, provider: str, offers: list[Offer]) -> Comparison:
    cheapest: dict[Purchase, Offer] = {}
    for offer in offers:
        cheapest.setdefault(offer.purchase, offer)
    best = cheapest.get(Purchase.SPOT)
    beside = [o for o in offers if best and o.purchase is Purchase.SPOT and o.region == best.region]
    seen = [each for o in beside for each in (o.low, o.usd_per_hour, o.high) if each and o.machine == beside[0].machine]
    return Comparison(what, provider, cheapest, min(seen, default=None), max(seen, default=None))


def known_words(catalogue: Catalogue) -> set[str]:
    """What can be looked for by name."""
    machines = catalogue.machines.values()
    return {m.accelerator for m in machines if m.accelerator} | {m.instance for m in machines}


def known_regions(catalogue: Catalogue) -> set[str]:
    return {offer.region for offer in catalogue.all_offers} | set(AREAS)


def _fits(offer: Offer, wish: Wish, matchers: Sequence[Callable[[Machine], bool]]) -> bool:
    machine = offer.machine
    return (
        wish.purchase in (None, offer.purchase)
        and wish.provider in ("", offer.provider)
        and is_within(offer.region, wish.region)
        and wish.count in (None, machine.count)
        and machine.vcpus >= wish.vcpus_min
        and machine.memory_gib >= wish.memory_gib_min
        and (not matchers or any(matches(machine) for matches in matchers))
    )


def _unknown_words(
    catalogue: Catalogue, wish: Wish, matchers: Sequence[Callable[[Machine], bool]]
) -> Iterable[Diagnostic]:
    machines = catalogue.machines.values()
    for word, matches in zip(wish.what, matchers, strict=True):
        if not any(matches(machine) for machine in machines):
            detail = f'No accelerator, machine or service is called "{word}".'
            yield Diagnostic("Unknown machine", detail + did_you_mean(word, known_words(catalogue)))


def _unknown_places(catalogue: Catalogue, wish: Wish) -> Iterable[Diagnostic]:
    providers = {offer.provider for offer in catalogue.all_offers}
    if wish.provider and wish.provider not in providers:
        detail = f'There are no prices of a provider "{wish.provider}".{did_you_mean(wish.provider, providers)}'
        yield Diagnostic("Unknown provider", detail)
    regions = known_regions(catalogue)
    if wish.region and wish.region not in regions:
        yield unknown_region(wish.region, regions)


def elsewhere(catalogue: Catalogue, wish: Wish) -> str:
    """Where nothing fits: how else, or where else, what was asked for can be had. "" where it cannot.

    Takes: a wish that `find` has taken.
    """
    bought = {each.purchase for each in find(catalogue, replace(wish, purchase=None))} - {wish.purchase}
    if bought:
        return f"It is known {' and '.join(_HOW[each] for each in Purchase if each in bought)}."
    places = list(dict.fromkeys(each.region for each in find(catalogue, replace(wish, region=""))))
    if wish.region and places:
        return f"It is known in {', '.join(places[:PLACES])}{', ...' if len(places) > PLACES else ''}."
    return ""


def _each(offer: Offer) -> Decimal:
    each = offer.usd_per_accelerator_hour
    return offer.usd_per_hour if each is None else each
