"""Who prices one resource? A desk: the prices, the day, the other resources and what is used of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from weyr.core.units import HOUR_S
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.prices.offers import Purchase
from weyr.ledger.prices.rates import Rate, flat
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource, Resources
from weyr.ledger.terraform.usage import Amounts, Usage

HOURS = Decimal(730)
"""Of a month: 365 days of 24 hours over twelve, as every provider's calculator has it."""
SECONDS_OF_MONTH = HOURS * HOUR_S
THOUSAND, MILLION = Decimal(1000), Decimal(1_000_000)
PAID_UPFRONT = "the whole term was paid upfront"


@dataclass(frozen=True, slots=True)
class Desk:
    """`today` decides what depends on the day, as the support that a database's version has left."""

    catalogue: Catalogue
    resources: Resources
    usage: Usage
    today: date
    _machines: dict[tuple[str, str, str, Purchase], Rate | None] = field(
        default_factory=dict, repr=False, compare=False
    )

    def rate(self, service: str, region: str, name: str, provider: str = "aws") -> Rate | None:
        return self.catalogue.rate(service, region, name, provider=provider)

    def machine_rate(self, instance: str, region: str, purchase: Purchase, provider: str = "aws") -> Rate | None:
        """An instance's price per hour among the offers; for spot the median of the region's zones."""
        key = (provider, instance, region, purchase)
        if key not in self._machines:
            self._machines[key] = self._offered(*key)
        return self._machines[key]

    def _offered(self, provider: str, instance: str, region: str, purchase: Purchase) -> Rate | None:
        if not instance or not region:
            return None  # to the catalogue that would mean any
        found = self.catalogue.offers(provider=provider, region=region, instance=instance, purchase=purchase)
        if not found:
            return None
        offer = sorted(found, key=lambda each: each.usd_per_hour)[len(found) // 2]
        name = f"instance.{instance}"
        return Rate(provider, "ec2", region, name, "hour", flat(offer.usd_per_hour), offer.source, offer.dated)

    def vcpus(self, instance: str, provider: str = "aws") -> Decimal | None:
        """Of an instance type: as the catalogue has it, else as its size says."""
        machine = self.catalogue.machines.get((provider, instance))
        return machine.vcpus if machine else vcpus_of_size(instance)

    def line(
        self,
        name: str,
        unit: str,
        quantity: Decimal | int | None,
        rate: str,
        region: str,
        *,
        per: Decimal | int = 1,
        is_usage: bool = False,
        provider: str = "aws",
    ) -> Line:
        """A line at the rate `service/name`."""
        service, _, what = rate.partition("/")
        found = self.rate(service, region, what, provider)
        amount = None if quantity is None else Decimal(quantity)
        return Line(name, unit, amount, found, f"{rate} in {region or 'no region'}", Decimal(per), is_usage)

    def covered(self, name: str, unit: str, quantity: Decimal | None, why: str) -> Line:
        """A line that costs nothing a month, because something else has paid for it: `why`."""
        rate = Rate("aws", "", "", why, unit, flat(Decimal(0)), why, self.today.isoformat())
        return Line(name, unit, quantity, rate, why)

    def reserved(self, name: str, hours: Decimal, rate: str, payment: str, region: str) -> Line:
        """Hours that were committed to; what was paid upfront is no cost of the month."""
        if payment == "all_upfront":
            return self.covered(name, "hours", hours, PAID_UPFRONT)
        return self.line(name, "hours", hours, f"{rate}.{payment}", region)

    def hours(self, name: str, rate: str, region: str, count: Decimal | int = 1, provider: str = "aws") -> Line:
        """What runs all month, `count` of them."""
        return self.line(name, "hours", HOURS * Decimal(count), rate, region, provider=provider)


Pricer = Callable[[Desk, Resource, Amounts], Part | Unpriced | None]
"""Prices one resource; None: an apply of it costs nothing by itself. Unpriced: it costs, and nobody here knows what."""


def unpriced(resource: Resource, why: str) -> Unpriced:
    return Unpriced(resource.address, resource.type, why)


_SMALL = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}
_ONE_VCPU = ("t1", "t2", "m1", "m3", "m6g", "c6g", "r6g", "m7g", "c7g", "r7g", "a1", "m8g", "c8g", "r8g")


def vcpus_of_size(instance: str) -> Decimal | None:
    """Of AWS's naming: `large` has 2, `xlarge` 4, `12xlarge` 48. None for what the name does not say."""
    family, _, size = instance.removeprefix("db.").removeprefix("cache.").removeprefix("ml.").partition(".")
    if size in ("medium", "small", "micro", "nano") and family in _ONE_VCPU:
        return Decimal(1) if not (family == "t2" and size == "medium") else Decimal(2)
    if size in _SMALL:
        return Decimal(_SMALL[size])
    times = size.removesuffix("xlarge")
    return Decimal(4 * int(times)) if times != size and times.isdigit() else None
