"""What could be spent less? The waste finder over this server's world, and its findings as JSON."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from weyr.compose.kinds import KINDS
from weyr.compose.local import Weyr
from weyr.core.ref import Ref
from weyr.core.units import DAY_S, HOUR_S
from weyr.gateway.s3.report.left import old_folders
from weyr.gateway.s3.report.reading import buckets_in as buckets_of_index
from weyr.gateway.s3.report.reading import index_at
from weyr.ledger.advice.advise import commitments_of, savings_of, total_micros
from weyr.ledger.advice.amounts import WEEK_S
from weyr.ledger.advice.commitment import hourly_spending, terms_for
from weyr.ledger.advice.storage import CHECKPOINTS_KEPT_S
from weyr.ledger.advice.values import Change, Left, Looked, Saving
from weyr.ledger.meters import ms
from weyr.ledger.prices import CURRENCY
from weyr.server.subjects import Known, buckets_in, copied, specs_of, subjects_of
from weyr.store.use_peaks import peaks

PAST_S = 30 * DAY_S
CHECKPOINTS = "checkpoints/"


def advice_of(weyr: Weyr, stack: str, now: float, looked: Looked) -> tuple[Saving, ...]:
    """Every finding about one stack, or about all, dearest first."""
    from_ms = ms(now - PAST_S)
    with weyr.lock:
        world = copied(weyr.world)
    stacks = sorted(name for name in world.stacks if not stack or name == stack)
    books = {name: weyr.catalogue.book(world.stacks[name].price_as) for name in stacks}
    specs = specs_of(row for row in world.objects.values() if not stack or row.ref.stack == stack)
    # What is a share of a node is paid for with that node, which is looked at itself.
    meters = weyr.ledger.meters_since(stack or None, from_ms, has_shares=False)
    with weyr.db.read() as connection:
        measured = peaks(connection, stack or None)
    left = _left(weyr, buckets_in(world, stack), ms(now - CHECKPOINTS_KEPT_S))
    known = Known(now, from_ms, meters, measured, weyr.catalogue.books, left)
    found = list(savings_of(subjects_of(world, specs, known), looked))
    for name in stacks:
        own = [meter for meter in meters if meter.thing.ref.stack == name and not meter.sku.endswith(".spot")]
        begins = min((m.run_since_ms for m in own if m.run_since_ms is not None), default=looked.now_ms)
        first_ms = max(begins, from_ms)
        hours = (looked.now_ms - first_ms) // (HOUR_S * 1000)
        if hours * HOUR_S >= WEEK_S:
            book = books[name]
            mine = [meter for meter in own if meter.book == book.name]
            hourly = hourly_spending(mine, first_ms, hours, weyr.ledger.covered_micros_per_hour(name, book.name))
            taken = {ref.name for ref in specs if ref.stack == name and ref.kind == "commitment"}
            found += commitments_of(name, hourly, terms_for(book, weyr.catalogue.all_offers), looked, taken)
    return tuple(found)


def advice_json(savings: Iterable[Saving]) -> dict[str, Any]:
    listed = list(savings)
    return {
        "currency": CURRENCY,
        "savings": [_saving_json(saving) for saving in listed],
        "micros_per_month": total_micros(listed),
        "unpriced": sum(saving.micros_per_month is None for saving in listed),
    }


def _saving_json(saving: Saving) -> dict[str, Any]:
    return {
        "id": saving.id,
        "rule": saving.rule.value,
        "stack": saving.ref.stack,
        "ref": str(saving.ref),
        "detail": saving.detail,
        "micros_per_month": saving.micros_per_month,
        "confidence": saving.confidence.value,
        "changes": [
            {"ref": str(c.ref), "path": _file_path(c), "value": c.value, "before": c.before, "text": c.text}
            for c in saving.changes
        ],
        "by_hand": saving.by_hand,
        "loses": saving.loses,
        "wake": saving.wake,
    }


def _file_path(change: Change) -> list[str]:
    """Where the field stands, from the top of the stack file."""
    return [KINDS[change.ref.kind].plural, change.ref.name, *change.path]


def _left(weyr: Weyr, buckets: Iterable[tuple[Ref, str, int]], before_ms: int) -> Mapping[Ref, Mapping[str, Left]]:
    """What lies below `checkpoints/` in buckets here. Where the index cannot be read just now, nothing is known."""
    listed = [(ref, name) for ref, name, size_bytes in buckets if size_bytes]
    if not listed or not (weyr.home.path / "s3" / "index.db").exists():
        return {}
    found: dict[Ref, Mapping[str, Left]] = {}
    try:
        with index_at(weyr.home.path / "s3") as db:
            numbers = {bucket.name: bucket.id for bucket in buckets_of_index(db)}
            for ref, name in listed:
                if name in numbers:
                    folders = old_folders(db, numbers[name], CHECKPOINTS, before_ms)
                    found[ref] = {folder.prefix: Left(folder.size_bytes, folder.newest_ms) for folder in folders}
    except sqlite3.Error as e:
        weyr.loop.effects.log("advice.no_index", error=str(e))
    return found
