"""A store whose server can die between any two steps of a transaction, and whose machine can lose power.

It is the production store on a real SQLite file. A kill leaves what was committed. A power cut leaves what was synced,
and of the write-ahead log beyond that as much as had reached the disk: it is cut at any byte after its last synced
one, and SQLite itself finds out what that is worth.
"""

import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from weyr.core.diagnostic import StoreError
from weyr.sim.chance import chance_of
from weyr.store.database import Database
from weyr.store.migrate import migrate

NORMAL = 1
"""SQLite's `PRAGMA synchronous` up to which a commit does not wait for the disk."""


class Moment(StrEnum):
    """The steps of a write, between any two of which something may happen."""

    BEGIN = "before it began"
    STATEMENT = "before a statement"
    COMMIT = "right before its commit"
    COMMITTED = "right after its commit"


@dataclass(frozen=True, slots=True)
class StoreRates:
    """What happens at each `Moment` of a write, as probabilities.

    `dies` kills the server there; a share of `cuts` of these deaths is a power cut. `fails` makes the write fail as a
    full disk does: undone and reported, or reported though it was kept.
    """

    dies: float = 0.0
    cuts: float = 0.0
    fails: float = 0.0


class Died(BaseException):
    """The simulated server was killed; nothing but the store is left of it. `is_power_cut`: its machine was, too.

    No ordinary exception: nobody who guards against a broken engine may survive a kill by it.
    """

    def __init__(self, when: str, is_power_cut: bool = False) -> None:
        super().__init__(when)
        self.when, self.is_power_cut = when, is_power_cut


class StoreFate:
    """What happens to a world's writes, drawn from its own source of chance."""

    def __init__(self, seed: int, rates: StoreRates) -> None:
        self.rates = rates
        self._chance = chance_of(seed, "store")

    def __call__(self, moment: Moment) -> None:
        """Lets a write pass this moment. Raises: Died, StoreError."""
        rates = self.rates
        drawn = self._chance.random()
        if drawn < rates.dies:
            raise Died(f"a write: {moment.value}", is_power_cut=self._chance.random() < rates.cuts)
        if drawn < rates.dies + rates.fails:
            raise StoreError(f"the disk is full (simulated), {moment.value}")

    def stop(self) -> None:
        self.rates = StoreRates()


class SimDatabase(Database):
    """The production `Database`, watched: `fate` is asked at each moment of each write.

    `commits` counts what was committed, `losses` the power cuts that took a commit with them.
    """

    def __init__(self, path: Path, seed: int = 0, fate: Callable[[Moment], None] = lambda _: None) -> None:
        super().__init__(path)
        self.path = path
        self.engine = self._backend.engine
        self.fate = fate
        self.commits = 0
        self.losses = 0
        self._synced_bytes = 0
        self._unsynced: list[int] = []
        self._chance: random.Random = chance_of(seed, "power")
        self._log = path.with_name(f"{path.name}-wal")
        self._is_writing = False
        self._anchor = _anchored(path)
        event.listen(self.engine, "connect", _keep_the_log)
        event.listen(self.engine, "before_cursor_execute", self._before_statement)

    @contextmanager
    def write(self, *, is_synced: bool = True) -> Iterator[Connection]:
        self.fate(Moment.BEGIN)
        with super().write(is_synced=is_synced) as connection:
            self._is_writing = True
            try:
                yield connection
            finally:
                self._is_writing = False
            self.fate(Moment.COMMIT)
            is_synced = _synchronous(connection) > NORMAL
        self._note_commit(is_synced)
        self.fate(Moment.COMMITTED)

    @property
    def unsynced(self) -> int:
        """How many commits a power cut could take with it now."""
        return len(self._unsynced)

    def peek(self, query: str) -> list[tuple[Any, ...]]:
        """What is committed, for checks: past the port, as it is asked at every step of a world."""
        return self._anchor.execute(query).fetchall()

    def cut_power(self) -> int:
        """The machine goes down, and comes back with what had reached its disk. Gives how many commits were lost."""
        main, log = self.path.read_bytes(), self._log.read_bytes() if self._log.exists() else b""
        keep = self._chance.randint(self._synced_bytes, len(log))
        self.close()
        self.path.write_bytes(main)
        self._log.write_bytes(log[:keep])
        self.path.with_name(f"{self.path.name}-shm").unlink(missing_ok=True)
        lost = sum(end > keep for end in self._unsynced)
        self.losses += bool(lost)
        with self.engine.connect() as connection:
            # Read by SQLite's own recovery, and from here on the beginning of an empty log.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        self._anchor = _anchored(self.path)
        self._synced_bytes, self._unsynced = 0, []
        return lost

    def close(self) -> None:
        super().close()
        self._anchor.close()

    def _note_commit(self, is_synced: bool) -> None:
        self.commits += 1
        end = self._log.stat().st_size
        if is_synced:
            self._synced_bytes, self._unsynced = end, []
        else:
            self._unsynced.append(end)

    def _before_statement(self, *_: object) -> None:
        if self._is_writing:
            self.fate(Moment.STATEMENT)


def _keep_the_log(connection: sqlite3.Connection, _record: object) -> None:
    """No checkpoint by itself: the log's length then says what each commit added to it."""
    connection.execute("PRAGMA wal_autocheckpoint=0")


def _anchored(path: Path) -> sqlite3.Connection:
    """A connection that does nothing but stay: SQLite empties the log when the last one goes, and one in which a
    server dies does."""
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _synchronous(connection: Connection) -> int:
    """How this transaction waits for the disk: asked of the database, not of whoever began it."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return int(driver.execute("PRAGMA synchronous").fetchone()[0])


def fresh_database(path: Path, seed: int, fate: Callable[[Moment], None], of: type[SimDatabase]) -> SimDatabase:
    """A database as it is after its migrations."""
    path.write_bytes(migrated())
    return of(path, seed, fate)


def migrated() -> bytes:
    """The file of an empty store. Migrations run once for each process: they take as long as a world."""
    if not _TEMPLATE:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "template.db"
            template = Database(file)
            migrate(template)
            template.close()
            _TEMPLATE.append(file.read_bytes())
    return _TEMPLATE[0]


_TEMPLATE: list[bytes] = []
