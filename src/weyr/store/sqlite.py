"""How is a store kept in one file? SQLite in WAL mode with `synchronous=FULL`: what is committed is on disk."""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import QueuePool

from weyr.core.diagnostic import StoreError

BUSY_TIMEOUT_MS = 10_000


class SqliteFile:
    """The file of one data folder. The folder's lock keeps other servers out, so it knows no lease."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.engine = _engine(path)

    def begin_read(self, connection: Connection) -> None:
        # The driver sends no BEGIN of its own (see `_configure`): without this each statement would
        # see another state, and a write would stay.
        connection.exec_driver_sql("BEGIN")

    def begin_write(self, connection: Connection, is_synced: bool, epoch: int | None) -> None:
        """Raises: StoreError for an epoch: there is no lease here to hold it against."""
        if epoch is not None:
            raise StoreError(f"{self.name} is one server's alone and has no leases")
        # Outside of the transaction: SQLite does not change it inside one. NORMAL leaves out the wait at
        # the commit and keeps the one before a checkpoint, so the database itself is never torn.
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if is_synced else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def is_lost(self, _error: Exception) -> bool:
        return False


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
