"""How are meters and journal lines kept? The ledger's port to the database.

Writing takes the caller's connection, so that a meter is opened in the same transaction as the
intent it belongs to. There is no way to change or remove a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, case, func, insert, select, update

from weyr.core.diagnostic import StoreError
from weyr.core.metering import Line, Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.store.database import Database
from weyr.store.tables.ledger import journal, meters, spending


class By(StrEnum):
    """By what a bill can be split up."""

    STACK = "stack"
    KIND = "kind"
    OBJECT = "object"
    THING = "thing"
    DAY = "day"
    SKU = "sku"


@dataclass(frozen=True, slots=True)
class Posted:
    """What the journal's lines of one key come to."""

    key: str
    micros: int


class LedgerStore:
    """Meters and journal of one database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def meters_of(self, connection: Connection, ref: Ref) -> tuple[Meter, ...]:
        """The object's open meters, oldest first."""
        return _meters(connection, _OPEN_OF, _key_of(ref))

    def all_meters_of(self, connection: Connection, ref: Ref) -> tuple[Meter, ...]:
        """The object's meters, closed ones too, oldest first."""
        return _meters(connection, _ALL_OF, _key_of(ref))

    def open_meters(self, connection: Connection, stack: str | None = None) -> tuple[Meter, ...]:
        """Every meter that is not closed, of one stack or of all."""
        return _meters(connection, _OPEN.where(*_in_stack(meters.c.stack, stack)))

    def meters_since(self, connection: Connection, stack: str | None, from_ms: int) -> tuple[Meter, ...]:
        """Every meter that counted anything after a moment, closed ones too, oldest first."""
        ran = meters.c.run_since_ms.is_not(None) & (meters.c.until_ms.is_(None) | (meters.c.until_ms > from_ms))
        query = select(meters).where(ran, *_in_stack(meters.c.stack, stack)).order_by(meters.c.id)
        return _meters(connection, query)

    def add(self, connection: Connection, meter: Meter) -> Meter:
        """Keeps a new meter and gives it its id. Raises: IntegrityError where one is open already."""
        key = connection.execute(_ADD, _fields_of(meter)).scalar_one()
        return replace(meter, id=key)

    def save(self, connection: Connection, before: Meter, after: Meter, lines: Sequence[Line]) -> None:
        """Keeps a meter's new state together with the lines that lead to it.

        Raises: StoreError where the meter is not in the state `before` any more; nothing is posted then.
        """
        was = {"was_id": before.id, "was_lines": before.lines}
        changed = connection.execute(_SAVE, {**was, **_fields_of(after)})
        if changed.rowcount != 1:
            raise StoreError(f"meter {before.id} of {before.thing} was posted by somebody else meanwhile")
        if lines:
            connection.execute(_POST, [_row_of(line) for line in lines])
        for line in lines:
            _add_to_day(connection, line)

    def posted(
        self, connection: Connection, by: By, stack: str | None = None, from_day: str = ""
    ) -> tuple[Posted, ...]:
        """What was posted, by key, in the keys' order; days before `from_day` are left out."""
        key, micros = _key(by).label("key"), func.sum(spending.c.micros).label("micros")
        query = select(key, micros).join_from(spending, meters).group_by(key).order_by(key)
        query = query.where(spending.c.day >= from_day, *_in_stack(meters.c.stack, stack))
        return tuple(Posted(str(row.key), int(row.micros)) for row in connection.execute(query))

    def posted_of(self, connection: Connection, ref: Ref) -> int:
        """What the journal's lines of one object come to, in micro-units."""
        return int(connection.execute(_POSTED_OF, _key_of(ref)).scalar_one() or 0)

    def lines(self, connection: Connection, stack: str | None = None, lines_max: int = 1000) -> tuple[Line, ...]:
        """The newest lines, oldest of them first."""
        query = select(journal).where(*_in_stack(journal.c.stack, stack))
        query = query.order_by(journal.c.to_ms.desc(), journal.c.meter.desc(), journal.c.number.desc())
        return tuple(line_of(row) for row in reversed(connection.execute(query.limit(lines_max)).all()))


