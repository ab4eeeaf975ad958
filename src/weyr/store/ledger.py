"""How are meters and journal lines kept? The ledger's port to the database.

Writing takes the caller's connection, so that a meter is opened in the same transaction as the
intent it belongs to. There is no way to change or remove a line.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, literal_column, select, update

from weyr.core.diagnostic import StoreError
from weyr.core.metering import Account, Line, Meter, Tallied
from weyr.core.ref import Ref, ThingId
from weyr.store.chain import FIRST, sealed
from weyr.store.changes import Change, Stand
from weyr.store.database import Database
from weyr.store.dialects import streamed, tuples, upsert
from weyr.store.ledger_rows import key_of, labels_of, labels_text, line_of, line_row, meter_of, meter_row
from weyr.store.periods import Period, in_open_days
from weyr.store.tables.ledger import accounts, entries, journal, meters, periods, spending, tallies

PAGE = 2_000
METERS_OF_A_THING_MAX = 8
"""A task uses cpu, memory, devices, and few other things."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What the journal's lines of one account, day and SKU come to; of a time, `day` is ""."""

    account: Account
    day: str
    sku: str
    micros: int


@dataclass(frozen=True, slots=True)
class Head:
    """Where the journal stands: its last line's place and hash, and the last day that is closed ("" for none)."""

    seq: int
    hash: bytes
    closed: str


