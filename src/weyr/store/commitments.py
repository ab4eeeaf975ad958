"""How is kept what commitments say, and what was used in each hour? In the caller's transaction, with the lines that
follow from it: after a crash either all of it is there, or none.

What was used is added up from the journal's lines, each once: `covering` says which was the last. So lines may come in
any order, and late.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, case, cast, delete, func, insert, select, update

from weyr.core.commitments import COVERABLE
from weyr.core.metering import Account
from weyr.core.ref import Ref
from weyr.store.dialects import upsert
from weyr.store.ledger_rows import labels_of
from weyr.store.tables.commitments import commitments, covering, hour_uses
from weyr.store.tables.ledger import accounts, journal, meters

KEPT_MS = 62 * 86_400_000
"""What is posted later than two months after it was used is covered by nothing any more."""
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Version:
    """What a commitment said from one moment until another; `coverage` as JSON."""

    account: Account
    coverage: str
    fee_micros_per_hour: int
    covered_micros_per_hour: int
    from_ms: int
    until_ms: int | None
    id: int = 0


@dataclass(frozen=True, slots=True)
class HourUse:
    """What one account's part used of a SKU at a book in an hour. `meter` is one that counted it, 0 for none."""

    hour_ms: int
    account: int
    part: str
    sku: str
    book: str
    micros: int
    used: int
    meter: int


@dataclass(frozen=True, slots=True)
class Posted:
    """Lines of one meter between two moments, added up where they lie within one hour."""

    meter: int
    account: int
    part: str
    sku: str
    book: str
    from_ms: int
    to_ms: int
    micros: int
    used: int
    is_entry: bool


def versions(connection: Connection) -> tuple[Version, ...]:
    """What every commitment ever said, as far back as an hour may still change."""
    return tuple(
        Version(
            _account_of(row),
            row.coverage,
            row.fee_micros_per_hour,
            row.covered_micros_per_hour,
            row.from_ms,
            row.until_ms,
            row.id,
        )
        for row in connection.execute(_VERSIONS)
    )


def end_version(connection: Connection, id: int, at_ms: int) -> None:
    connection.execute(update(commitments).where(commitments.c.id == id).values(until_ms=at_ms))


def begin_version(connection: Connection, version: Version) -> None:
    names = ("coverage", "fee_micros_per_hour", "covered_micros_per_hour", "from_ms", "until_ms")
    fields = {name: getattr(version, name) for name in names}
    connection.execute(insert(commitments), {**fields, "account": version.account.id})


def progress(connection: Connection) -> tuple[int, int] | None:
    """The last line that was read, and until when each hour is settled; None before the first commitment."""
    row = connection.execute(select(covering)).first()
    return None if row is None else (row.seq, row.settled_ms)


def set_progress(connection: Connection, seq: int, settled_ms: int) -> None:
    connection.execute(_PROGRESS, {"id": 1, "seq": seq, "settled_ms": settled_ms})


def posted_since(connection: Connection, seq: int, last: int) -> Iterator[Posted]:
    """What the lines after one and up to another count, of what commitments may cover."""
    for row in connection.execute(_POSTED_SINCE, {"after": seq, "last": last}):
        yield Posted(
            row.id,
            row.account,
            row.part,
            row.sku,
            row.book,
            row.from_ms,
            row.to_ms,
            int(row.micros),
            int(row.used),
            bool(row.is_entry),
        )


def add_uses(connection: Connection, uses: Iterable[HourUse]) -> None:
    rows = [{name: getattr(use, name) for name in HourUse.__dataclass_fields__} for use in uses]
    if rows:
        connection.execute(_ADD, rows)


def uses_in(connection: Connection, hour_ms: int) -> tuple[tuple[Account, HourUse], ...]:
    """What was used in an hour, and whose use it was."""
    names = HourUse.__dataclass_fields__
    rows = connection.execute(_USES, {"hour": hour_ms})
    return tuple((_account_of(row), HourUse(*(row._mapping[name] for name in names))) for row in rows)


def drop_old(connection: Connection, now_ms: int) -> None:
    connection.execute(delete(hour_uses).where(hour_uses.c.hour_ms < now_ms - KEPT_MS))


def _account_of(row: Row[Any]) -> Account:
    return Account(Ref(row.stack, row.kind, row.name), labels_of(row.labels), row.account)


_WHOM = (accounts.c.stack, accounts.c.kind, accounts.c.name, accounts.c.labels)
_VERSIONS = (
    select(commitments, *_WHOM).join(accounts, accounts.c.id == commitments.c.account).order_by(commitments.c.id)
)
_PROGRESS = upsert(covering)
_PROGRESS = _PROGRESS.on_conflict_do_update(
    index_elements=["id"], set_={name: _PROGRESS.excluded[name] for name in ("seq", "settled_ms")}
)
_ADD = upsert(hour_uses)
_ADD = _ADD.on_conflict_do_update(
    index_elements=["hour_ms", "account", "part", "sku", "book"],
    set_={
        "micros": hour_uses.c.micros + _ADD.excluded.micros,
        "used": hour_uses.c.used + _ADD.excluded.used,
        "meter": case((_ADD.excluded.meter > 0, _ADD.excluded.meter), else_=hour_uses.c.meter),
    },
)
_USES = select(hour_uses, *_WHOM).join(accounts, accounts.c.id == hour_uses.c.account)
_USES = _USES.where(hour_uses.c.hour_ms == bindparam("hour"))
_OWN = "expense:" + journal.c.stack + ":" + journal.c.kind + "/" + journal.c.name
_HOUR = journal.c.from_ms // _HOUR_MS * _HOUR_MS
_IS_WITHIN = (journal.c.from_ms < journal.c.to_ms) & (journal.c.to_ms <= _HOUR + _HOUR_MS)
_WHOSE = (meters.c.id, meters.c.account, meters.c.part, meters.c.sku, meters.c.book)
_FROM = case((_IS_WITHIN, _HOUR), else_=journal.c.from_ms)
_TO = case((_IS_WITHIN, _HOUR + _HOUR_MS), else_=journal.c.to_ms)
_IS_ENTRY = journal.c.entry != ""
_POSTED_SINCE = (
    select(
        *_WHOSE,
        _FROM.label("from_ms"),
        _TO.label("to_ms"),
        func.sum(case((journal.c.debit == _OWN, journal.c.micros), else_=-journal.c.micros)).label("micros"),
        func.sum(cast(journal.c.used, BigInteger)).label("used"),
        _IS_ENTRY.label("is_entry"),
    )
    .join_from(journal, meters, meters.c.id == journal.c.meter)
    .where(journal.c.seq > bindparam("after"), journal.c.seq <= bindparam("last"))
    .where(meters.c.sku.in_(COVERABLE), meters.c.source.is_(None))
    .group_by(*_WHOSE, _FROM, _TO, _IS_ENTRY)
)
"""What lies within one hour is added up where it is: there are sixty lines of each meter in one."""
