"""Where does a rehearsal keep its books? In the production store and ledger, without waiting for a disk or a minute."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from weyr.core.decision import Spend, View
from weyr.core.kind import Usage
from weyr.core.metering import Labels
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import PriceBook
from weyr.reconcile.scaling import Scaling
from weyr.sim.store import migrated
from weyr.store.database import Database


class QuickDatabase(Database):
    """A store that nobody will want after a crash: one connection, and one transaction that never ends."""

    keeps_world = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._one = self._backend.engine.connect()
        self._one.exec_driver_sql("PRAGMA synchronous=OFF")
        self._one.exec_driver_sql("BEGIN IMMEDIATE")

    def on_asked(self, call: Callable[[Connection], None]) -> None:
        """Who is to be told before any statement is sent, its own ones too."""
        event.listen(self._one, "before_cursor_execute", lambda connection, *_: call(connection))

    @classmethod
    def fresh(cls, path: Path) -> "QuickDatabase":
        path.write_bytes(migrated())
        return cls(path)

    @contextmanager
    def write(self, *, is_synced: bool = True) -> Iterator[Connection]:
        yield self._one

    @contextmanager
    def read(self) -> Iterator[Connection]:
        yield self._one

    def close(self) -> None:
        self._one.close()
        super().close()


class ForgetfulScaling(Scaling):
    """Scaling whose server is never begun anew: nothing that it learnt is kept for that."""

    def note_work(self, ref: Ref, view: View[Any]) -> None:
        return

    def unsaved(self, now: float) -> Iterator[tuple[str, str]]:
        return iter(())


class WholeLedger(Ledger):
    """The ledger with a line for what changes, and none for each minute in which nothing does: its sums are the same
    wherever lines are cut, for what is not posted yet is counted by the same rule."""

    last_spend: Spend | None = None
    """What a budget was told last."""

    def read(
        self,
        connection: Connection,
        ref: Ref,
        usages: Sequence[Usage],
        book: str | PriceBook,
        now: float,
        labels: Labels = (),
    ) -> float:
        super().read(connection, ref, usages, book, now, labels)
        return inf

    def standing(self, reach: Reach, every: Every, now: float) -> Spend:
        self.last_spend = super().standing(reach, every, now)
        return self.last_spend