class LedgerStore:
    """Meters and journal of one database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def meters_of(self, connection: Connection, ref: Ref) -> tuple[Meter, ...]:
        """The object's open meters, oldest first."""
        return _meters(connection, _OPEN_OF, key_of(ref))

    def all_meters_of(self, connection: Connection, ref: Ref) -> tuple[Meter, ...]:
        """The object's meters, closed ones too, oldest first."""
        return _meters(connection, _ALL_OF, key_of(ref))

    def open_meters(self, connection: Connection, stack: str | None = None) -> tuple[Meter, ...]:
        """Every meter that is not closed, of one stack or of all. With those that share out what a stack pays for."""
        if stack is None:
            return _meters(connection, _OPEN)
        return _meters(connection, _OPEN.where((meters.c.stack == stack) | (_source.c.stack == stack)))

    def shares_of(self, connection: Connection, ref: Ref) -> tuple[Meter, ...]:
        """The open meters, of whichever object, that share out what this object costs."""
        return _meters(connection, _SHARES_OF, {f"source_{name}": word for name, word in key_of(ref).items()})

    def shares_of_node(self, connection: Connection, account: int, node: str, from_ms: int) -> tuple[Meter, ...]:
        """The meters that share out what one node of a pool's account costs, but those closed before a moment."""
        is_of_late = meters.c.closed_ms.is_(None) | (meters.c.closed_ms > from_ms)
        return _meters(connection, _METERS.where(meters.c.source == account, is_of_late, meters.c.book == node))

    def meters_by_id(self, connection: Connection, ids: Sequence[int]) -> tuple[Meter, ...]:
        return _meters(connection, _METERS.where(meters.c.id.in_(ids)))

    def meters_since(
        self, connection: Connection, stack: str | None, from_ms: int, *, has_shares: bool = True
    ) -> tuple[Meter, ...]:
        """Every meter that counted anything after a moment, closed ones too, oldest first. Without `has_shares`, none
        that shares out what another one counts."""
        ran = meters.c.run_since_ms.is_not(None) & (meters.c.until_ms.is_(None) | (meters.c.until_ms > from_ms))
        # None is closed before it ended: said so too, an index passes over a stack's past.
        ran &= meters.c.closed_ms.is_(None) | (meters.c.closed_ms > from_ms)
        query = _METERS.where(ran) if stack is None else _METERS.where(meters.c.stack == stack, ran)
        query = query if has_shares else query.where(meters.c.source.is_(None))
        return _meters(connection, query)

    def add(self, connection: Connection, meter: Meter) -> Meter:
        """Keeps a new meter and gives it its id, and the account of its object and labels where it names none.
        Raises: IntegrityError where one is open already."""
        if not meter.account:
            meter = replace(meter, account=_account(connection, meter.thing.ref, labels_text(meter.labels)))
        key = connection.execute(_ADD, meter_row(meter)).scalar_one()
        return replace(meter, id=key)

    def save(self, connection: Connection, before: Meter, after: Meter, lines: Sequence[Line]) -> None:
        """Keeps a meter's new state together with the lines that lead to it.

        Lines of closed days count for the first open one. Raises: StoreError where the meter is not in the state
        `before` any more.
        """
        self.save_all(connection, [Change(before, after, tuple(lines))])

    def add_all(self, connection: Connection, fresh: Sequence[Meter], newest: int) -> list[Meter]:
        """Keeps new meters, with two statements for each table, and gives them their ids. Takes: meters without an
        account where their object and labels have none yet, and the id of the newest meter until now.

        Raises: IntegrityError where one of a thing and a SKU is open already.
        """
        keys = {(m.thing.ref, labels_text(m.labels)) for m in fresh if not m.account}
        if keys:
            last = connection.execute(_NEWEST_ACCOUNT).scalar_one() or 0
            connection.execute(_ADD_ACCOUNTS, [{**key_of(ref), "labels": labels} for ref, labels in sorted(keys)])
            found = self.account_ids(connection, last)
            fresh = [replace(m, account=m.account or found[m.thing.ref, labels_text(m.labels)]) for m in fresh]
        connection.execute(_ADD_METERS, [meter_row(meter) for meter in fresh])
        # Not told by the statement that adds them: with that each row would be one of its own.
        rows = connection.execute(_ADDED, {"newest": newest})
        ids = {(ThingId(Ref(row.stack, row.kind, row.name), row.part), row.sku): row.id for row in rows}
        return [replace(meter, id=ids[meter.thing, meter.sku]) for meter in fresh]

    def save_all(self, connection: Connection, changes: Sequence[Change]) -> None:
        """Keeps what became of several meters, each of which is named once, with a statement for each table.

        Raises: StoreError where a meter is not in the state before any more; nothing may be kept of all this then.
        """
        if changes:
            rows = [{**_was(change.before), **meter_row(change.after)} for change in changes]
            if connection.execute(_SAVE, rows).rowcount != len(rows):
                things = ", ".join(sorted({str(change.before.thing) for change in changes})[:5])
                raise StoreError(f"a meter of {things} was changed by somebody else meanwhile")
        posted = [(change.after, line) for change in changes for line in change.lines]
        if posted:
            post(connection, self.head(connection), posted)

    def stand(self, connection: Connection) -> Stand:
        row = connection.execute(_STAND).one()
        return Stand(row.seq or 0, row.closed or "", row.newest or 0, self.db.undone)

    def moved(self, connection: Connection, left: Stand | None) -> Stand | None:
        """Where it stands, if that is not where it was left; None where it is."""
        stand = self.stand(connection)
        return None if stand == left else stand

    def tallied(self, connection: Connection, name: str) -> Tallied:
        """What the journal has of a tally, by month."""
        return _tallied(connection, name)

    def account_ids(self, connection: Connection, after: int = 0) -> dict[tuple[Ref, str], int]:
        """Every account there is, or every newer one, by its object and its labels as they lie in the store."""
        rows = connection.execute(_ACCOUNTS_SINCE, {"after": after})
        return {(Ref(row.stack, row.kind, row.name), row.labels): row.id for row in rows}

    def add_posted(self, connection: Connection, meter: Meter, line: Line) -> None:
        """Keeps a meter that posted its only line and is closed, beside those that count here for the same thing."""
        meter = self.add(connection, meter)
        self._post(connection, meter, [replace(line, meter=meter.id)])

    def head(self, connection: Connection) -> Head:
        row = connection.execute(_HEAD).one()
        return Head(row.seq or 0, FIRST if row.hash is None else bytes(row.hash), row.closed or "")

    def enter(self, connection: Connection, id: str, digest: bytes, at_ms: int) -> bool:
        """Notes that something is posted under this id. False where the same was before.

        Raises: ValueError where something else was.
        """
        found = connection.execute(select(entries.c.digest).where(entries.c.id == id)).scalar()
        if found is not None and bytes(found) != digest:
            raise ValueError(f'something else was posted as "{id}"')
        if found is None:
            connection.execute(insert(entries), {"id": id, "digest": digest, "at_ms": at_ms})
        return found is None

    def close_period(self, connection: Connection, period: Period) -> None:
        head = self.head(connection)
        connection.execute(insert(periods), {**_period_row(period), "seq": head.seq, "hash": head.hash})

    def periods(self, connection: Connection) -> tuple[Period, ...]:
        """The closed periods, oldest first."""
        rows = connection.execute(select(periods).order_by(periods.c.name))
        return tuple(Period(r.name, r.last_day, r.closed_ms, r.who, r.seq, bytes(r.hash)) for r in rows)

    def sums(
        self,
        connection: Connection,
        stack: str | None = None,
        from_day: str = "",
        to_day: str = "9999",
        *,
        is_by_day: bool = True,
        is_by_sku: bool = True,
    ) -> Iterator[Sum]:
        """What was posted, by account and, where asked, by day and SKU; from a day up to and with another."""
        asked = ((spending.c.day, is_by_day), (spending.c.sku, is_by_sku))
        keys = [spending.c.account, *(column for column, is_asked in asked if is_asked)]
        summed = select(*keys, func.sum(spending.c.micros).label("micros")).group_by(*keys)
        if from_day or to_day < "9999":
            summed = summed.where(spending.c.day >= from_day, spending.c.day <= to_day)
        if stack is not None:
            summed = summed.where(spending.c.account.in_(select(accounts.c.id).where(accounts.c.stack == stack)))
        known = {account.id: account for account in _accounts(connection, stack)}
        for row in connection.execute(summed):
            fields = row._mapping
            yield Sum(known[row.account], fields.get("day", ""), fields.get("sku", ""), int(row.micros))

    def total(self, connection: Connection, stack: str | None, from_day: str, to_day: str) -> int:
        """What was posted for one stack or all from a day up to and with another, in micro-units."""
        query = select(func.sum(spending.c.micros)).where(spending.c.day.between(from_day, to_day))
        if stack is not None:
            query = query.join_from(spending, accounts).where(accounts.c.stack == stack)
        return int(connection.execute(query).scalar_one() or 0)

    def volume(self, connection: Connection) -> int:
        """What the sums by account, day and SKU come to, each without its sign."""
        return int(connection.execute(select(func.sum(func.abs(spending.c.micros)))).scalar_one() or 0)

    def posted_of(self, connection: Connection, ref: Ref) -> int:
        """What the journal's lines of one object come to, in micro-units."""
        return int(connection.execute(_POSTED_OF, key_of(ref)).scalar_one() or 0)

    def newest_costs(self, connection: Connection, ref: Ref, things_max: int = 20) -> tuple[int, ...]:
        """What the newest of the object's things that are over have cost, in micro-units."""
        costs: dict[str, int] = {}
        most = {"most": things_max * METERS_OF_A_THING_MAX}
        for row in connection.execute(_NEWEST_COSTS, key_of(ref) | most):
            costs[row.part] = costs.get(row.part, 0) + row.posted_micros
        return tuple(costs.values())[:things_max]

    def every(self, connection: Connection) -> tuple[Meter, ...]:
        """Every meter there ever was."""
        return _meters(connection, _METERS)

    def posted_by_thing(self, connection: Connection, stack: str | None) -> dict[str, int]:
        """What the lines of each thing's meters come to, closed ones too, less what is shared out of it.

        By the thing as it is printed. A job has an attempt for each of its starts: of a million lines half a million
        things may be left, so that their names are put together here, and what is over comes from an index alone.
        """
        names = {account.id: account.ref.absolute for account in _accounts(connection, stack)}
        found: dict[str, int] = {}
        for is_of in (meters.c.closed_ms.is_not(None), meters.c.closed_ms.is_(None)):
            own = select(meters.c.account, meters.c.part, _POSTED).where(_HAS_LINES, is_of)
            if stack is not None:
                own = own.where(meters.c.account.in_(select(accounts.c.id).where(accounts.c.stack == stack)))
            for account, part, micros in streamed(connection.execute(own.group_by(meters.c.account, meters.c.part))):
                thing = f"{names[account]}#{part}" if part else names[account]
                found[thing] = found.get(thing, 0) + int(micros)
        shared = select(meters.c.book, _POSTED).join(_source, _source.c.id == meters.c.source).group_by(meters.c.book)
        for each in connection.execute(shared if stack is None else shared.where(_source.c.stack == stack)):
            found[each.book] = found.get(each.book, 0) - int(each.micros)
        return found

    def lines(self, connection: Connection, stack: str | None = None, lines_max: int = 1000) -> tuple[Line, ...]:
        """The newest lines, oldest of them first."""
        query = select(journal).order_by(journal.c.seq.desc()).limit(lines_max)
        if stack is not None:
            query = query.where(journal.c.stack == stack)
        return tuple(line_of(row) for row in reversed(connection.execute(query).all()))

    def line(self, connection: Connection, seq: int) -> Line | None:
        row = connection.execute(select(journal).where(journal.c.seq == seq)).first()
        return None if row is None else line_of(row)

    def _post(self, connection: Connection, meter: Meter, lines: Sequence[Line]) -> None:
        post(connection, self.head(connection), [(meter, line) for line in lines])


