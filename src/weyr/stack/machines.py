"""Which machines that clouds offer would do for a pool's nodes, what would they cost, and why are others none? Pure."""

from collections.abc import Iterable, Iterator, Sequence

from weyr.core.pools import Market, NodeWish
from weyr.core.units import money_text, size_text
from weyr.ledger.prices.offers import Machine, Offer, Purchase
from weyr.stack.steps import Amount, Candidate

FITTING_MAX, OTHERS_MAX = 2, 1
"""Machines that are told of: the cheapest that would do, and the cheapest that would but for one thing."""
GIB = 2**30


def machines_for(wish: NodeWish, hours: float, stated: Amount, offers: Iterable[Offer]) -> tuple[Candidate, ...]:
    """The nodes as they are stated first, then machines: the cheapest of each type, and why it is not one of them.

    `hours` of all nodes together in a month. Of machines that have the asked devices, those that lack something else
    say what.
    """
    by_price = sorted(_with_devices(wish, offers), key=lambda each: (each.micros_per_hour, each.instance, each.zone))
    if not by_price or not hours:
        return ()
    fitting: list[Candidate] = []
    lacking: list[Candidate] = []
    for offer in _first_of_each(by_price):
        lack = _lack(wish, offer)
        (lacking if lack else fitting).append(_candidate(offer, hours, stated, lack))
    others = sorted(lacking, key=lambda way: way.month.micros)[:OTHERS_MAX]
    first = Candidate("its nodes as stated", stated, "", is_chosen=True)
    return (first, *fitting[:FITTING_MAX], *others)


def _with_devices(wish: NodeWish, offers: Iterable[Offer]) -> Iterator[Offer]:
    model = wish.model.lower()
    for offer in offers:
        found = offer.machine.accelerator.lower()
        if not offer.purchase.is_commitment and (found == model or found.startswith(f"{model}-")):
            yield offer


def _first_of_each(offers: Sequence[Offer]) -> Iterator[Offer]:
    """The cheapest place of each machine on each market."""
    seen: set[tuple[str, str, Purchase]] = set()
    for offer in offers:
        key = offer.provider, offer.instance, offer.purchase
        if key not in seen:
            seen.add(key)
            yield offer


def _lack(wish: NodeWish, offer: Offer) -> str:
    """Why a machine would not do; "" where it would."""
    machine, parts = offer.machine, []
    if machine.count < wish.devices:
        parts.append(f"it has {machine.count.normalize():f} x {machine.accelerator} of {wish.devices}")
    if float(machine.vcpus) < wish.cpu:
        parts.append(f"it has {machine.vcpus.normalize():f} cores of {wish.cpu:g}")
    if _memory_bytes(machine) < wish.memory_bytes:
        parts.append(f"it has {size_text(_memory_bytes(machine))} of {size_text(wish.memory_bytes)}")
    if offer.purchase is Purchase.SPOT and wish.market is not Market.SPOT:
        parts.append("spot is not asked for, and may be reclaimed")
    return ", ".join(parts)


def _memory_bytes(machine: Machine) -> int:
    return int(machine.memory_gib * GIB)


def _candidate(offer: Offer, hours: float, stated: Amount, lack: str) -> Candidate:
    month = Amount(round(offer.micros_per_hour * hours))
    market = "spot" if offer.purchase is Purchase.SPOT else "on demand"
    return Candidate(
        f"{offer.provider} {offer.instance} {market} in {offer.region}",
        month,
        f"{_beside(month, stated)}: {lack or 'the pool states nodes of its own'}",
    )


def _beside(month: Amount, stated: Amount) -> str:
    if stated.unpriced:
        return "the pool states no price"
    more = month.micros - stated.micros
    return "costs the same" if not more else f"{money_text(abs(more))} {'more' if more > 0 else 'less'}"
