"""What does the store have of meters and lines? Read as it is, for whoever lists, exports or adds it up himself."""

from collections.abc import Iterable, Iterator, Mapping

from weyr.core.assumptions import Past
from weyr.core.metering import Account, Line, Meter
from weyr.core.ref import Ref, ThingId
from weyr.ledger import accounts
from weyr.ledger.bills.owners import PART_CHARS_MIN
from weyr.ledger.meters import ms
from weyr.ledger.past import WINDOW_MS, pasts_of
from weyr.store import counts_by_day
from weyr.store.charges import Charge, charges, count
from weyr.store.counts_by_day import Counts
from weyr.store.ledger import LedgerStore
from weyr.store.owed import Owed, owed


class Records:
    """Reads one data folder's ledger."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def charges(self, stack: str | None = None, from_day: str = "", to_day: str = "") -> Iterator[Charge]:
        """Every line that counts for these days, as it is read."""
        return charges(self._store.db, stack, from_day, to_day)

    def count(self, stack: str | None = None, from_day: str = "", to_day: str = "") -> int:
        """How many lines `charges` gives."""
        with self._store.db.read() as connection:
            return count(connection, stack, from_day, to_day)

    def owed(self, from_day: str) -> Iterator[Owed]:
        """What is owed outside of a day and all later ones, added up: for whoever puts a bill beside it."""
        return owed(self._store.db, from_day, PART_CHARS_MIN)

    def counts(self, stack: str | None = None, from_day: str = "", to_day: str = "9999") -> Mapping[Account, Counts]:
        """What was counted of each account's things in these days: answers, tokens, bytes that left."""
        with self._store.db.read() as connection:
            return counts_by_day.counts(connection, stack, from_day, to_day)

    def spent_on(self, things: Iterable[ThingId], now: float) -> Mapping[ThingId, int]:
        """What each of these things has cost since it came up, to this moment."""
        spent = dict.fromkeys(things, 0)
        with self._store.db.read() as connection:
            for ref in sorted({thing.ref for thing in spent}):
                for meter in self._store.all_meters_of(connection, ref):
                    if meter.thing in spent:
                        due = 0 if meter.closed_ms is not None else accounts.unposted_of(meter, ms(now))
                        spent[meter.thing] += meter.posted_micros + due
        return spent

    def open_meters(self, stack: str | None = None) -> tuple[Meter, ...]:
        """Every meter that is not closed. `weyr down` leaves none."""
        with self._store.db.read() as connection:
            return self._store.open_meters(connection, stack)

    def meters_of(self, ref: Ref) -> tuple[Meter, ...]:
        """Every meter that an object ever had, closed ones too."""
        with self._store.db.read() as connection:
            return tuple(self._store.all_meters_of(connection, ref))

    def meters_since(self, stack: str | None, from_ms: int, *, has_shares: bool = True) -> tuple[Meter, ...]:
        """Every meter that counted anything after a moment, closed ones too; where asked, without those that share out
        what another one counts."""
        with self._store.db.read() as connection:
            return self._store.meters_since(connection, stack, from_ms, has_shares=has_shares)

    def pasts(self, stack: str, now: float) -> Mapping[Ref, Past]:
        """What each object of a stack used in the last month, for the next plan."""
        return pasts_of(self.meters_since(stack, ms(now) - WINDOW_MS), ms(now))

    def lines(self, stack: str | None = None, lines_max: int = 1000) -> tuple[Line, ...]:
        """The journal's newest lines, oldest of them first."""
        with self._store.db.read() as connection:
            return self._store.lines(connection, stack, lines_max)
