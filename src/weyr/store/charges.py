"""How is the journal read from end to end? A page of lines at a time, each with the meter that posted it."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from weyr.core.metering import Line, Meter
from weyr.store.database import Database
from weyr.store.ledger import PAGE, LedgerStore
from weyr.store.ledger_rows import line_of
from weyr.store.tables.ledger import accounts, journal, meters

METERS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of the journal, and the meter that tells its book, its price, its labels and what it is a share of."""

    line: Line
    meter: Meter


def count(connection: Connection, stack: str | None = None, from_day: str = "", to_day: str = "") -> int:
    """How many lines `charges` gives."""
    query = select(func.count()).select_from(journal).where(*_within(stack, from_day, to_day))
    return int(connection.execute(query).scalar_one())


def charges(db: Database, stack: str | None = None, from_day: str = "", to_day: str = "") -> Iterator[Charge]:
    """The lines that count for days from one up to and with another, in the journal's order; "" sets no bound.

    Of one stack: with those that share out what it pays for. Between two pages nothing is held: lines are only ever
    added, so that whoever takes a minute to read a million of them reads what one look would have seen, and more.
    """
    store, after, found = LedgerStore(db), 0, dict[int, Meter]()
    query = select(journal).where(*_within(stack, from_day, to_day)).order_by(journal.c.seq).limit(PAGE)
    while True:
        with db.read() as connection:
            page = [line_of(row) for row in connection.execute(query.where(journal.c.seq > after))]
            if len(found) > METERS_KEPT:
                found.clear()
            ids = sorted({line.meter for line in page} - found.keys())
            found |= {meter.id: meter for meter in store.meters_by_id(connection, ids)}
        yield from (Charge(line, found[line.meter]) for line in page)
        if len(page) < PAGE:
            return
        after = page[-1].seq


def _within(stack: str | None, from_day: str, to_day: str) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if stack is not None:
        shared = select(meters.c.id).join_from(meters, accounts, accounts.c.id == meters.c.source)
        bounds.append((journal.c.stack == stack) | journal.c.meter.in_(shared.where(accounts.c.stack == stack)))
    bounds += [journal.c.day >= from_day] if from_day else []
    return bounds + ([journal.c.day <= to_day] if to_day else [])
