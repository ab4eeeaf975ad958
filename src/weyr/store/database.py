"""How is a fact made durable? One database behind two verbs: `read()` and `write()`.

When `write()` returns, the change is on disk, unless its caller said that it need not be. One writer at a time, and
readers never wait: so it is in one SQLite file, and so it is kept in PostgreSQL, where several servers may have
the same store open. Everything above says its statements in SQLAlchemy Core, and runs on both.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, MetaData, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, SQLAlchemyError

from weyr.core.diagnostic import StoreError
from weyr.store.place import PostgresUrl
from weyr.store.sqlite import SqliteFile

StatementFailed = SQLAlchemyError
"""What a statement raises that could not be carried out, by its name for those who need not know SQLAlchemy."""

metadata = MetaData()
"""Every table of Weyr hangs here; `store/tables/` declares them, one module per owner."""


class Backend(Protocol):
    """What SQLite and PostgreSQL do differently. `name` is the store as people may read it, without a password."""

    name: str
    engine: Engine

    def begin_read(self, connection: Connection) -> None:
        """From here on the connection sees one state."""
        ...

    def begin_write(self, connection: Connection, is_synced: bool, epoch: int | None) -> None:
        """From here on nobody else writes. Raises: Fenced where the lease's epoch is another one by now."""
        ...

    def is_lost(self, error: Exception) -> bool:
        """Whether this means that the database cannot be reached, or has let go of the connection."""
        ...


class Database:
    """One store. Takes the file of a SQLite store, or the address of one in PostgreSQL.

    `epoch`, once set, says under which lease this process acts: no write is taken from then on unless the
    lease is still of that epoch when the write begins, and nobody else can take the lease before it ends.

    Promises: what `write()` committed survives a kill at any moment, and power loss too unless it was told
    not to wait for the disk. A reader sees one consistent state for as long as its block lasts.
    """

    keeps_world = True
    """Whether objects, things and their story are written at all: a rehearsal's live in memory only."""

    def __init__(self, place: Path | PostgresUrl, instance: str = "") -> None:
        self.place = place
        self.epoch: int | None = None
        self.undone = 0
        """How often something that was written was taken back: what was remembered of it does not hold any more."""
        self._lock = threading.Lock()
        self._backend = _backend(place, instance)
        event.listen(self._backend.engine, "rollback_savepoint", self._note_undone)
        self.name = self._backend.name

    def __repr__(self) -> str:
        return f"Database({self.name})"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for looking. What it did not only look at is rolled back. Raises: StoreError."""
        with self._begun(self._backend.begin_read) as connection:
            yield connection

    @contextmanager
    def write(self, *, is_synced: bool = True) -> Iterator[Connection]:
        """A transaction: committed durably when the block ends, undone whole if it raises.

        Takes: `is_synced` False, not to wait for the disk. Everybody sees the change at once and a kill loses
        nothing; a power cut may lose it, together with all that was written after it and before the next synced
        write, and never without that: both lie in one log, in order, which a synced write takes to the disk
        up to its own end. So a later synced change is never there without an earlier one.
        Only for what will be learnt again the same way: what was seen of a thing is seen again, and what an engine
        accepted is said to it again under the same key. Whatever an engine is told next rests on a synced write.

        Raises: Fenced, with nothing written, where another server holds the lease; StoreError where the store
        does not answer. After a StoreError from the commit itself nobody knows whether it was kept.
        """

        def begin(connection: Connection) -> None:
            self._backend.begin_write(connection, is_synced, self.epoch)

        with self._lock, self._begun(begin) as connection:
            try:
                yield connection
                try:
                    connection.commit()
                except DatabaseError as e:
                    raise StoreError(f"{self.name} could not keep a change: {e.orig}") from e
            except BaseException:
                self._note_undone()
                raise

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """For one statement, which is a transaction of its own: it waits for no writer and needs no lease.

        Raises: StoreError.
        """
        with self._begun(lambda _connection: None) as connection:
            yield connection

    def close(self) -> None:
        self._backend.engine.dispose()

    def _note_undone(self, *_: object) -> None:
        self.undone += 1

    @contextmanager
    def _begun(self, begin: Callable[[Connection], None]) -> Iterator[Connection]:
        connection = self._connected(begin)
        try:
            yield connection
        except DBAPIError as e:
            connection.rollback()
            if self._backend.is_lost(e):
                raise StoreError(f"{self.name} does not answer: {e.orig}") from e
            raise
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.close()

    def _connected(self, begin: Callable[[Connection], None]) -> Connection:
        """A connection with a transaction begun. Raises: StoreError, Fenced.

        A kept connection may have been cut since it was used last. Nothing was done on it yet, so a
        second try, on a fresh one, is safe.
        """
        for is_last in (False, True):
            connection: Connection | None = None
            try:
                connection = self._backend.engine.connect()
                begin(connection)
            except BaseException as e:
                if connection is not None:
                    connection.close()
                if not (isinstance(e, Exception) and self._backend.is_lost(e)):
                    raise
                if is_last:
                    raise StoreError(f"{self.name} does not answer: {getattr(e, 'orig', e)}") from e
            else:
                return connection
        raise AssertionError("the second try gives a connection or raises")


def _backend(place: Path | PostgresUrl, instance: str) -> Backend:
    if isinstance(place, PostgresUrl):
        # Loaded on first use: a store in a file needs neither the module nor its driver.
        server: Backend = import_module("weyr.store.postgres").PostgresServer(place, instance)
        return server
    return SqliteFile(place)
