"""What does FOCUS call what Weyr bills? The service of a kind, and the units that a SKU is used and priced in."""

from dataclasses import dataclass

from weyr.core.commitments import FEE, USED
from weyr.core.metering import Price
from weyr.core.route_usage import OUTSIDE
from weyr.core.units import HOUR_S, MICROS, MONTH_S
from weyr.ledger.prices import NODE_MONEY


@dataclass(frozen=True, slots=True)
class Service:
    """A service in the words that FOCUS allows for its category and its subcategory."""

    name: str
    category: str
    subcategory: str


_SERVERLESS, _CONTAINERS = ("Compute", "Serverless Compute"), ("Compute", "Containers")
_LEARNING = ("AI and Machine Learning", "Machine Learning")
_OTHER = ("Other", "Other (Other)")
_CATEGORIES = {
    "job": _SERVERLESS, "function": _SERVERLESS, "service": _CONTAINERS, "dev": ("Developer Tools", "Development "
    "Environments"), "pool": ("Compute", "Virtual Machines"), "bucket": ("Storage", "Object Storage"),
    "dataset": ("Storage", "Object Storage"), "volume": ("Storage", "Block Storage"),
    "database": ("Databases", "Relational Databases"), "cache": ("Databases", "Caching"),
    "network": ("Networking", "Network Infrastructure"), "secret": ("Security", "Secret Management"),
    "endpoint": _LEARNING, "model": _LEARNING, "pipeline": _LEARNING, "sweep": _LEARNING, "feature_view": _LEARNING,
    "monitor": _LEARNING, "edge_fleet": _LEARNING, "commitment": ("Compute", "Other (Compute)"),
}  # fmt: skip


def service_of(kind: str) -> Service:
    """The service that objects of a kind are billed under; each has one category only, as FOCUS wants it."""
    return Service(f"Weyr {kind.replace('_', ' ')}", *_CATEGORIES.get(kind, _OTHER))


@dataclass(frozen=True, slots=True)
class Measure:
    """How the `used` of a line (quantity x milliseconds) becomes an amount of a unit: so many of it are one."""

    unit: str
    used_per_unit: int


_BASES = {
    "task.cpu": ("vCPU", 1000),
    "task.memory": ("GiB", 1000),
    "task.gpu": ("GPU", 1000),
    "storage.": ("GiB", 2**30),
    "egress.": ("GiB", 2**30),
    "retrieval.": ("GiB", 2**30),
    "requests.": ("Requests", 1),
    "tokens.": ("Tokens", 1),
    "outside.": ("USD", MICROS),
}
"""The unit of a SKU that begins so, and how much of the meter's quantity is one of it."""
_MONEY = (NODE_MONEY, FEE, USED)
"""Their quantity is money itself."""
_COUNTED = ("egress.", "retrieval.", "requests.", "tokens.", "outside.")
_TIMES = {HOUR_S: "Hours", MONTH_S: "Months", 86_400: "Days", 1: "Seconds", 60: "Minutes"}
_HOUR_MS, _SECOND_MS = HOUR_S * 1000, 1000


def is_counted(sku: str) -> bool:
    """Whether a SKU counts things or bytes, and not how long something was there."""
    return sku.startswith(_COUNTED)


def consumed_in(sku: str) -> Measure:
    """The unit in which use of a SKU is told, whatever its price is for."""
    if sku in _MONEY:
        return Measure("USD", MICROS * _HOUR_MS)
    unit, per_unit = _base(sku)
    if sku.startswith(_COUNTED):
        return Measure(unit, per_unit * _SECOND_MS)
    return Measure(f"{unit}-Hours", per_unit * _HOUR_MS)


def priced_in(sku: str, price: Price) -> tuple[Measure, int]:
    """The unit that a price is for, and the price of one in micro-units: their product is what is paid."""
    if sku in _MONEY:
        # Its quantity is the node's own price: one of a US dollar's worth costs a dollar.
        return Measure("USD", MICROS * _HOUR_MS), MICROS
    if sku == OUTSIDE:
        return Measure("USD", MICROS * _SECOND_MS), MICROS
    unit, per_unit = _base(sku)
    used_per_unit = price.per_quantity * price.per_s * 1000
    many = price.per_quantity // per_unit
    if sku.startswith(_COUNTED):
        return Measure(unit if many == 1 else f"{many} {unit}", used_per_unit), price.micros
    time = _TIMES.get(price.per_s, f"{price.per_s} Seconds")
    if price.per_quantity == per_unit:
        return Measure(f"{unit}-{time}", used_per_unit), price.micros
    # A whole machine's price: its vCPUs, or its memory, are one unit together.
    return Measure(f"Instance-{time}", used_per_unit), price.micros


def _base(sku: str) -> tuple[str, int]:
    return next((base for start, base in _BASES.items() if sku.startswith(start)), ("Units", 1))
