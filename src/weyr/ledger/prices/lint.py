"""Which of these prices cannot be true? Each rule is a fault that a public catalogue has had.

A price that is refused becomes unknown, which is safer than wrong: a plan says so and nobody relies on it. Pure:
`today` is an argument.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median

from weyr.ledger.prices.offers import Offer, Purchase
from weyr.ledger.prices.rates import Rate

REGION_RATIO_MAX = Decimal("2.5")
"""The dearest region of a provider over its cheapest. Seen in the shipped lists: below 2.2; where it was more, a
committed price stood among those on demand."""
PROPORTION_MAX = Decimal("1.6")
"""A vCPU's price in one size over that in another of a family with as much memory to each. Metal is up to 1.1."""
SENTINELS = frozenset(Decimal(amount) for amount in (700, 777, 999, 9999, 99999, 1_000_000))
"""What stands where a price is missing. 700.0 is SkyPilot's, for accelerators of GCP."""
INCLUDED = ".included"
"""The end of a rate's name that is paid for with something else, and the only one that may cost nothing."""
ROUNDING = Decimal("0.0001")
"""Lists round to four places: 27.4330 on spot is not above 27.43298 on demand."""
STALE_DAYS = 180
OLD_DAYS = 1100
"""A price of three years ago says nothing of today: providers have cut GPU prices by 44 % in one June."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An offer that was left out: the `rule` by its short name, and why in a sentence."""

    offer: Offer
    rule: str
    reason: str

    def __str__(self) -> str:
        of = self.offer
        where = of.zone or of.region
        return f"{of.provider} {of.instance} {where} {of.purchase} {of.usd_per_hour} USD/h: {self.reason}"


