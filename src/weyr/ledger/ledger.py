"""The ledger as the loop and the server see it: open, read, close, and what it all comes to.

The three that write take the caller's connection: a meter is opened in the transaction that
writes the intent, and a reading is kept with what else was learnt of the thing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from math import inf
from typing import Protocol

from sqlalchemy import Connection

from weyr.core.commitments import FEE, Coverage
from weyr.core.decision import Cost, Spend
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.kind import Usage
from weyr.core.metering import Account, Labels, Meter, Price, Reserved
from weyr.core.reach import Every, Expected, Reach
from weyr.core.ref import Ref, ThingId
from weyr.core.units import HOUR_S
from weyr.ledger import accounts, allowance, covering, meters
from weyr.ledger.accounts import EVERYTHING, Daily, Scope
from weyr.ledger.accounts import Cost as Bill
from weyr.ledger.commitments import Terms, left_for, terms_of
from weyr.ledger.days import Days, days_of
from weyr.ledger.grouping import By, Grouping, key_of, placed, summed
from weyr.ledger.journal import day_of
from weyr.ledger.measured import peaks_of
from weyr.ledger.meters import ms
from weyr.ledger.node_shares import WHOLE, left_of
from weyr.ledger.open_meters import OpenMeters
from weyr.ledger.prices import CPU, PriceBook
from weyr.ledger.records import Records
from weyr.ledger.spans import span_of
from weyr.ledger.tallies import Turn, in_turn
from weyr.store import counts_by_day, use_peaks
from weyr.store.ledger import LedgerStore

NOTHING = Reserved()


class Priced(Protocol):
    """Whoever knows the price books: a catalogue, or what holds the one that was refreshed last."""

    @property
    def books(self) -> Mapping[str, PriceBook]: ...

    def book(self, name: str) -> PriceBook: ...


class Ledger(Records):
    """Meters and bills of one data folder.

    Promises: idempotent. The same call again posts nothing twice, a call that was rolled back leaves
    nothing, and times may come late or repeatedly. Never asks for the time: `now` is Unix seconds.
    """

    def __init__(self, store: LedgerStore, catalogue: Priced) -> None:
        super().__init__(store)
        self._catalogue = catalogue
        self._open_meters = OpenMeters(store)

    def book(self, name: str) -> PriceBook:
        """The price book of `price_as: name`. Raises: UserError where there is none of that name."""
        return self._catalogue.book(name)

    def together(self, connect: Callable[[], Connection]) -> AbstractContextManager[None]:
        """What is opened, read and closed in the block is written at its end: little is said to the store then, however
        much it is. Takes: what begins a transaction, asked where anything is written."""
        return self._open_meters.together(connect)

    def mark(self) -> tuple[int, int]:
        """How far what is done `together` has come."""
        return self._open_meters.mark()

    def back_to(self, mark: tuple[int, int]) -> None:
        """What was opened and closed since is not. Raises: StoreError where the store has some of it already."""
        self._open_meters.back_to(mark)

    def forget(self) -> None:
        """Nothing that is remembered of the store need be so any more: it is read again."""
        self._open_meters.forget()

    def open(
        self,
        connection: Connection,
        ref: Ref,
        part: str,
        usages: Sequence[Usage],
        book: str | PriceBook,
        now: float,
        labels: Labels = (),
        reserved: Reserved = NOTHING,
    ) -> None:
        """Opens a meter for each of the part's usages, at the book's price of now; open ones are kept.

        Nothing counts yet: a task from its recorded start, storage from the first reading. What never
        came up costs nothing. `reserved` is for the part as long as it has not ended.
        """
        ours = [usage for usage in usages if usage.part == part]
        have = {m.sku for m in self._open_meters.of(connection, ref) if m.thing.part == part}
        fresh = [usage for usage in ours if usage.sku not in have]
        self._open(connection, ref, fresh, ours, book, now, labels, NOTHING if have else reserved)

    def expected_micros(
        self, connection: Connection, ref: Ref, usages: Sequence[Usage], book: str | PriceBook, expected: Expected
    ) -> int | None:
        """What a part that is about to begin can cost at most, or else what those before it did on average; None where
        neither is known. What has no price counts as nothing."""
        bounds = [] if expected.micros is None else [max(0, expected.micros)]
        if expected.seconds is not None:
            prices = self._prices(usages, book)
            known = [(price, usage.quantity) for usage in usages if (price := prices.price(usage.sku)) is not None]
            bounds.append(sum(price.cost_micros(quantity * ms(expected.seconds)) for price, quantity in known))
        if bounds:
            return min(bounds)
        if self._open_meters.is_unheard_of(connection, ref):
            return None
        past = self._store.newest_costs(connection, ref)
        return sum(past) // len(past) if past else None

    def read(
        self,
        connection: Connection,
        ref: Ref,
        usages: Sequence[Usage],
        book: str | PriceBook,
        now: float,
        labels: Labels = (),
    ) -> float:
        """Takes what was seen of the object's things; a thing nothing is known of is left out of `usages`.

        A usage that no meter was opened for (a thing adopted after a crash) gets one here.
        Gives when the same usages are to be read again, to post the next line; until then they change nothing.
        """
        open_meters = self._open_meters.of(connection, ref)
        known = {(m.thing.part, m.sku) for m in open_meters}
        missing = [usage for usage in usages if (usage.part, usage.sku) not in known]
        if missing:
            self._open_meters.flush(connection)
            missing = self._not_billed(connection, ref, missing)
            for part in sorted({usage.part for usage in missing}):
                beside = [usage for usage in usages if usage.part == part]
                self._open(connection, ref, [u for u in missing if u.part == part], beside, book, now, labels)
            self._open_meters.flush(connection)
            open_meters = self._open_meters.of(connection, ref)
        use_peaks.note(connection, peaks_of(ref, usages))
        seen = {(usage.part, usage.sku): meters.reading_of(_known(usage, now)) for usage in usages}
        again_ms, turn = inf, Turn()
        for meter in open_meters:
            reading = seen.get((meter.thing.part, meter.sku))
            if reading is not None and meter.source is not None:
                # What a task takes of its node was settled when it began there.
                reading = replace(reading, quantity=meter.quantity)
            if reading is not None:
                meter = turn.of(meter)
                posting = meters.read(meter, reading, ms(now))
                self._save(connection, meter, posting, turn)
                if meters.is_counter(meter.sku) and posting[0].settled != meter.settled:
                    counted = (posting[0].settled - meter.settled) // meters.COUNTED
                    counts_by_day.add(connection, meter.account, day_of(ms(now)), meter.sku, counted)
                again_ms = min(again_ms, meters.next_line_at(posting[0], ms(now)))
        for usage in usages:
            if usage.covers is not None:
                self._covers(connection, ref, usage, usage.covers, ms(now))
        return again_ms / 1000

    def close(self, connection: Connection, ref: Ref, part: str, at: float) -> None:
        """The thing is proved absent since `at`: its meters end there, unless they ended before."""
        turn = Turn()
        for meter in map(turn.of, self._open_meters.of(connection, ref)):
            if meter.thing.part == part:
                self._save(connection, meter, meters.close(meter, ms(at)), turn)
                if meter.sku == FEE:
                    covering.end(connection, ref, ms(at))
                    self._settle(connection, ms(at))

    def clock_was_set(self, connection: Connection, unset: float, now: float) -> None:
        """The clock was set from `unset` to `now`: what lies between is billed to nobody, or not a second time."""
        turn = Turn()
        with self.together(lambda: connection):
            for meter in map(turn.of, self._open_meters.every(connection)):
                self._save(connection, meter, meters.clock_was_set(meter, ms(unset), ms(now)), turn)

    def standing(self, reach: Reach, every: Every, now: float) -> Spend:
        """What all in a reach has come to in the running period, kept by difference: for the writer of this ledger, who
        sees what his transaction has set aside. Exact sums: `spend` may say a millionth less for each open meter."""
        return self._open_meters.standing(reach, every, now)

    def spend(self, reach: Reach, every: Every, now: float) -> Spend:
        """What all in a reach has cost in the running period, to this moment, and where the period will end."""
        with self._store.db.read() as connection:
            return self.spend_in(connection, reach, every, now)

    def spend_in(self, connection: Connection, reach: Reach, every: Every, now: float) -> Spend:
        """The same as the caller's transaction sees it, with what that has set aside."""
        span, stack = span_of(every, ms(now)), reach.stack or None
        sums = self._store.sums(connection, stack, span.first_day, span.last_day, is_by_day=False, is_by_sku=False)
        posted = sum(s.micros for s in sums if reach.covers(s.account.ref.stack, s.account.labels))
        closed = self._store.head(connection).closed
        return allowance.spend_in(reach, span, posted, self._placed(connection, stack, now), ms(now), closed)

    def object_cost(self, ref: Ref, now: float) -> Cost:
        """What one object has cost since it was made, to this moment, and what it costs per hour now."""
        with self._store.db.read() as connection:
            own = tuple(in_turn(self._store.meters_of(connection, ref), ms(now)))
            shared = self._store.shares_of(connection, ref)
            posted = self._store.posted_of(connection, ref)
        # A share without its source is a cost as any other: here it is one to take off.
        shared = tuple(replace(meter, source=None) for meter in shared)
        own = tuple(replace(meter, source=None) for meter in own)
        micros = accounts.unposted_micros(own, ms(now)) - accounts.unposted_micros(shared, ms(now))
        return Cost(posted + micros, accounts.rate_of(own) - accounts.rate_of(shared))

    def rate(self, stack: str | None = None) -> int:
        """Micro-units per hour of everything that runs, of one stack or of all."""
        with self._store.db.read() as connection:
            open_meters = covering.at_rates(connection, self._store.open_meters(connection, stack))
        return accounts.rate_of(open_meters, stack)

    def cost(self, stack: str | None, by: Grouping, now: float, scope: Scope = EVERYTHING) -> Bill:
        """The bill of `scope` (its days), split up by `by`; `stack` None means all of them.

        Raises: UserError where days are asked for by thing, of which only the whole is kept.
        """
        scope = replace(scope, stack=stack)
        if by is By.THING and (scope.from_day or scope.to_day != EVERYTHING.to_day):
            detail = "What one thing cost is kept as a whole and not by day; ask by object for a time."
            raise UserError(Diagnostic("No bill by thing for a time", detail, suggestion="weyr cost --by object"))
        # One reader throughout: a minute's line must not be counted as posted and as due.
        with self._store.db.read() as connection:
            open_meters = self._placed(connection, stack, now)
            spend = self._spend(connection, stack, open_meters, ms(now))
            posted = self._posted(connection, by, scope)
            closed = self._store.head(connection).closed
        return accounts.cost_of(by, posted, open_meters, spend, ms(now), scope, closed)

    def days(self, stack: str | None, by: Grouping, now: float, from_day: str = "", to_day: str = "") -> Days:
        """What was spent on each day, by `by`, from one day up to and with another.

        Raises: UserError where that is by thing, or by day.
        """
        if by in (By.THING, By.DAY):
            detail = f"What is told by day cannot be split up by {by} once more; ask by object."
            raise UserError(Diagnostic("No days of that", detail, suggestion="weyr cost --chart --by object"))
        first = accounts.month_of(ms(now)).first_day
        with self._store.db.read() as connection:
            open_meters = self._placed(connection, stack, now)
            # The month's line is drawn from its first day on, whichever days the bars are of.
            sums = self._store.sums(connection, stack, from_day and min(from_day, first), is_by_sku=by is By.SKU)
            posted = [Daily(each.day, key_of(by, each.account, "", each.day, each.sku), each.micros) for each in sums]
            closed = self._store.head(connection).closed
        due = accounts.due_by_day(by, open_meters, ms(now), Scope(stack), closed)
        outlook = allowance.outlook(Reach(stack or ""), open_meters, ms(now))
        return days_of(by, [*posted, *due], outlook, ms(now), from_day, to_day)

    def coverages(self) -> Mapping[str, Coverage]:
        """What each commitment last said, by its absolute ref."""
        with self._store.db.read() as connection:
            return {terms.ref.absolute: terms.coverage for terms in covering.known(connection)}

    def left_of_shared(self, stack: str, now: float) -> tuple[Terms, ...]:
        """What commitments that other stacks share leave for a stack, as all runs now."""
        with self._store.db.read() as connection:
            terms = covering.known(connection)
            if not any(each.coverage.is_shared and each.ref.stack != stack for each in terms):
                return ()
            return left_for(stack, self._store.open_meters(connection, None), terms)

    def covered_micros_per_hour(self, stack: str, book: str) -> int:
        """What of a stack's use at a book its own commitments cover in an hour, at prices on demand."""
        with self._store.db.read() as connection:
            stand = [t for t in covering.known(connection) if t.until_ms is None and t.ref.stack == stack]
        return sum(t.covered_micros_per_hour for t in stand if t.coverage.covers(book, CPU))

    def _posted(self, connection: Connection, by: Grouping, scope: Scope) -> Mapping[str, int]:
        if by is By.THING:
            return self._store.posted_by_thing(connection, scope.stack)
        found = self._store.sums(
            connection, scope.stack, scope.from_day, scope.to_day, is_by_day=by is By.DAY, is_by_sku=by is By.SKU
        )
        return summed((key_of(by, each.account, "", each.day, each.sku), each.micros) for each in found)

    def _spend(self, connection: Connection, stack: str | None, open_meters: Sequence[Meter], now_ms: int) -> Spend:
        """The running month's, as a budget of the same reach has it."""
        span = span_of(Every.MONTH, now_ms)
        posted = self._store.total(connection, stack, span.first_day, span.last_day)
        closed = self._store.head(connection).closed
        return allowance.spend_in(Reach(stack or ""), span, posted, open_meters, now_ms, closed)

    def _open(
        self,
        connection: Connection,
        ref: Ref,
        usages: Iterable[Usage],
        beside: Sequence[Usage],
        book: str | PriceBook,
        now: float,
        labels: Labels = (),
        reserved: Reserved = NOTHING,
    ) -> None:
        """`beside` is all that the thing uses at once, which is what a whole machine's price depends on."""
        prices = self._prices(beside, book)
        labels = placed(labels, prices)
        for index, usage in enumerate(usages):
            # A thing's meters share what is set aside for it: the first of them says how much that is.
            meter = Meter(
                ThingId(ref, usage.part), usage.sku, prices.name, prices.price(usage.sku), ms(now),
                labels=labels, reserved=NOTHING if index else reserved,
            )  # fmt: skip
            shared = meter if usage.of is None else self._shared(connection, meter, usage, usage.of, now)
            if shared is not None:
                self._open_meters.add(connection, shared)

    def _covers(self, connection: Connection, ref: Ref, usage: Usage, coverage: Coverage, now_ms: int) -> None:
        """A commitment was looked at: keeps what it says, and settles the hours that are over."""
        self._open_meters.flush(connection)
        fee = next((m for m in self._open_meters.of(connection, ref) if m.sku == usage.sku), None)
        if fee is None:
            return
        account = Account(ref, fee.labels, fee.account)
        if usage.until is not None and ms(usage.until) <= now_ms:
            covering.end(connection, ref, ms(usage.until))
        else:
            covering.take_up(connection, terms_of(account, coverage, self._catalogue.books, now_ms))
        self._settle(connection, now_ms)

    def _settle(self, connection: Connection, now_ms: int) -> None:
        """Posts what commitments pay for, which reads the journal and adds to it."""
        self._open_meters.flush(connection)
        covering.settle(self._store, connection, now_ms)
        self._open_meters.look(connection)

    def _prices(self, beside: Iterable[Usage], book: str | PriceBook) -> PriceBook:
        prices = self._catalogue.book(book) if isinstance(book, str) else book
        return prices.beside({usage.sku: usage.quantity for usage in beside})

    def _shared(self, connection: Connection, meter: Meter, usage: Usage, node: ThingId, now: float) -> Meter | None:
        """The meter of a share of a node: at what the node costs per hour now, from when the task began there.

        No more is shared out of a node than it costs: who comes while others have more than the rest of it has the
        rest. None where nothing is known of what the node costs, or how much of it is taken.
        """
        self._open_meters.flush(connection)
        of_node = [m for m in self._open_meters.of(connection, node.ref) if m.thing == node and m.price is not None]
        if not of_node or not usage.quantity or usage.since is None:
            return None
        since_ms = ms(usage.since)
        until_ms = ms(now if usage.until is None else usage.until)
        others = self._store.shares_of_node(connection, of_node[0].account, str(node), since_ms)
        return replace(
            meter,
            book=str(node),
            price=Price(accounts.rate_of(of_node), WHOLE, HOUR_S),
            source=Account(node.ref, of_node[0].labels, of_node[0].account),
            quantity=min(usage.quantity, left_of(others, since_ms, until_ms)),
            run_since_ms=since_ms,
            run_from_ms=since_ms,
            posted_until_ms=since_ms,
        )

    def _not_billed(self, connection: Connection, ref: Ref, usages: Sequence[Usage]) -> list[Usage]:
        """Those of `usages` whose run is on no meter yet, closed ones too: a late record is not billed twice."""
        newest: dict[tuple[str, str], int] = {}
        for meter in self._store.all_meters_of(connection, ref):
            if meter.run_since_ms is not None and not meters.is_level(meter.sku):
                run = _run_of(meter.thing.part, meter.sku)
                newest[run] = max(meter.run_since_ms, newest.get(run, 0))
        return [u for u in usages if u.since is None or ms(u.since) > newest.get(_run_of(u.part, u.sku), -1)]

    def _placed(self, connection: Connection, stack: str | None, now: float) -> tuple[Meter, ...]:
        """Every meter that is not closed, at its place in the tiers of the month and with what is covered of it."""
        return covering.at_rates(connection, tuple(in_turn(self._store.open_meters(connection, stack), ms(now))))

    def _save(self, connection: Connection, before: Meter, posting: meters.Posting, turn: Turn) -> None:
        after, lines = posting
        if after != before:
            self._open_meters.save(connection, before, after, lines)
            turn.past(after)


def _known(usage: Usage, now: float) -> Usage:
    """What is known at this moment: a term that ends later has not ended."""
    return replace(usage, until=None) if usage.covers is not None and (usage.until or 0.0) > now else usage


def _run_of(part: str, sku: str) -> tuple[str, str]:
    """What a run is told by: all that a task uses ends with it, each counter goes by itself."""
    return part, sku if meters.is_counter(sku) else ""
