"""Which meters are open? In memory as the store has them, with what each limit's reach has come to, kept by difference.

The store is the truth. What is remembered of it holds while nobody else wrote: at the beginning of each step the store
is asked where it stands, and where that is another place than this writer left it at, everything is read anew. So it is
after a crash, and after anything that was written was taken back.

In a step (`together`) what is opened, read and closed is collected, and written at its end with a statement for each
table. What one object had of it is dropped where something of that object fails (`back_to`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from weyr.core.commitments import FEE
from weyr.core.decision import Spend
from weyr.core.diagnostic import StoreError
from weyr.core.metering import Account, Labels, Line, Meter, Tallied
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref
from weyr.ledger import covering
from weyr.ledger.meters import ms
from weyr.ledger.spans import Span, span_of
from weyr.ledger.standing import Standing
from weyr.store.changes import Change, Stand
from weyr.store.ledger import LedgerStore
from weyr.store.ledger_rows import labels_text
from weyr.store.periods import open_day

Key = tuple[str, str]
"""Part and SKU: an object has one open meter for each."""
Mark = tuple[int, int]
ASKED_MS = 3_600_000
"""What nobody asked about for an hour is not kept any more."""


@dataclass(slots=True)
class _Step:
    """What is to be written. `undo` is what was there before, newest last."""

    connect: Callable[[], Connection]
    added: dict[tuple[Ref, Key], Meter] = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)
    undo: list[tuple[Meter | None, Meter, Change | None]] = field(default_factory=list)
    is_checked: bool = False
    written: int = 0


class OpenMeters:
    """The open meters of one store, for its one writer."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._stand: Stand | None = None
        self._by_ref: dict[Ref, dict[Key, Meter]] = {}
        self._tallied: dict[str, Tallied] = {}
        self._accounts: dict[tuple[Ref, str], int] = {}
        self._refs: set[Ref] = set()
        self._fees = 0
        """How many commitments' fees are among them."""
        self._standings: dict[tuple[Reach, Every], Standing] = {}
        self._asked_ms: dict[tuple[Reach, Every], int] = {}
        self._reaching: dict[tuple[str, Labels, Account | None], tuple[Standing, ...]] = {}
        self._step: _Step | None = None

    # --- steps

    @contextmanager
    def together(self, connect: Callable[[], Connection]) -> Iterator[None]:
        """What is done in the block is written at its end, or not at all."""
        with self._begun(connect):
            yield

    @contextmanager
    def _begun(self, connect: Callable[[], Connection]) -> Iterator[_Step]:
        assert self._step is None, "one step at a time"
        step = self._step = _Step(connect)
        try:
            yield step
            self._flush(step)
        except BaseException:
            self.forget()
            raise
        finally:
            self._step = None

    def mark(self) -> Mark:
        """How far a step has come."""
        step = self._step
        assert step is not None, "a mark is in a step"
        return len(step.undo), step.written

    def back_to(self, mark: Mark) -> None:
        """What was done in this step since is not done. Raises: StoreError where some of it is written already."""
        step, (done, written) = self._step, mark
        assert step is not None, "a mark is in a step"
        if step.written != written:
            raise StoreError("what was written of an object cannot be taken back alone")
        while len(step.undo) > done:
            self._undo(step, *step.undo.pop())

    def forget(self) -> None:
        """The store may be another one than it was."""
        self._stand = None

    # --- what is open

    def of(self, connection: Connection, ref: Ref) -> tuple[Meter, ...]:
        """An object's open meters, oldest first."""
        self._know(connection)
        return tuple([self._placed(connection, meter) for meter in self._by_ref.get(ref, {}).values()])

    def every(self, connection: Connection) -> tuple[Meter, ...]:
        """All of them, whosever they are."""
        self._know(connection)
        return tuple([self._placed(connection, meter) for meter in self._every()])

    def is_unheard_of(self, connection: Connection, ref: Ref) -> bool:
        """Whether an object has never had a meter."""
        self._know(connection)
        return ref not in self._refs

    def add(self, connection: Connection, meter: Meter) -> None:
        """Opens a meter."""
        with self._one(connection) as step:
            self._know(connection)
            key = meter.thing.part, meter.sku
            account = self._accounts.get((meter.thing.ref, labels_text(meter.labels)), 0)
            meter = replace(meter, account=meter.account or account)
            step.added[meter.thing.ref, key] = meter
            step.undo.append((None, meter, None))
            self._put(meter)

    def save(self, connection: Connection, before: Meter, after: Meter, lines: Sequence[Line]) -> None:
        """Keeps a meter's new state together with the lines that lead to it."""
        with self._one(connection) as step:
            self._know(connection)
            if (before.thing.ref, (before.thing.part, before.sku)) in step.added:
                # It has no number yet by which its lines could name it.
                self._flush(step)
                known = self._by_ref[before.thing.ref][before.thing.part, before.sku]
                after = replace(after, id=known.id, account=known.account)
                before, lines = known, [replace(line, meter=known.id) for line in lines]
            was = step.changes.get(before.id)
            first, told = (before, ()) if was is None else (was.before, was.lines)
            step.changes[before.id] = Change(first, after, (*told, *lines))
            step.undo.append((before, after, was))
            self._put(after)
            if lines:
                self._tally(after)
                self._post(after, lines)

    def flush(self, connection: Connection) -> None:
        """Writes what is collected: something is about to be asked of the store."""
        with self._one(connection) as step:
            self._flush(step)

    def look(self, connection: Connection) -> None:
        """Lines may have been posted past this: then what was posted of each reach is asked anew."""
        if self._stand is not None and self._store.stand(connection) != self._stand:
            self._stand_by({})
            self.forget()

    # --- what limits ask

    def standing(self, reach: Reach, every: Every, now: float) -> Spend:
        """What all in a reach has come to in the running period."""
        now_ms, step = ms(now), self._step
        if step is None or not step.is_checked:
            with self._store.db.read() as connection:
                self._know(connection)
        known = self._standings.get((reach, every))
        if known is None or not known.is_of(now_ms):
            kept = {k: s for k, s in self._standings.items() if 0 <= now_ms - self._asked_ms.get(k, 0) < ASKED_MS}
            known = self._added_up(reach, every, now_ms)
            self._stand_by({**kept, (reach, every): known})
        self._asked_ms[reach, every] = now_ms
        return known.at(now_ms, self._tallied, self._rated(reach))

    def _added_up(self, reach: Reach, every: Every, now_ms: int) -> Standing:
        """From all open meters, once: after a start, for a limit that is new, and when its period begins."""
        span = span_of(every, now_ms)
        standing = Standing(reach, span, self._posted(reach, span), self._closed)
        for meter in self._every():
            if _reaches(reach, meter):
                standing.put(meter)
        for change in self._step.changes.values() if self._step is not None else ():
            for sign in _signs(reach, change.after):
                for line in change.lines:
                    standing.post(open_day(line.day, self._closed), sign * line.signed_micros)
        return standing

    def _posted(self, reach: Reach, span: Span) -> int:
        """What the store has; what is only collected comes on top."""

        def summed(connection: Connection) -> int:
            stack, days = reach.stack or None, (span.first_day, span.last_day)
            sums = self._store.sums(connection, stack, *days, is_by_day=False, is_by_sku=False)
            return sum(s.micros for s in sums if reach.covers(s.account.ref.stack, s.account.labels))

        if self._step is not None and self._step.written:
            return summed(self._step.connect())
        with self._store.db.read() as connection:
            return summed(connection)

    def _rated(self, reach: Reach) -> Iterable[Meter] | None:
        """All meters with what commitments take off their rates, where there is any."""
        if not self._fees:
            return None
        mine = tuple(
            meter
            for meter in self._every()
            if reach.stack in ("", meter.thing.ref.stack)
            or (meter.source is not None and meter.source.ref.stack == reach.stack)
        )
        with self._store.db.read() as connection:
            return covering.at_rates(connection, mine)

    def _every(self) -> Iterator[Meter]:
        return (meter for meters in self._by_ref.values() for meter in meters.values())

    @property
    def _closed(self) -> str:
        return self._stand.closed if self._stand is not None else ""

    # --- memory and store

    def _know(self, connection: Connection) -> None:
        """Reads everything, unless what is known is what the store has."""
        step = self._step
        if step is not None and step.is_checked:
            return
        stand = self._store.moved(connection, self._stand)
        if stand is not None:
            self._by_ref, self._tallied, self._fees = {}, {}, 0
            self._stand_by({})
            self._accounts = self._store.account_ids(connection)
            self._refs = {ref for ref, _ in self._accounts}
            for meter in self._store.open_meters(connection):
                self._put(meter)
                self._tally(meter)
            self._stand = stand
        if step is not None:
            step.is_checked = True

    @contextmanager
    def _one(self, connection: Connection) -> Iterator[_Step]:
        """The step that is on, or one for this alone."""
        if self._step is not None:
            yield self._step
            return
        with self._begun(lambda: connection) as step:
            yield step

    def _flush(self, step: _Step) -> None:
        if not step.added and not step.changes:
            return
        connection = step.connect()
        # What is closed first: of a thing and a SKU one meter is open at a time.
        changes = list(step.changes.values())
        self._store.save_all(connection, changes)
        if self._stand is not None:
            self._stand = replace(self._stand, seq=self._stand.seq + sum(len(change.lines) for change in changes))
        if step.added:
            newest = self._stand.newest if self._stand is not None else 0
            self._number(self._store.add_all(connection, list(step.added.values()), newest))
        step.added, step.changes, step.undo = {}, {}, []
        step.written += 1

    def _number(self, added: Sequence[Meter]) -> None:
        """The store has given meters their numbers, by which they count as they did before."""
        for meter in added:
            ref = meter.thing.ref
            self._by_ref[ref][meter.thing.part, meter.sku] = meter
            self._accounts[ref, labels_text(meter.labels)] = meter.account
            self._refs.add(ref)
        if self._stand is not None:
            self._stand = replace(self._stand, newest=max(meter.id for meter in added))

    def _undo(self, step: _Step, before: Meter | None, after: Meter, was: Change | None) -> None:
        if before is None:
            del step.added[after.thing.ref, (after.thing.part, after.sku)]
            del self._by_ref[after.thing.ref][after.thing.part, after.sku]
            for standing in self._of(after):
                standing.drop(after)
        else:
            lines = step.changes.pop(before.id).lines
            if was is not None:
                step.changes[before.id], lines = was, lines[len(was.lines) :]
            self._put(before)
            self._tally(before)
            self._post(after, lines, -1)

    # --- memory

    def _put(self, meter: Meter) -> None:
        meters, key = self._by_ref.setdefault(meter.thing.ref, {}), (meter.thing.part, meter.sku)
        was = meters.pop(key, None) if meter.closed_ms is not None else meters.get(key)
        if meter.closed_ms is None:
            meters[key] = meter
        elif not meters:
            del self._by_ref[meter.thing.ref]
        if meter.sku == FEE:
            self._fees += int(meter.closed_ms is None) - int(was is not None)
        for standing in self._of(meter):
            standing.put(meter)

    def _tally(self, meter: Meter) -> None:
        if meter.price is not None and meter.price.is_tiered:
            self._tallied[meter.price.tally] = meter.tallied

    def _placed(self, connection: Connection, meter: Meter) -> Meter:
        """The meter with what the journal has of its tally by now."""
        if meter.price is None or not meter.price.is_tiered:
            return meter
        name = meter.price.tally
        if name not in self._tallied:
            self._tallied[name] = self._store.tallied(connection, name)
        return replace(meter, tallied=self._tallied[name])

    def _post(self, meter: Meter, lines: Iterable[Line], sign: int = 1) -> None:
        for standing in self._of(meter) if lines else ():
            for mine in _signs(standing.reach, meter):
                for line in lines:
                    standing.post(open_day(line.day, self._closed), sign * mine * line.signed_micros)

    def _stand_by(self, standings: dict[tuple[Reach, Every], Standing]) -> None:
        self._standings = standings
        self._reaching = {}

    def _of(self, meter: Meter) -> tuple[Standing, ...]:
        """Whose reach a meter is in."""
        if not self._standings:
            return ()
        key = meter.thing.ref.stack, meter.labels, meter.source
        found = self._reaching.get(key)
        if found is None:
            found = self._reaching[key] = tuple(s for s in self._standings.values() if _reaches(s.reach, meter))
        return found


def _signs(reach: Reach, meter: Meter) -> Iterator[int]:
    """Once for whose a meter is, and once the other way for what it is a share of."""
    if reach.covers(meter.thing.ref.stack, meter.labels):
        yield 1
    if meter.source is not None and reach.covers(meter.source.ref.stack, meter.source.labels):
        yield -1


def _reaches(reach: Reach, meter: Meter) -> bool:
    return any(True for _ in _signs(reach, meter))
