"""How is measured use kept? One row for each object and each thing that it asks for: the most that was ever used of it.

A row only grows while the same is asked for, so noting the same use twice, late or after a crash changes nothing. Who
asks for another amount begins anew: what a smaller program needed says nothing of the larger one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, select

from weyr.core.ref import Ref
from weyr.store.dialects import upsert
from weyr.store.tables.use_peaks import use_peaks

KEPT_MS = 400 * 86_400_000
"""What nobody has run for more than a year is no guide any more."""


@dataclass(frozen=True, slots=True)
class UsePeak:
    """Of one SKU: `asked` and the `peak` that was used of it by one task, in thousandths (of a core, a GiB, a device).

    `ran_ms` is the longest that one task was watched, `last_ms` when last, and `busy_ms` when it last did anything,
    0 where it was never seen to.
    """

    ref: Ref
    sku: str
    asked: int
    peak: int
    ran_ms: int
    last_ms: int
    busy_ms: int = 0


def note(connection: Connection, peaks: Iterable[UsePeak]) -> None:
    """Keeps what was measured, where it is more than is known. Promises: idempotent, in any order."""
    rows = [_row_of(peak) for peak in peaks]
    if rows:
        connection.execute(_NOTE, rows)


def peaks(connection: Connection, stack: str | None = None) -> tuple[UsePeak, ...]:
    """All that is known of a stack's objects, or of all."""
    query = select(use_peaks).where(*(() if stack is None else (use_peaks.c.stack == stack,)))
    return tuple(_peak_of(row) for row in connection.execute(query.order_by(*use_peaks.primary_key.columns)))


def drop_old(connection: Connection, now_ms: int) -> int:
    """Forgets what was last measured more than a year ago. Gives how many rows went."""
    return connection.execute(delete(use_peaks).where(use_peaks.c.last_ms < now_ms - KEPT_MS)).rowcount


def _greatest(name: str, is_same: ColumnElement[bool]) -> ColumnElement[int]:
    kept, new = use_peaks.c[name], _INSERT.excluded[name]
    return case((is_same & (kept > new), kept), else_=new)


_INSERT = upsert(use_peaks)
_SAME = use_peaks.c.asked == _INSERT.excluded.asked
_NOTE = _INSERT.on_conflict_do_update(
    index_elements=list(use_peaks.primary_key.columns),
    set_={"asked": _INSERT.excluded.asked}
    | {name: _greatest(name, _SAME) for name in ("peak", "ran_ms", "last_ms", "busy_ms")},
)


def _row_of(peak: UsePeak) -> dict[str, object]:
    numbers = {name: getattr(peak, name) for name in ("sku", "asked", "peak", "ran_ms", "last_ms", "busy_ms")}
    return {"stack": peak.ref.stack, "kind": peak.ref.kind, "name": peak.ref.name, **numbers}


def _peak_of(row: Row[Any]) -> UsePeak:
    fields = dict(row._mapping)
    ref = Ref(fields.pop("stack"), fields.pop("kind"), fields.pop("name"))
    return UsePeak(ref, **fields)
