"""What did objects use until now? Meters of the last month → what the next plan reckons with. Pure."""

from collections.abc import Iterable, Mapping

from weyr.core.assumptions import Past
from weyr.core.metering import Meter
from weyr.core.ref import Ref
from weyr.core.units import MONTH_S
from weyr.ledger.journal import used_at
from weyr.ledger.meters import COUNTED, end_of, is_counter, is_level

WINDOW_MS = MONTH_S * 1000
"""How far back it looks: what an object did before that says little of what it will do."""


def pasts_of(meters: Iterable[Meter], now_ms: int) -> Mapping[Ref, Past]:
    """What each object's meters tell of the time since its first of them in the window."""
    by_ref: dict[Ref, list[Meter]] = {}
    for meter in meters:
        if meter.run_since_ms is not None and (meter.until_ms is None or meter.until_ms > now_ms - WINDOW_MS):
            by_ref.setdefault(meter.thing.ref, []).append(meter)
    return {ref: _past(found, now_ms) for ref, found in by_ref.items()}


def _past(meters: list[Meter], now_ms: int) -> Past:
    since_ms = max(now_ms - WINDOW_MS, min(meter.run_since_ms or now_ms for meter in meters))
    runs: dict[str, int] = {}
    levels: dict[str, int] = {}
    counts: dict[str, int] = {}
    for meter in meters:
        if is_level(meter.sku):
            levels[meter.sku] = levels.get(meter.sku, 0) + (meter.quantity if meter.is_running else 0)
        elif is_counter(meter.sku):
            # A counter does not tell when it counted: of one older than the window, its even share is of it.
            life_ms = max(1, now_ms - (meter.run_since_ms or now_ms))
            used = meter.settled // COUNTED
            counts[meter.sku] = counts.get(meter.sku, 0) + used * min(life_ms, now_ms - since_ms) // life_ms
        elif meter.quantity:
            # All that a task uses runs as long as it does: its longest meter tells how long that was.
            ran_ms = _within(meter, since_ms, now_ms)
            runs[meter.thing.part] = max(ran_ms, runs.get(meter.thing.part, 0))
    return Past(
        observed_s=(now_ms - since_ms) / 1000,
        task_s=sum(runs.values()) / 1000,
        tasks=len(runs),
        levels=levels,
        counts=counts,
    )


def _within(meter: Meter, since_ms: int, now_ms: int) -> int:
    """How long it ran within the window. Runs before its present one count whole: their moments are not kept."""
    ran_ms = used_at(meter, end_of(meter, now_ms)) // meter.quantity
    return min(ran_ms, now_ms - since_ms)