@dataclass(frozen=True, slots=True)
class Report:
    """What is left, what was refused, and how many of those left are older than half a year."""

    kept: tuple[Offer, ...]
    refused: tuple[Refusal, ...]
    stale: int = 0

    @property
    def by_rule(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for refusal in self.refused:
            found[refusal.rule] = found.get(refusal.rule, 0) + 1
        return dict(sorted(found.items()))


Found = Iterator[tuple[Offer, str]]
"""Offers that a rule refuses, and why."""


def lint(offers: Iterable[Offer], today: date) -> Report:
    """Sorts out what cannot be true. What one rule refuses, the next ones do not see.

    Promises: pure; an offer is kept or refused, never changed.
    """
    left, refused = tuple(offers), list[Refusal]()
    for rule, finds in _RULES.items():
        found = {id(offer): Refusal(offer, rule, reason) for offer, reason in finds(left, today)}
        refused += found.values()
        left = tuple(offer for offer in left if id(offer) not in found)
    stale = sum(1 for offer in left if age_days(offer.dated, today) > STALE_DAYS)
    return Report(left, tuple(refused), stale)


def lint_rates(rates: Iterable[Rate], today: date) -> list[str]:
    """What is wrong with these rates, a sentence each."""
    found = []
    for rate in rates:
        name = f"{rate.provider} {rate.service} {rate.region or 'everywhere'} {rate.name}"
        if not rate.source:
            found.append(f"{name}: it names no source")
        if _aged(rate.dated, today):
            found.append(f"{name}: {_aged(rate.dated, today)}")
        amounts = [tier.amount for tier in rate.steps]
        if not (any(amounts) or rate.name.endswith(INCLUDED)):
            found.append(f"{name}: nothing in it costs anything; what is free is left out")
        if any(amount in SENTINELS for amount in amounts):
            found.append(f"{name}: {max(amounts)} stands where a price is missing")
    return found


def age_days(dated: str, today: date) -> int:
    """How old a price is."""
    return (today - date.fromisoformat(dated)).days


def age_text(dated: str, today: date) -> str:
    """`11 months old`, where it is old enough to say so; else ""."""
    days = age_days(dated, today)
    if days <= STALE_DAYS:
        return ""
    return f"{days // 365} years old" if days >= 730 else f"{days * 12 // 365} months old"


def _no_source(offers: Sequence[Offer], _today: date) -> Found:
    for offer in offers:
        if not offer.source:
            yield offer, "it names no source"


def _too_old(offers: Sequence[Offer], today: date) -> Found:
    for offer in offers:
        if _aged(offer.dated, today):
            yield offer, _aged(offer.dated, today)


def _aged(dated: str, today: date) -> str:
    try:
        days = age_days(dated, today)
    except ValueError:
        return f'its date is "{dated}", which is no day'
    if days < 0:
        return f"it is dated {dated}, which is still to come"
    return f"it is of {dated}, more than {OLD_DAYS // 365} years ago" if days > OLD_DAYS else ""


def _not_positive(offers: Sequence[Offer], _today: date) -> Found:
    for offer in offers:
        if offer.usd_per_hour <= 0:
            yield offer, "no machine is free: where no price is known, there is none"


def _sentinel(offers: Sequence[Offer], _today: date) -> Found:
    """A figure known to mean "missing", or one that machines of different sizes share to the last digit."""
    sizes: dict[tuple[str, Decimal], set[Decimal]] = defaultdict(set)
    for offer in offers:
        if offer.machine.accelerator:
            sizes[offer.machine.accelerator, offer.usd_per_hour].add(offer.machine.count)
    for offer in offers:
        if offer.usd_per_hour in SENTINELS:
            yield offer, f"{offer.usd_per_hour} stands where a price is missing"
        elif len(sizes[offer.machine.accelerator, offer.usd_per_hour]) > 2:
            yield offer, "machines with different numbers of accelerators have this very price"


def _spot_above_on_demand(offers: Sequence[Offer], _today: date) -> Found:
    """Where the region's price on demand is not known, the dearest of all regions has to do."""
    on_demand, dearest = _on_demand(offers), dict[tuple[str, str], Decimal]()
    for (provider, instance, _region), usd in on_demand.items():
        dearest[provider, instance] = max(usd, dearest.get((provider, instance), usd))
    for offer in offers:
        full = on_demand.get(_place(offer)) or dearest.get((offer.provider, offer.instance))
        if offer.purchase is Purchase.SPOT and full is not None and offer.usd_per_hour > full + ROUNDING:
            yield offer, f"on spot it would cost more than on demand ({full})"


def _range_crossed(offers: Sequence[Offer], _today: date) -> Found:
    for offer in offers:
        if not (offer.low or offer.usd_per_hour) <= offer.usd_per_hour <= (offer.high or offer.usd_per_hour):
            yield offer, f"its median is outside of its range, {offer.low} to {offer.high}"


def _commitment_not_cheaper(offers: Sequence[Offer], _today: date) -> Found:
    """One that costs what it costs on demand is the same figure under two names: nobody can tell which of them."""
    on_demand = _on_demand(offers)
    equal = set()
    for offer in offers:
        full = on_demand.get(_place(offer))
        if offer.purchase.is_commitment and full is not None and offer.usd_per_hour >= full:
            if offer.usd_per_hour == full:
                equal.add(_place(offer))
            yield offer, f"a commitment that saves nothing against on demand ({full}) is mislabelled"
    for offer in offers:
        if offer.purchase is Purchase.ON_DEMAND and _place(offer) in equal:
            yield offer, "a commitment has the very same price: one of the two is mislabelled"


def _commitments_reversed(offers: Sequence[Offer], _today: date) -> Found:
    one_year = {_place(o): o.usd_per_hour for o in offers if o.purchase is Purchase.RESERVED_1Y}
    for offer in offers:
        shorter = one_year.get(_place(offer))
        if offer.purchase is Purchase.RESERVED_3Y and shorter is not None and offer.usd_per_hour > shorter:
            yield offer, f"three years would cost more an hour than one ({shorter})"


def _region_ratio(offers: Sequence[Offer], _today: date) -> Found:
    """Of one machine bought in one way, the regions farthest from the median go until the rest agree. Spot does not
    count: it moves with supply."""
    for group in _grouped(offers, lambda o: (o.provider, o.instance, o.purchase)):
        if group[0].purchase is Purchase.SPOT:
            continue
        left = sorted(group, key=lambda o: o.usd_per_hour)
        while left[-1].usd_per_hour >= left[0].usd_per_hour * REGION_RATIO_MAX:
            middle = median(o.usd_per_hour for o in left)
            is_top = left[-1].usd_per_hour / middle >= middle / left[0].usd_per_hour
            yield left.pop(-1 if is_top else 0), f"it is {REGION_RATIO_MAX} times off its other regions ({middle:f})"


def _not_monotone(offers: Sequence[Offer], _today: date) -> Found:
    """More accelerators with no less beside them never cost less. Of two that contradict each other, the one goes
    whose price for each accelerator is farther from that of the family."""
    for group in _grouped(
        offers, lambda o: (o.provider, family_of(o.instance), o.machine.accelerator, o.region, o.zone, o.purchase)
    ):
        if group[0].purchase is Purchase.SPOT or not group[0].machine.accelerator:
            continue
        usual = median(_each(o) for o in group)
        gone: set[int] = set()
        for small in group:
            for large in group:
                if _contains(large, small) and large.usd_per_hour < small.usd_per_hour:
                    worse = max((small, large), key=lambda o: max(_each(o) / usual, usual / _each(o)))
                    other = large if worse is small else small
                    if id(worse) not in gone:
                        gone.add(id(worse))
                        yield worse, f"{other.instance} has {other.machine.count:f} for {other.usd_per_hour:f}"


def _contains(large: Offer, small: Offer) -> bool:
    a, b = large.machine, small.machine
    return a.count > b.count and a.vcpus >= b.vcpus and a.memory_gib >= b.memory_gib


def _each(offer: Offer) -> Decimal:
    return offer.usd_per_hour / (offer.machine.count or 1)


def family_of(instance: str) -> str:
    """A name without its size: `p5` of p5.48xlarge, `a3-highgpu` of a3-highgpu-8g, `Standard_Das_v5` of D16as_v5."""
    if "." in instance:
        return instance.partition(".")[0]
    return re.sub(r"\d+", "", instance, count=1) if instance.startswith("Standard_") else instance.rpartition("-")[0]


def _out_of_proportion(offers: Sequence[Offer], _today: date) -> Found:
    """Twice the cores with twice the memory cost twice as much. Karpenter's Azure list of 2026-06-18 has prices with
    a Windows licence among those for Linux (D16as_v5): the dearer ones go."""
    plain = [o for o in offers if o.purchase is not Purchase.SPOT and not o.machine.accelerator and o.machine.vcpus]
    for group in _grouped(plain, _shape):
        least = min(o.usd_per_hour / o.machine.vcpus for o in group)
        for offer in group:
            each = offer.usd_per_hour / offer.machine.vcpus
            if each > least * PROPORTION_MAX:
                yield offer, f"a vCPU of it costs {each:.4f}, and {least:.4f} in other sizes of the family"


def _kin(offer: Offer) -> tuple[object, ...]:
    return (
        offer.provider,
        family_of(offer.instance),
        offer.machine.accelerator,
        offer.region,
        offer.zone,
        offer.purchase,
    )


def _shape(offer: Offer) -> tuple[object, ...]:
    memory_each = round(offer.machine.memory_gib / offer.machine.vcpus, 1)
    return offer.provider, family_of(offer.instance), memory_each, offer.region, offer.zone, offer.purchase


def _place(offer: Offer) -> tuple[str, str, str]:
    return offer.provider, offer.instance, offer.region


def _on_demand(offers: Iterable[Offer]) -> dict[tuple[str, str, str], Decimal]:
    return {_place(o): o.usd_per_hour for o in offers if o.purchase is Purchase.ON_DEMAND}


def _grouped(offers: Iterable[Offer], key: Callable[[Offer], tuple[object, ...]]) -> Iterator[list[Offer]]:
    groups: dict[tuple[object, ...], list[Offer]] = defaultdict(list)
    for offer in offers:
        groups[key(offer)].append(offer)
    yield from groups.values()


_RULES: dict[str, Callable[[Sequence[Offer], date], Found]] = {
    "no source": _no_source,
    "age": _too_old,
    "not positive": _not_positive,
    "sentinel": _sentinel,
    "out of proportion": _out_of_proportion,
    "region ratio": _region_ratio,
    "commitment not cheaper": _commitment_not_cheaper,
    "commitments reversed": _commitments_reversed,
    "spot above on demand": _spot_above_on_demand,
    "range": _range_crossed,
    "not monotone": _not_monotone,
}
"""In this order: a sentinel on demand must not make every spot price look cheap."""
