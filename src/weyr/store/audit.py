"""Is the journal what was posted? What the store can tell of it by itself, without a value for each line.

A million lines are read as they lie there, and their sums are made by the database: a line costs some microseconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, literal, select, union_all

from weyr.store.chain import FIRST, SEALED, seal, seal_of
from weyr.store.dialects import JsonList, tuples
from weyr.store.tables.ledger import accounts, journal, meters, spending

PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Chained:
    """How far the chain holds: the last line that does, its hash, and what is wrong with the next one, "" for none."""

    seq: int
    hash: bytes
    fault: str = ""


def chained(connection: Connection, known: dict[int, bytes]) -> Chained:
    """Reads the whole chain. `known` are hashes that lines had once, by the line: those of closed months."""
    at, hash = 0, FIRST
    for page in _pages(connection):
        for seq, told, kept in page:
            if seq != at + 1:
                return Chained(at, hash, f"line {at + 1} is missing")
            right = seal_of(hash, told)
            if right != kept and _sealed_as_read(connection, seq, hash) != kept:
                return Chained(at, hash, f"line {at + 1} or its hash was changed after it was posted")
            at, hash = seq, kept
            if at in known and known[at] != hash:
                return Chained(at, hash, f"line {at} is not the one that a closed month ended with")
    return Chained(at, hash)


def _sealed_as_read(connection: Connection, seq: int, previous: bytes) -> bytes:
    """A line's hash by the rule that it was posted by. Nobody is accused because a database wrote a sign otherwise."""
    row = connection.execute(select(journal).where(journal.c.seq == seq)).one()
    return seal(previous, row._asdict())


def meters_fault(connection: Connection) -> str:
    """The first meter that did not post what the journal has of it, or ""."""
    summed = select(journal.c.meter, func.count().label("lines"), func.sum(SIGNED).label("micros"))
    sums = summed.group_by(journal.c.meter).subquery()
    lines, micros = func.coalesce(sums.c.lines, 0), func.coalesce(sums.c.micros, 0)
    query = select(meters, lines.label("found"), micros.label("found_micros"))
    query = query.outerjoin(sums, sums.c.meter == meters.c.id)
    query = query.where((meters.c.lines != lines) | (meters.c.posted_micros != micros)).order_by(meters.c.id).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return ""
    thing = f"{row.stack}:{row.kind}/{row.name}" + (f"#{row.part}" if row.part else "")
    told = f"{row.lines} lines of {row.posted_micros} micro-units"
    return f"the meter of {thing} posted {told}, and the journal has {row.found} of {row.found_micros}"


def sums_fault(connection: Connection) -> str:
    """The first sum by account, day and SKU that does not follow from the lines, or ""."""
    nothing = literal(0)
    of_lines = journal.outerjoin(meters, meters.c.id == journal.c.meter)
    key = journal.c.day, journal.c.sku
    own = select(func.coalesce(meters.c.account, 0).label("account"), *key, SIGNED.label("posted"),
                 nothing.label("kept"), nothing.label("is_kept")).select_from(of_lines)  # fmt: skip
    shared = select(meters.c.source, *key, -SIGNED, nothing, nothing).select_from(of_lines)
    kept = select(spending.c.account, spending.c.day, spending.c.sku, nothing, spending.c.micros, literal(1))
    all_of = union_all(own, shared.where(meters.c.source.is_not(None)), kept).subquery()
    keys = all_of.c.account, all_of.c.day, all_of.c.sku
    query = select(*keys, func.sum(all_of.c.is_kept).label("is_kept")).group_by(*keys)
    query = query.having(func.sum(all_of.c.posted) != func.sum(all_of.c.kept)).order_by(*keys).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return ""
    account = connection.execute(select(accounts).where(accounts.c.id == row.account)).first()
    name = f"{account.stack}:{account.kind}/{account.name}" if account else "nobody"
    told = f"the sum of {name}, {row.day}, {row.sku}"
    return f"{told} is not that of its lines" if row.is_kept else f"{told} is missing"


_EXPENSE = literal("expense:") + journal.c.stack + ":" + journal.c.kind + "/" + journal.c.name
SIGNED = case((journal.c.debit == _EXPENSE, journal.c.micros), else_=-journal.c.micros)
"""What a line adds to its own object's spending: `Line.signed_micros`, as the database reckons it."""


def _pages(connection: Connection) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The lines as (place, what is sealed as text, hash), some thousand at a time."""
    told = JsonList([journal.c[name] for name in SEALED])
    query = select(journal.c.seq, told.label("told"), journal.c.hash).order_by(journal.c.seq).limit(PAGE)
    after = 0
    while rows := tuples(connection.execute(query.where(journal.c.seq > after))):
        yield rows
        after = rows[-1][0]
