"""Which machines that clouds offer would do for a pool's nodes, or for a task each, what would they cost, and why are
others none? Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence

from weyr.core.pools import Market, NodeWish
from weyr.core.units import money_text, size_text
from weyr.ledger.prices import CPU, CPU_SPOT
from weyr.ledger.prices.offers import Machine, Offer, Purchase
from weyr.stack.candidates import Instead, compared
from weyr.stack.steps import Amount, Candidate, CostLine

FITTING_MAX, OTHERS_MAX = 2, 1
"""Machines that are told of: the cheapest that would do, and the cheapest that would but for one thing."""
GIB = 2**30
_OTHER_CORES = (
    (re.compile(r"([cm][1-3]|t1|r3|i2|g2|hs1|cr1|cc2|cg1)\."), "it is of a generation that AWS advises against"),
    (re.compile(r"t[2-9]"), "its cores are burstable, a part of each all the time"),
    (re.compile(r"a1\.|[a-z]+[0-9]+g[a-z]*\."), "its cores are Arm's, for which programs are built anew"),
)
"""How AWS names machines that do not do for any program: t3.large; a1.large, m7g.large, c6gd.large."""


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


def machines_of_tasks(
    wish: NodeWish,
    lines: Sequence[CostLine],
    chosen: Amount,
    offers: Iterable[Offer],
    book: str,
    instead: Instead | None,
) -> tuple[Candidate, ...]:
    """Where each task has a machine to itself: the cheapest that would do, and a cheaper one with what it lacks.

    Takes: `lines`, what the tasks use; `offers` of one place; `book`, the price book that is chosen instead.
    """
    hours = _task_hours(wish, lines)
    market = Purchase.SPOT if wish.market is Market.SPOT else Purchase.ON_DEMAND
    offered = sorted(
        (each for each in offers if each.purchase is market and not each.machine.count),
        key=lambda each: (each.micros_per_hour, each.instance, each.zone),
    )
    fitting = next((each for each in offered if not _lack(wish, each)), None)
    if chosen.unpriced or not hours or fitting is None:
        return ()
    ways = [(fitting, f"price_as is {book}")]
    most = min(fitting.micros_per_hour, chosen.micros / hours)
    smaller = [each for each in offered if each.micros_per_hour < most]
    if smaller:
        ways.append((smaller[-1], _lack(wish, smaller[-1])))
    return tuple(_of_task(offer, hours, chosen, why, instead) for offer, why in ways)


def _task_hours(wish: NodeWish, lines: Iterable[CostLine]) -> float:
    """The hours of all tasks together, of which each has the wish's cores."""
    cpu = sum(line.quantity / 1000 * line.hours for line in lines if line.sku.startswith(CPU))
    return cpu / wish.cpu if wish.cpu else 0.0


def _of_task(offer: Offer, hours: float, chosen: Amount, why: str, instead: Instead | None) -> Candidate:
    listed = round(offer.micros_per_hour * hours)
    line = CostLine(CPU_SPOT if offer.purchase is Purchase.SPOT else CPU, 0, hours, listed)
    month, said = compared((line,), f"{offer.provider}/{offer.instance}", chosen, instead)
    return Candidate(f"a machine each, {_title(offer)}", month, f"{said}: {why}")


def _title(offer: Offer) -> str:
    market = "spot" if offer.purchase is Purchase.SPOT else "on demand"
    return f"{offer.provider} {offer.instance} {market} in {offer.region}"


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
        cores = "1 core" if machine.vcpus == 1 else f"{machine.vcpus.normalize():f} cores"
        parts.append(f"it has {cores} of {wish.cpu:g}")
    if _memory_bytes(machine) < wish.memory_bytes:
        parts.append(f"it has {size_text(_memory_bytes(machine))} of {size_text(wish.memory_bytes)}")
    if not wish.model and offer.provider == "aws":
        parts += [said for pattern, said in _OTHER_CORES if pattern.match(offer.instance)]
    if offer.purchase is Purchase.SPOT and wish.market is not Market.SPOT:
        parts.append("spot is not asked for, and may be reclaimed")
    return ", ".join(parts)


def _memory_bytes(machine: Machine) -> int:
    return int(machine.memory_gib * GIB)


def _candidate(offer: Offer, hours: float, stated: Amount, lack: str) -> Candidate:
    month = Amount(round(offer.micros_per_hour * hours))
    return Candidate(
        _title(offer),
        month,
        f"{_beside(month, stated)}: {lack or 'the pool states nodes of its own'}",
    )


def _beside(month: Amount, stated: Amount) -> str:
    if stated.unpriced:
        return "the pool states no price"
    more = month.micros - stated.micros
    return "costs the same" if not more else f"{money_text(abs(more))} {'more' if more > 0 else 'less'}"
