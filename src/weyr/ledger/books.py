"""Who keeps the journal: posts what no meter counted, corrects, closes months, and proves that nothing was changed."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.metering import Line, Meter
from weyr.ledger import meters
from weyr.ledger.accounts import Month, month_named
from weyr.ledger.entries import Charge, Entry, correction, posting
from weyr.ledger.journal import post
from weyr.ledger.meters import ms
from weyr.ledger.tallies import Turn
from weyr.store.chain import FIRST, seal
from weyr.store.ledger import LedgerStore
from weyr.store.ledger_rows import line_of
from weyr.store.periods import Period


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
        """Reads the whole journal: every hash, every meter's count and sum, every sum by day, every closed month."""
        with self._store.db.read() as connection:
            return _proof(self._store, connection)

    def _enter(self, connection: Connection, entry: Entry, now: float) -> Entered:
        micros = sum(charge.micros for charge in entry.charges)
        try:
            is_new = self._store.enter(connection, entry.id, entry.digest, ms(now))
        except ValueError as e:
            detail = f"{str(e).capitalize()}: nothing was posted now. Another posting needs another id."
            raise UserError(Diagnostic("The id is taken", detail)) from e
        for charge in entry.charges if is_new else ():
            self._post(connection, charge, entry, ms(now))
        return Entered(entry.id, is_new, len(entry.charges), micros)

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
    seq, previous = 0, FIRST
    counts: dict[int, int] = defaultdict(int)
    micros: dict[int, int] = defaultdict(int)
    days: dict[tuple[int, str, str], int] = defaultdict(int)
    closed = {period.seq: period for period in store.periods(connection)}
    of = {meter.id: (meter.account, meter.source.id if meter.source else None) for meter in store.every(connection)}
    for row in store.all_rows(connection):
        if row.seq != seq + 1:
            return Proof(seq, previous.hex(), f"line {seq + 1} is missing")
        if bytes(row.hash) != seal(previous, row._asdict()):
            return Proof(seq, previous.hex(), f"line {row.seq} or its hash was changed after it was posted")
        seq, previous, line = row.seq, bytes(row.hash), line_of(row)
        if seq in closed and closed[seq].hash != previous:
            fault = f"the lines up to {seq} are not those that {closed[seq].name} closed with"
            return Proof(seq, previous.hex(), fault)
        counts[line.meter] += 1
        micros[line.meter] += line.signed_micros
        account, source = of.get(line.meter, (0, None))
        days[account, line.day, line.sku] += line.signed_micros
        if source is not None:
            days[source, line.day, line.sku] -= line.signed_micros
    return Proof(seq, previous.hex(), _sums_fault(store, connection, seq, counts, micros, days))


def _sums_fault(
    store: LedgerStore,
    connection: Connection,
    seq: int,
    counts: dict[int, int],
    micros: dict[int, int],
    days: dict[tuple[int, str, str], int],
) -> str:
    """What is kept beside the journal must follow from it: else a line was cut off its end, or a sum was changed."""
    for period in store.periods(connection):
        if period.seq > seq:
            return f"{period.name} closed with {period.seq} lines, and the journal has {seq}"
    for meter in store.every(connection):
        if (meter.lines, meter.posted_micros) != (counts[meter.id], micros[meter.id]):
            told = f"{meter.lines} lines of {meter.posted_micros} micro-units"
            return f"the meter of {meter.thing} posted {told}, and the journal has {counts[meter.id]}"
    for each in store.sums(connection):
        if days.pop((each.account.id, each.day, each.sku), 0) != each.micros:
            return f"the sum of {each.account.ref.absolute}, {each.day}, {each.sku} is not that of its lines"
    lost = next((key for key, sum_micros in days.items() if sum_micros), None)
    return "" if lost is None else f"a sum of {lost[1]}, {lost[2]} is missing"
