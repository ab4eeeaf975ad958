"""Who keeps the journal: posts what no meter counted, corrects, closes months, and proves that nothing was changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.metering import Line, Meter
from weyr.core.units import money_text
from weyr.ledger import meters
from weyr.ledger.accounts import Month, month_named
from weyr.ledger.entries import Charge, Entry, correction, posting
from weyr.ledger.journal import post
from weyr.ledger.meters import ms
from weyr.ledger.tallies import Turn
from weyr.store.audit import chained, meters_fault, sums_fault
from weyr.store.database import StatementFailed
from weyr.store.ledger import LedgerStore
from weyr.store.periods import Period

ENTRY_MAX = 10**16
"""Ten billion units of the currency moved at once: more is a mistake."""
JOURNAL_MAX = 4 * 10**18
"""The database's sums have 64 bits: whatever it adds up of a journal must stay below half of that."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of an entry. `is_new` False: it was posted before, and nothing was posted now."""

    id: str
    is_new: bool
    lines: int
    micros: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the journal is what was posted: how many lines it has, the hash of the last, and the first fault."""

    lines: int
    head: str
    fault: str = ""


class Books:
    """The journal of one data folder, for whoever keeps the accounts. `now` is Unix seconds."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def enter(self, entry: Entry, now: float) -> Entered:
        """Posts an entry, once under its id.

        Raises: UserError where something else was posted under it.
        """
        with self._store.db.write() as connection:
            return self._enter(connection, entry, now)

    def correct(self, seq: int, micros: int | None, who: str, reason: str, now: float) -> Entered:
        """Takes a line back and posts it anew with another amount, or with none. The line itself stays as it is.

        Raises: UserError where there is no such line, it is a share of something else, or it was corrected otherwise
        before: it is the new line then that can be corrected.
        """
        with self._store.db.write() as connection:
            line = self._store.line(connection, seq)
            if line is None:
                detail = f"The journal has no line {seq}."
                raise UserError(Diagnostic("No such line", detail, suggestion="weyr cost lines"))
            (meter,) = self._store.meters_by_id(connection, [line.meter])
            charges = correction(line, meter, micros)
            return self._enter(connection, Entry(f"corrects-{seq}", charges, who, f"corrects {seq}: {reason}"), now)

    def close(self, name: str, who: str, now: float) -> Period:
        """Closes a month and all before it: what is posted later counts for the first open day.

        What running meters used in it is posted first. Raises: UserError where it has not ended or is closed.
        """
        month = month_named(name)
        with self._store.db.write() as connection:
            self._may_close(month, self._store.head(connection).closed, ms(now))
            turn = Turn()
            for meter in map(turn.of, self._store.open_meters(connection)):
                self._settle(connection, meter, month.end_ms, turn)
            self._store.close_period(connection, Period(month.name, month.last_day, ms(now), who))
            return self._store.periods(connection)[-1]

    def periods(self) -> tuple[Period, ...]:
        """The closed months, oldest first."""
        with self._store.db.read() as connection:
            return self._store.periods(connection)

    def lines(self, stack: str | None = None, lines_max: int = 1000) -> tuple[Line, ...]:
        with self._store.db.read() as connection:
            return self._store.lines(connection, stack, lines_max)

    def verify(self) -> Proof:
        """Reads the whole journal: every hash, every meter's count and sum, every sum by day, every closed month.

        Raises: UserError where the file itself is damaged.
        """
        try:
            with self._store.db.read() as connection:
                return _proof(self._store, connection)
        except StatementFailed as e:
            reason = getattr(e, "orig", e)
            detail = f"{reason}. No more of it can be proved; a backup that still holds can be brought back."
            raise UserError(Diagnostic("The journal cannot be read", detail, suggestion="weyr restore --help")) from e

    def _enter(self, connection: Connection, entry: Entry, now: float) -> Entered:
        micros = sum(charge.micros for charge in entry.charges)
        self._may_hold(connection, entry)
        try:
            is_new = self._store.enter(connection, entry.id, entry.digest, ms(now))
        except ValueError as e:
            detail = f"{str(e).capitalize()}: nothing was posted now. Another posting needs another id."
            raise UserError(Diagnostic("The id is taken", detail)) from e
        for charge in entry.charges if is_new else ():
            self._post(connection, charge, entry, ms(now))
        return Entered(entry.id, is_new, len(entry.charges), micros)

    def _may_hold(self, connection: Connection, entry: Entry) -> None:
        volume = sum(abs(charge.micros) for charge in entry.charges)
        if volume > ENTRY_MAX or volume + self._store.volume(connection) > JOURNAL_MAX:
            detail = f"Together its amounts are {money_text(volume)} USD: more than an entry or the journal may hold."
            raise UserError(Diagnostic("Too much money", detail))

    def _post(self, connection: Connection, charge: Charge, entry: Entry, now_ms: int) -> None:
        self._store.add_posted(connection, *posting(charge, entry, now_ms))

    def _settle(self, connection: Connection, meter: Meter, to_ms: int, turn: Turn) -> None:
        to_ms = meters.end_of(meter, to_ms)
        if meter.posted_until_ms < to_ms:
            after, lines = post(meter, to_ms, is_last=False)
            if after != meter:
                self._store.save(connection, meter, after, lines)
                turn.past(after)

    def _may_close(self, month: Month, closed: str, now_ms: int) -> None:
        if month.end_ms > now_ms:
            detail = f"{month.name} has not ended; what runs in it is still to be posted."
            raise UserError(Diagnostic("The month runs", detail, suggestion="weyr cost periods"))
        if closed >= month.last_day:
            detail = f"{month.name} is closed: every day up to {closed} is."
            raise UserError(Diagnostic("The month is closed", detail, suggestion="weyr cost periods"))


def _proof(store: LedgerStore, connection: Connection) -> Proof:
    closed = store.periods(connection)
    chain = chained(connection, {period.seq: period.hash for period in closed if period.seq})
    # What is kept beside the journal must follow from it: else a line was cut off its end, or a sum was changed.
    fault = chain.fault or _cut(closed, chain.seq) or meters_fault(connection) or sums_fault(connection)
    return Proof(chain.seq, chain.hash.hex(), fault)


def _cut(closed: Iterable[Period], seq: int) -> str:
    period = next((each for each in closed if each.seq > seq), None)
    return "" if period is None else f"{period.name} closed with {period.seq} lines, and the journal has {seq}"