def post(connection: Connection, head: Head, posted: Iterable[tuple[Meter, Line]]) -> None:
    """Adds lines to the journal after `head`, each told with its meter as that is afterwards, and to all sums of it."""
    each = [(meter, in_open_days(line, head.closed)) for meter, line in posted]
    connection.execute(_POST, list(sealed((line_row(line) for _, line in each), head.seq, head.hash)))
    used: dict[tuple[str, str], int] = {}
    sums: dict[tuple[int, str, str], int] = defaultdict(int)
    for meter, line in each:
        if meter.price is not None and meter.price.is_tiered:
            used |= {(meter.price.tally, month): amount for month, amount in meter.tallied}
        sums[meter.account, line.day, line.sku] += line.signed_micros
        if meter.source is not None:
            # A share moves money: it is taken away from what it is a share of.
            sums[meter.source.id, line.day, line.sku] -= line.signed_micros
    if used:
        rows = [{"tally": tally, "month": month, "used": str(amount)} for (tally, month), amount in used.items()]
        connection.execute(_TALLY, rows)
    names = ("account", "day", "sku")
    connection.execute(_COUNT, [dict(zip(names, key, strict=True), micros=micros) for key, micros in sums.items()])


_source = accounts.alias("source_account")
_METERS = (
    select(
        meters,
        accounts.c.labels,
        *(_source.c[name].label(f"source_{name}") for name in ("stack", "kind", "name", "labels")),
    )
    .join(accounts, accounts.c.id == meters.c.account)
    .outerjoin(_source, _source.c.id == meters.c.source)
    .order_by(meters.c.id)
)
_OPEN = _METERS.where(meters.c.closed_ms.is_(None))
_ALL_OF = _METERS.where(*(meters.c[key] == bindparam(key) for key in ("stack", "kind", "name")))
_OPEN_OF = _ALL_OF.where(meters.c.closed_ms.is_(None))
_SHARES_OF = _OPEN.where(*(_source.c[key] == bindparam(f"source_{key}") for key in ("stack", "kind", "name")))
_ADD = insert(meters).returning(meters.c.id)
_ADD_METERS = insert(meters)
_ADDED = select(*(meters.c[name] for name in ("id", "stack", "kind", "name", "part", "sku")))
_ADDED = _ADDED.where(meters.c.id > bindparam("newest"))
_ADD_ACCOUNTS = insert(accounts)
_NEWEST_ACCOUNT = select(func.max(accounts.c.id))
_ACCOUNTS_SINCE = select(accounts).where(accounts.c.id > bindparam("after"))
_WAS = ("id", "lines", "settled", "quantity", "run_from_ms", "counted")
"""By what it is noticed that somebody else changed a meter."""
_SAVE = update(meters).where(
    *(meters.c[name] == bindparam(f"was_{name}") for name in _WAS), meters.c.closed_ms.is_(None)
)
_FRESH_ACCOUNT = upsert(accounts)
# One statement: a row that is there is written as it is, for else its id would not be told.
_THE_ACCOUNT = _FRESH_ACCOUNT.on_conflict_do_update(
    index_elements=("stack", "kind", "name", "labels"), set_={"name": _FRESH_ACCOUNT.excluded["name"]}
).returning(accounts.c.id)
_POSTED = func.sum(meters.c.posted_micros).label("micros")
# Written out: by a number that it is told later, the planner could not tell that an index holds only these.
_HAS_LINES = meters.c.lines > literal_column("0")
_POSTED_OF = select(func.sum(spending.c.micros)).join_from(spending, accounts)
_POSTED_OF = _POSTED_OF.where(*(accounts.c[key] == bindparam(key) for key in ("stack", "kind", "name")))
_NEWEST_COSTS = (
    select(meters.c.part, meters.c.posted_micros)
    .where(*(meters.c[key] == bindparam(key) for key in ("stack", "kind", "name")))
    .where(meters.c.closed_ms.is_not(None), meters.c.run_since_ms.is_not(None))
    .order_by(meters.c.id.desc())
    .limit(bindparam("most"))
)
_POST = insert(journal)
_NEWEST = select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1).subquery()
_HEAD = select(
    select(_NEWEST.c.seq).scalar_subquery().label("seq"),
    select(_NEWEST.c.hash).scalar_subquery().label("hash"),
    select(func.max(periods.c.last_day)).scalar_subquery().label("closed"),
)
_STAND = _HEAD.add_columns(select(func.max(meters.c.id)).scalar_subquery().label("newest"))
_TALLY = upsert(tallies)
_TALLY = _TALLY.on_conflict_do_update(index_elements=["tally", "month"], set_={"used": _TALLY.excluded["used"]})
_TALLIED = select(tallies.c.month, tallies.c.used).where(tallies.c.tally == bindparam("tally")).order_by("month")
_COUNT = upsert(spending)
_COUNT = _COUNT.on_conflict_do_update(
    index_elements=["account", "day", "sku"], set_={"micros": spending.c.micros + _COUNT.excluded.micros}
)
"""Statements, built once: building one takes longer than running it."""