_OPEN = select(meters).where(meters.c.closed_ms.is_(None)).order_by(meters.c.id)
_ALL_OF = select(meters).where(*(meters.c[key] == bindparam(key) for key in ("stack", "kind", "name")))
_ALL_OF = _ALL_OF.order_by(meters.c.id)
_OPEN_OF = _ALL_OF.where(meters.c.closed_ms.is_(None))
_ADD = insert(meters).returning(meters.c.id)
_SAVE = update(meters).where(
    meters.c.id == bindparam("was_id"), meters.c.lines == bindparam("was_lines"), meters.c.closed_ms.is_(None)
)
_POSTED_OF = select(func.sum(spending.c.micros)).join_from(spending, meters)
_POSTED_OF = _POSTED_OF.where(*(meters.c[key] == bindparam(key) for key in ("stack", "kind", "name")))
_POST = insert(journal)
_OF_DAY = (spending.c.meter == bindparam("of_meter")) & (spending.c.day == bindparam("of_day"))
_ADD_TO_DAY = update(spending).where(_OF_DAY).values(micros=spending.c.micros + bindparam("more"))
_NEW_DAY = insert(spending)
"""Statements, built once: building one takes longer than running it."""


def _add_to_day(connection: Connection, line: Line) -> None:
    added = {"of_meter": line.meter, "of_day": line.day, "more": line.signed_micros}
    if not connection.execute(_ADD_TO_DAY, added).rowcount:
        connection.execute(_NEW_DAY, {"meter": line.meter, "day": line.day, "micros": line.signed_micros})


def _key_of(ref: Ref) -> dict[str, str]:
    return {"stack": ref.stack, "kind": ref.kind, "name": ref.name}


def _in_stack(column: ColumnElement[str], stack: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if stack is None else (column == stack,)


def _key(by: By) -> ColumnElement[str]:
    c = meters.c
    ref = c.stack + ":" + c.kind + "/" + c.name
    match by:
        case By.STACK:
            return c.stack
        case By.KIND:
            return c.kind
        case By.OBJECT:
            return ref
        case By.THING:
            return case((c.part == "", ref), else_=ref + "#" + c.part)
        case By.DAY:
            return spending.c.day
        case By.SKU:
            return c.sku


def _meters(connection: Connection, query: Select[Any], values: Mapping[str, str] | None = None) -> tuple[Meter, ...]:
    return tuple(_meter_of(row) for row in connection.execute(query, values))


def _as_dict(meter: Meter) -> dict[str, Any]:
    return {name: getattr(meter, name) for name in Meter.__dataclass_fields__}


def _fields_of(meter: Meter) -> dict[str, Any]:
    fields = _as_dict(meter)
    price, thing = fields.pop("price"), fields.pop("thing")
    del fields["id"]
    return fields | {
        "stack": thing.ref.stack,
        "kind": thing.ref.kind,
        "name": thing.ref.name,
        "part": thing.part,
        "price_micros": price and price.micros,
        "price_per_quantity": price and price.per_quantity,
        "price_per_s": price and price.per_s,
        "settled": str(meter.settled),
        "posted": str(meter.posted),
    }


def _meter_of(row: Row[Any]) -> Meter:
    price = None
    if row.price_micros is not None:
        price = Price(row.price_micros, row.price_per_quantity, row.price_per_s)
    return Meter(
        thing=_thing_of(row),
        sku=row.sku,
        book=row.book,
        price=price,
        opened_ms=row.opened_ms,
        id=row.id,
        quantity=row.quantity,
        run_since_ms=row.run_since_ms,
        run_from_ms=row.run_from_ms,
        until_ms=row.until_ms,
        settled=int(row.settled),
        posted=int(row.posted),
        posted_micros=row.posted_micros,
        posted_until_ms=row.posted_until_ms,
        lines=row.lines,
        counted=row.counted,
        closed_ms=row.closed_ms,
    )


def _row_of(line: Line) -> dict[str, Any]:
    fields = {name: getattr(line, name) for name in Line.__dataclass_fields__ if name != "thing"}
    ref = line.thing.ref
    return fields | {
        "stack": ref.stack,
        "kind": ref.kind,
        "name": ref.name,
        "part": line.thing.part,
        "used": str(line.used),
    }


def line_of(row: Row[Any]) -> Line:
    """A row of the journal's table as a line."""
    return Line(
        meter=row.meter,
        number=row.number,
        thing=_thing_of(row),
        sku=row.sku,
        from_ms=row.from_ms,
        to_ms=row.to_ms,
        used=int(row.used),
        micros=row.micros,
        debit=row.debit,
        credit=row.credit,
        day=row.day,
    )


def _thing_of(row: Row[Any]) -> ThingId:
    return ThingId(Ref(row.stack, row.kind, row.name), row.part)
