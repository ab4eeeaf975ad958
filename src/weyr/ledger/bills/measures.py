"""In which unit is something measured, on a bill and in the journal? Units of a provider to those of Measure. Pure."""

import re
from calendar import monthrange
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from weyr.ledger.bills.values import HOUR_MS, Measure
from weyr.ledger.meters import COUNTED

_UNIT = re.compile(r"(?:per )?(?P<many>\d[\d,.]*)?\s*(?P<scale>[KkMm](?=\s|$)|Million|Thousand)?\s*(?P<name>.*)")
_SCALES = {"k": 1000, "thousand": 1000, "m": 1_000_000, "million": 1_000_000}
_HOURS = {"h", "hr", "hrs", "hour", "hours", "instance-hours", "compute hours"}
_MACHINES = re.compile(r"boxusage|spotusage|dedicatedusage|instance|virtual machine|compute engine|\bvm\b|node", re.I)
_MONTHS = {"gb-mo", "gb-month", "gb-months", "gb/month", "gib-month", "gib-months", "gibibyte month", "gb month"}
_SIZES = {"gb", "gib", "gibibyte", "gigabyte"}
_MOVED = re.compile(r"transfer|egress|bytes|download|outbound|inbound|bandwidth", re.I)
_OF_MEMORY = re.compile(r"fargate|memory|ram\b", re.I)
_PRICED = {
    "task.cpu": Measure.CPU, "task.memory": Measure.MEMORY, "task.gpu": Measure.GPU, "node.": Measure.INSTANCE,
    "storage.": Measure.STORAGE, "egress.": Measure.EGRESS, "requests.": Measure.REQUESTS, "tokens.": Measure.TOKENS,
}  # fmt: skip
_PARTS_PER_UNIT = {
    Measure.CPU: 1000 * HOUR_MS, Measure.MEMORY: 1000 * HOUR_MS, Measure.GPU: 1000 * HOUR_MS,
    Measure.STORAGE: 2**30 * HOUR_MS, Measure.EGRESS: 2**30 * COUNTED, Measure.REQUESTS: COUNTED,
    Measure.TOKENS: COUNTED,
}  # fmt: skip
"""How much of a line's `used` (quantity x milliseconds) is one unit of the measure."""


@lru_cache(4096)
def measure_of(unit: str, words: str, begin_ms: int = 0) -> tuple[Measure, Decimal | None]:
    """What a provider's unit measures, and how many of the measure's own units one is; None: no such unit.

    `words` is what else is told: service, usage type, description. A month of storage is as long as the month that
    `begin_ms` is in: providers bill byte-hours by the hours of that month.
    """
    found = _UNIT.fullmatch(unit.strip())
    name = found["name"].strip().lower() if found else unit.lower()
    many = Decimal(1)
    if found and (found["many"] or found["scale"]):
        many = Decimal((found["many"] or "1").replace(",", "")) * _SCALES.get((found["scale"] or "").lower(), 1)
    if name in ("vcpu-hours", "vcpu-hour"):
        return Measure.CPU, many
    if name in ("gpu-hours", "gpu-hour"):
        return Measure.GPU, many
    if name in _HOURS or name in ("second", "seconds"):
        hours = many / 3600 if name.startswith("second") else many
        return (Measure.INSTANCE, hours) if _MACHINES.search(words) else (Measure.OTHER, None)
    if name in ("gb-hours", "gib-hours", "gb hours", "gb-hour"):
        return (Measure.MEMORY if _OF_MEMORY.search(words) else Measure.STORAGE), many
    if name in _MONTHS:
        return Measure.STORAGE, many * hours_of_month(begin_ms)
    if name in _SIZES and _MOVED.search(words):
        return Measure.EGRESS, many
    if name.endswith("requests") or name == "request":
        return Measure.REQUESTS, many
    if name.endswith("tokens") or name == "token":
        return Measure.TOKENS, many
    return Measure.OTHER, None


@lru_cache(4096)
def month_of(ms: int) -> int:
    """When the UTC month of a moment begins."""
    at = datetime.fromtimestamp(ms // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
    return int(at.timestamp()) * 1000


def hours_of_month(ms: int) -> int:
    """How many hours the UTC month of a moment has."""
    at = datetime.fromtimestamp(ms // 1000, UTC)
    return 24 * monthrange(at.year, at.month)[1]


@lru_cache(1024)
def measure_of_sku(sku: str) -> Measure:
    """What one of Weyr's own SKUs measures."""
    return next((measure for start, measure in _PRICED.items() if sku.startswith(start)), Measure.OTHER)


def quantity_of(sku: str, used: int, lasted_ms: int) -> Decimal | None:
    """How much lines of the journal count, in the unit of their measure.

    A node's meter counts its price; how long it was there is what a bill tells, too.
    """
    measure = measure_of_sku(sku)
    if measure is Measure.INSTANCE:
        return Decimal(lasted_ms) / HOUR_MS
    parts = _PARTS_PER_UNIT.get(measure)
    return None if parts is None else Decimal(used) / parts