def _was(meter: Meter) -> dict[str, Any]:
    return {f"was_{name}": getattr(meter, name) for name in _WAS} | {"was_settled": str(meter.settled)}


def _account(connection: Connection, ref: Ref, labels: str) -> int:
    found: int = connection.execute(_THE_ACCOUNT, {**key_of(ref), "labels": labels}).scalar_one()
    return found


def _accounts(connection: Connection, stack: str | None) -> Iterable[Account]:
    query = select(accounts) if stack is None else select(accounts).where(accounts.c.stack == stack)
    for row in connection.execute(query):
        yield Account(Ref(row.stack, row.kind, row.name), labels_of(row.labels), row.id)


def _period_row(period: Period) -> dict[str, Any]:
    return {name: getattr(period, name) for name in ("name", "last_day", "closed_ms", "who")}


def _meters(connection: Connection, query: Select[Any], values: Mapping[str, str] | None = None) -> tuple[Meter, ...]:
    found = tuple(map(meter_of, tuples(connection.execute(query, values))))
    names = {meter.price.tally for meter in found if meter.price is not None and meter.price.is_tiered}
    if not names:
        return found
    known = {name: _tallied(connection, name) for name in names}
    return tuple(
        replace(meter, tallied=known[meter.price.tally]) if meter.price and meter.price.is_tiered else meter
        for meter in found
    )


def _tallied(connection: Connection, name: str) -> Tallied:
    return tuple((row.month, int(row.used)) for row in connection.execute(_TALLIED, {"tally": name}))
