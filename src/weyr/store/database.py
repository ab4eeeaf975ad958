"""How is a fact made durable? One database behind two verbs: `read()` and `write()`.

SQLite in WAL mode with `synchronous=FULL`: when `write()` returns, the change is on disk. One
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


class Database:
    """The store of one data folder.

    Promises: what `write()` committed survives a kill at any moment, and power loss. A reader
    sees one consistent state for as long as its block lasts.
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
    def write(self) -> Iterator[Connection]:
        """A transaction: committed durably when the block ends, undone whole if it raises."""
        with self._lock, self._engine.connect() as connection:
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
