"""Which machines can be had, where, how, and for how much an hour? Offers, read from CSV."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import chain
from statistics import median

from weyr.core.units import MICROS


class Purchase(StrEnum):
    """How a machine is bought. A commitment is paid for whether it runs or not, monthly and without upfront."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"
    RESERVED_1Y = "reserved_1y"
    RESERVED_3Y = "reserved_3y"

    @property
    def is_commitment(self) -> bool:
        return self in (Purchase.RESERVED_1Y, Purchase.RESERVED_3Y)


@dataclass(frozen=True, slots=True)
class Machine:
    """What an instance type is: `accelerator` "" and `count` 0 where it has none; a share of one is a fraction."""

    provider: str
    instance: str
    vcpus: Decimal
    memory_gib: Decimal
    accelerator: str = ""
    count: Decimal = Decimal(0)


OfferKey = tuple[str, str, str, str, Purchase]
"""Provider, instance, region, zone, purchase."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to have one machine in one place: `usd_per_hour` for the whole of it.

    `zone` "" is every zone of the region. For spot, `usd_per_hour` is the median of what was seen, `low` and `high`
    the least and the most where it was seen more than once; all else has neither. `source` and `dated` (an ISO day)
    tell where it can be looked up.
    """

    machine: Machine
    region: str
    purchase: Purchase
    usd_per_hour: Decimal
    source: str
    dated: str
    zone: str = ""
    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def provider(self) -> str:
        return self.machine.provider

    @property
    def instance(self) -> str:
        return self.machine.instance

    @property
    def key(self) -> OfferKey:
        return self.provider, self.instance, self.region, self.zone, self.purchase

    @property
    def micros_per_hour(self) -> int:
        return int((self.usd_per_hour * MICROS).to_integral_value(ROUND_HALF_UP))

    @property
    def usd_per_accelerator_hour(self) -> Decimal | None:
        """What one of its accelerators costs for an hour; None where it has none."""
        return self.usd_per_hour / self.machine.count if self.machine.count else None


MACHINE_COLUMNS = ("provider", "instance", "vcpus", "memory_gib", "accelerator", "count")
OFFER_COLUMNS = ("provider", "instance", "region", "zone", "purchase", "usd_hour", "low", "high", "source", "dated")
SPOT_COLUMNS = ("provider", "instance", "region", "zone", "usd_hour", "source", "dated")
MachineKey = tuple[str, str]


def parse_machines(text: str) -> dict[MachineKey, Machine]:
    """Reads a CSV with `MACHINE_COLUMNS`: the machines by provider and instance."""
    rows = csv.DictReader(io.StringIO(text))
    machines = (
        Machine(
            row["provider"],
            row["instance"],
            Decimal(row["vcpus"]),
            Decimal(row["memory_gib"]),
            row["accelerator"],
            Decimal(row["count"] or 0),
        )
        for row in rows
    )
    return {(machine.provider, machine.instance): machine for machine in machines}


def parse_offers(text: str, machines: Mapping[MachineKey, Machine], sources: Mapping[str, str]) -> Iterator[Offer]:
    """Reads a CSV with `OFFER_COLUMNS`; `source` is a key of `sources`, or stands for itself.

    `region` may name several, with a space between: it costs the same there.
    """
    for row in csv.DictReader(io.StringIO(text)):
        for region in row["region"].split(" "):
            yield Offer(
                machine=machines[row["provider"], row["instance"]],
                region=region,
                purchase=Purchase(row["purchase"]),
                usd_per_hour=Decimal(row["usd_hour"]),
                source=sources.get(row["source"], row["source"]),
                dated=row["dated"],
                zone=row["zone"],
                low=Decimal(row["low"]) if row["low"] else None,
                high=Decimal(row["high"]) if row["high"] else None,
            )


def parse_spots(
    texts: Iterable[str], machines: Mapping[MachineKey, Machine], sources: Mapping[str, str]
) -> Iterator[Offer]:
    """Reads CSVs with `SPOT_COLUMNS`, a row for each time that a price was seen: one offer a zone.

    Its price is the median of what was seen there; `low` and `high` are known once it was seen more than once.
    """
    seen: dict[tuple[str, ...], list[Mapping[str, str]]] = defaultdict(list)
    for row in chain.from_iterable(csv.DictReader(io.StringIO(text)) for text in texts):
        seen[row["provider"], row["instance"], row["region"], row["zone"]].append(row)
    for (provider, instance, region, zone), rows in seen.items():
        amounts, last = [Decimal(row["usd_hour"]) for row in rows], max(rows, key=lambda row: row["dated"])
        is_range = len(rows) > 1
        yield Offer(
            machine=machines[provider, instance],
            region=region,
            purchase=Purchase.SPOT,
            usd_per_hour=median(amounts),
            source=sources.get(last["source"], last["source"]),
            dated=last["dated"],
            zone=zone,
            low=min(amounts) if is_range else None,
            high=max(amounts) if is_range else None,
        )


def newest(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """One offer for each machine, place and purchase: that of the latest date, in the order of their first mention."""
    found: dict[OfferKey, Offer] = {}
    for offer in offers:
        before = found.get(offer.key)
        if before is None or before.dated <= offer.dated:
            found[offer.key] = offer
    return tuple(found.values())


def cheapest_first(offers: Iterable[Offer]) -> list[Offer]:
    """By what an accelerator costs, or a machine that has none; then by name, so that the order is always the same."""

    def order(offer: Offer) -> tuple[Decimal, str, Decimal, str, str, str]:
        each = offer.usd_per_accelerator_hour
        # Eight for eight times the price are as cheap as one, whatever the last digit of the list says.
        cost = round(offer.usd_per_hour if each is None else each, 4)
        return cost, offer.provider, offer.machine.count, offer.instance, offer.region, offer.zone

    return sorted(offers, key=order)
