"""What do a rehearsal's meters say? Kept in memory, and in the database as soon as somebody asks that for anything.

Opening, reading and closing them are most of what is ever written of a rehearsal, and nobody reads those rows before
its bill is asked for, or a limit is to be weighed. What is written then is what the production store would have
written, in the same order; only the lines that a meter had in between are no statements of their own.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, insert, update

from weyr.core.diagnostic import StoreError
from weyr.core.metering import Line, Meter, Tallied
from weyr.core.ref import Ref
from weyr.sim.rehearsal.books import QuickDatabase
from weyr.store.changes import Change, Stand
from weyr.store.ledger import LedgerStore, post
from weyr.store.ledger_rows import key_of, labels_text, meter_row
from weyr.store.tables.ledger import accounts, meters


class QuickLedgerStore(LedgerStore):
    """The production store over a database that was empty: what it answers from memory is all that there is."""

    def __init__(self, db: QuickDatabase) -> None:
        super().__init__(db)
        self._open: dict[Ref, dict[int, Meter]] = {}
        self._accounts: dict[tuple[Ref, str], int] = {}
        self._tallied: dict[str, Tallied] = {}
        self._count = 0
        self._fresh_accounts: list[dict[str, object]] = []
        self._fresh: dict[int, Meter] = {}
        self._changed: dict[int, Meter] = {}
        self._lines: list[tuple[Meter, Line]] = []
        self._is_writing = False
        db.on_asked(self._write)

    def moved(self, connection: Connection, left: Stand | None) -> Stand | None:
        """Nobody else writes: it is where it was left."""
        return super().moved(connection, left) if left is None else None

    def tallied(self, connection: Connection, name: str) -> Tallied:
        return self._tallied.get(name, ())

    def meters_of(self, connection: Connection, ref: Ref) -> tuple[Meter, ...]:
        return tuple(self._placed(meter) for meter in self._open.get(ref, {}).values())

    def add_all(self, connection: Connection, fresh: Sequence[Meter], newest: int) -> list[Meter]:
        return [self.add(connection, meter) for meter in fresh]

    def add(self, connection: Connection, meter: Meter) -> Meter:
        self._count += 1
        account = meter.account or self._account(meter)
        meter = replace(meter, id=self._count, account=account)
        self._fresh[meter.id] = meter
        if meter.closed_ms is None:
            self._open.setdefault(meter.thing.ref, {})[meter.id] = meter
        return meter

    def save_all(self, connection: Connection, changes: Sequence[Change]) -> None:
        for change in changes:
            self._save(change.before, change.after)
            if change.lines:
                self._post(connection, change.after, change.lines)

    def _save(self, before: Meter, after: Meter) -> None:
        known = self._open.get(before.thing.ref, {})
        if before.id not in known or known[before.id].lines != before.lines:
            raise StoreError(f"meter {before.id} of {before.thing} was posted by somebody else meanwhile")
        if after.closed_ms is None:
            known[after.id] = after
        else:
            del known[after.id]
            if not known:
                del self._open[before.thing.ref]
        (self._fresh if after.id in self._fresh else self._changed)[after.id] = after

    def _post(self, connection: Connection, meter: Meter, lines: Sequence[Line]) -> None:
        self._lines += [(meter, line) for line in lines]
        if meter.price is not None and meter.price.is_tiered:
            self._tallied[meter.price.tally] = meter.tallied

    def _placed(self, meter: Meter) -> Meter:
        """With what is counted together with it by now, whichever meter used that."""
        if meter.price is None or not meter.price.is_tiered:
            return meter
        return replace(meter, tallied=self._tallied.get(meter.price.tally, ()))

    def _account(self, meter: Meter) -> int:
        key = meter.thing.ref, labels_text(meter.labels)
        if key not in self._accounts:
            self._accounts[key] = len(self._accounts) + 1
            self._fresh_accounts.append({"id": self._accounts[key], **key_of(key[0]), "labels": key[1]})
        return self._accounts[key]

    def _write(self, connection: Connection) -> None:
        """Sends what was not sent yet; whoever asks is answered from it."""
        if self._is_writing or not (self._fresh or self._changed or self._lines):
            return
        self._is_writing = True
        try:
            if self._fresh_accounts:
                connection.execute(_ADD_ACCOUNT, self._fresh_accounts)
            if self._fresh:
                connection.execute(_ADD, [{**meter_row(m), "id": m.id} for m in self._fresh.values()])
            if self._changed:
                connection.execute(_CHANGE, [{**meter_row(m), "was_id": m.id} for m in self._changed.values()])
            if self._lines:
                post(connection, self.head(connection), self._lines)
        finally:
            self._is_writing = False
        self._fresh_accounts, self._fresh, self._changed, self._lines = [], {}, {}, []


_ADD_ACCOUNT = insert(accounts)
_ADD = insert(meters)
_CHANGE = update(meters).where(meters.c.id == bindparam("was_id"))
