"""What was measured of a task that ended, as it is kept? Usages with their peaks → rows. Pure."""

from collections.abc import Iterable

from weyr.core.kind import Usage
from weyr.core.ref import Ref
from weyr.ledger.meters import ms
from weyr.store.use_peaks import UsePeak

BUSY_MILLI = 50
"""A twentieth of a core: what only waits for somebody needs less, a kernel that computes more."""


def peaks_of(ref: Ref, usages: Iterable[Usage]) -> tuple[UsePeak, ...]:
    """The most that the tasks that ended used of each SKU; spot or not is one. What was not measured is left out."""
    found: dict[str, UsePeak] = {}
    for usage in usages:
        if not usage.peak or usage.since is None or usage.until is None:
            continue
        sku, ended_ms = usage.sku.removesuffix(".spot"), ms(usage.until)
        is_busy = sku == "task.cpu" and usage.peak >= BUSY_MILLI
        new = UsePeak(
            ref, sku, usage.quantity, usage.peak, ended_ms - ms(usage.since), ended_ms, ended_ms if is_busy else 0
        )
        found[sku] = greater(found[sku], new) if sku in found else new
    return tuple(found.values())


def greater(one: UsePeak, other: UsePeak) -> UsePeak:
    """Two rows of one SKU as one, as the store merges them: the later one, where they ask for different amounts."""
    if one.asked != other.asked:
        return max(one, other, key=lambda peak: peak.last_ms)
    most = {name: max(getattr(one, name), getattr(other, name)) for name in ("peak", "ran_ms", "last_ms", "busy_ms")}
    return UsePeak(one.ref, one.sku, one.asked, **most)
