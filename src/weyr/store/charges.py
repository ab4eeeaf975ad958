"""How is the journal read from end to end? Line by line, each with the price and the book of its meter."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from weyr.core.metering import Line, Price
from weyr.store.ledger_rows import line_of
from weyr.store.tables.ledger import journal, meters

LINES_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of the journal, and at which price of which book it was reckoned."""

    line: Line
    book: str
    price: Price | None


def count(connection: Connection, stack: str | None = None, from_day: str = "", to_day: str = "") -> int:
    """How many lines `charges` gives."""
    query = select(func.count()).select_from(journal).where(*_within(stack, from_day, to_day))
    return int(connection.execute(query).scalar_one())


def charges(connection: Connection, stack: str | None = None, from_day: str = "", to_day: str = "") -> Iterator[Charge]:
    """The lines that count for days from the first up to but without the second, by day and by meter.

    An empty day sets no bound. The connection is in use until the last line was taken.
    """
    days = connection.execute(select(journal.c.day).where(*_within(stack, from_day, to_day)).distinct()).scalars()
    streamed = connection.execution_options(yield_per=LINES_AT_ONCE)
    for day in sorted(days):
        query = select(journal, meters.c.book, meters.c.price_micros, meters.c.price_per_quantity, meters.c.price_per_s)
        query = query.join_from(journal, meters).where(*_within(stack, "", ""), journal.c.day == day)
        query = query.order_by(journal.c.meter, journal.c.number)
        for row in streamed.execute(query):
            priced = row.price_micros is not None
            price = Price(row.price_micros, row.price_per_quantity, row.price_per_s) if priced else None
            yield Charge(line_of(row), row.book, price)


def _within(stack: str | None, from_day: str, to_day: str) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = [] if stack is None else [journal.c.stack == stack]
    bounds += [journal.c.day >= from_day] if from_day else []
    return bounds + ([journal.c.day < to_day] if to_day else [])
