"""What does the journal have of what is owed outside, added up where it lies? A million lines are some thousand sums.

Whoever puts a bill beside the journal asks for objects, SKUs, days and hours, and for no line by itself: the database
adds lines up in a tenth of the time that it takes to hand them out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, func, literal, select

from weyr.core.metering import Account
from weyr.core.ref import Ref
from weyr.store.audit import SIGNED
from weyr.store.database import Database
from weyr.store.dialects import streamed
from weyr.store.ledger_rows import labels_of
from weyr.store.tables.ledger import accounts, journal, meters

PAGE = 250_000
"""So many lines are added up at once: what comes first is there soon, and no statement holds the store for long."""
HOUR_MS = 3_600_000
ENTRY_CHARS, NOTE_CHARS = len("bill-"), len("late, of 2026-11-03")
"""By so much of it an entry and a note are told apart from others: who posted a line, and of which day it is."""
_DIGITS = 12
_TEN_TO_12 = 10**_DIGITS


@dataclass(frozen=True, slots=True)
class Owed:
    """Lines of one account, book, SKU and day, between the same two hours since 1970. `micros` is what they add to
    their object's spending, `moved` what they move in either direction, `used` and `lasted_ms` what they count.
    `part` is told where it may be a resource's id, `newest` the last of them."""

    account: Account
    part: str
    book: str
    sku: str
    day: str
    entry: str
    note: str
    first_hour: int
    last_hour: int
    micros: int
    moved: int
    used: int
    lasted_ms: int
    newest: int


def owed(db: Database, from_day: str, part_chars_min: int, page: int = PAGE) -> Iterator[Owed]:
    """All lines that are owed outside and count for a day or a later one, as sums in no order; one key may come twice.

    A part of fewer than `part_chars_min` letters is left out. Between two pages nothing is held: lines are only added.
    """
    with db.read() as connection:
        known = {row.id: Account(Ref(row.stack, row.kind, row.name), labels_of(row.labels), row.id)
                 for row in connection.execute(select(accounts))}  # fmt: skip
        last = int(connection.execute(select(func.max(journal.c.seq))).scalar_one() or 0)
    part = case((func.length(journal.c.part) >= part_chars_min, journal.c.part), else_="")
    keys: list[ColumnElement[object]] = [meters.c.account, part, *_KEYS]
    query = select(*keys, *_SUMS).join_from(journal, meters, meters.c.id == journal.c.meter)
    query = query.where(_IS_OWED, journal.c.day >= from_day).group_by(*keys)
    for after in range(0, last, page):
        of_page = query.where(journal.c.seq > after, journal.c.seq <= min(last, after + page))
        with db.read() as connection:
            found = list(streamed(connection.execute(of_page)))
        for account, *told, micros, moved, high, low, lasted_ms, newest in found:
            used = int(high) * _TEN_TO_12 + int(low)
            sums: Sequence[Any] = (int(micros), int(moved), used, int(lasted_ms), newest)
            yield Owed(*(known[account], *told, *sums))


# What is shared out of a node's cost, or of a commitment's fee, is owed to nobody outside.
_PAYABLE = literal("payable:") + meters.c.book
_IS_OWED = (journal.c.credit == _PAYABLE) | (journal.c.debit == _PAYABLE)
_RUNS_ON = journal.c.to_ms > journal.c.from_ms
_KEYS = (
    meters.c.book, journal.c.sku, journal.c.day, func.substr(journal.c.entry, 1, ENTRY_CHARS),
    func.substr(journal.c.note, 1, NOTE_CHARS),
    case((_RUNS_ON, journal.c.from_ms), else_=journal.c.to_ms) // HOUR_MS,
    case((_RUNS_ON, journal.c.to_ms - 1), else_=journal.c.from_ms) // HOUR_MS,
)  # fmt: skip
# What was used may be more than 64 bits hold: its last digits and those before them are added up apart. Most is short.
_USED = func.replace(journal.c.used, "-", "")
_PADDED = literal("0" * _DIGITS) + _USED
_SIGN = case((and_(func.substr(journal.c.used, 1, 1) == "-"), -1), else_=1)
_IS_LONG = func.length(journal.c.used) > _DIGITS
_HIGH = case((_IS_LONG, _SIGN * cast(func.substr(_PADDED, 1, func.length(_USED)), BigInteger)), else_=0)
_LOW = case(
    (_IS_LONG, _SIGN * cast(func.substr(_PADDED, func.length(_USED) + 1), BigInteger)),
    else_=cast(journal.c.used, BigInteger),
)
_SUMS = (
    func.sum(SIGNED), func.sum(journal.c.micros), func.sum(_HIGH), func.sum(_LOW),
    func.sum(journal.c.to_ms - journal.c.from_ms), func.max(journal.c.seq),
)  # fmt: skip
