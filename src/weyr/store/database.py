"""How is a fact made durable? One database behind two verbs: `read()` and `write()`.

SQLite in WAL mode with `synchronous=FULL`: when `write()` returns, the change is on disk, unless its caller
said that it need not be. One
writer at a time, held by a lock here so that two threads queue instead of failing as busy;
readers never wait. The statements are SQLAlchemy Core, so that PostgreSQL fits the same port.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, MetaData, create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool

from weyr.core.diagnostic import StoreError

metadata = MetaData()
"""Every table of Weyr hangs here; `store/tables/` declares them, one module per owner."""

BUSY_TIMEOUT_MS = 10_000
_SYNCED, _UNSYNCED = text("PRAGMA synchronous=FULL"), text("PRAGMA synchronous=NORMAL")


class Database:
    """The store of one data folder.

    Promises: what `write()` committed survives a kill at any moment, and power loss too unless it was told
    not to wait for the disk. A reader sees one consistent state for as long as its block lasts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._engine = _engine(path)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for looking. What it did not only look at is rolled back."""
        with self._engine.connect() as connection:
            # The driver sends no BEGIN of its own (see `_configure`): without this each statement would
            # see another state, and a write would stay.
            connection.execute(text("BEGIN"))
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
        """
        with self._lock, self._engine.connect() as connection:
            # Outside of the transaction: SQLite does not change it inside one. NORMAL leaves out the wait at
            # the commit and keeps the one before a checkpoint, so the database itself is never torn.
            connection.execute(_SYNCED if is_synced else _UNSYNCED)
            connection.execute(text("BEGIN IMMEDIATE"))
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            try:
                connection.commit()
            except DatabaseError as e:
                raise StoreError(f"{self.path} could not keep a change: {e.orig}") from e

    def close(self) -> None:
        self._engine.dispose()


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=28,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        # Autocommit at the driver: BEGIN and COMMIT are ours to send, which BEGIN IMMEDIATE needs.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
