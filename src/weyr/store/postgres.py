"""How is a store kept in PostgreSQL? One writer at a time, as in a file, and fenced by the lease's epoch.

A write takes one lock of the whole store before anything else, so what it reads stays so until it commits: there
are no serialisation failures, no deadlocks, and events get their numbers in the order in which they are seen.
Whoever takes the lease over takes the same lock; so a write either commits before its server loses the lease, or it
finds another epoch and writes nothing.
"""

from importlib import import_module
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from weyr.core.diagnostic import Diagnostic, Fenced, UserError
from weyr.store.place import PostgresUrl

WRITERS = 0x57657972
"""The advisory lock that every writer takes: "Weyr" in ASCII. It counts within one database."""

LEASE = "server"
APPLICATION = "weyr"

SETTINGS = {
    "synchronous_commit": "on",
    # Nobody waits longer for a writer than a caller of the API would for an answer.
    "lock_timeout": "10s",
    "statement_timeout": "20s",
    # A writer that stopped in the middle lets go of the store by itself, should nobody take over from it.
    "idle_in_transaction_session_timeout": "20s",
    "timezone": "UTC",
}
CONNECT_S = 3
SILENT_MS = 8_000
"""After so long without an acknowledgement a connection counts as cut."""

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_WRITE = f"BEGIN; SELECT pg_advisory_xact_lock({WRITERS})"
_WRITE_UNSYNCED = f"BEGIN; SET LOCAL synchronous_commit = off; SELECT pg_advisory_xact_lock({WRITERS})"
_EPOCH = f"; SELECT (SELECT epoch FROM leases WHERE name = '{LEASE}')"


class PostgresServer:
    """A store at an address. `instance` names this process to the database, so that its sessions can be found.

    Raises: UserError where the driver is not installed.
    """

    def __init__(self, url: PostgresUrl, instance: str) -> None:
        self.name = str(url)
        self._errors = _driver().Error
        self.engine = _engine(url, instance)

    def begin_read(self, connection: Connection) -> None:
        self._run(connection, _READ)

    def begin_write(self, connection: Connection, is_synced: bool, epoch: int | None) -> None:
        """Raises: Fenced where the lease is of another epoch, or nobody's."""
        script = _WRITE if is_synced else _WRITE_UNSYNCED
        # The epoch is read by a statement of its own, after the lock is held: one that began to wait with it would
        # see the store as it was before.
        row = self._run(connection, script if epoch is None else script + _EPOCH)
        if epoch is not None and row[0] != epoch:
            raise Fenced(f"this server's lease on {self.name} has ended: epoch {epoch}, and it is {row[0]} now")

    def is_lost(self, error: Exception) -> bool:
        if isinstance(error, DBAPIError):
            return error.connection_invalidated or isinstance(error, OperationalError)
        return isinstance(error, self._errors)

    def _run(self, connection: Connection, script: str) -> Any:
        """Runs several statements in one exchange; gives the last one's row."""
        connection.begin()
        driver = connection.connection.driver_connection
        assert driver is not None, "a connection that was just taken out has its driver's"
        try:
            with driver.cursor() as cursor:
                cursor.execute(script, prepare=False)  # several statements cannot be prepared
                row = None
                while True:
                    row = cursor.fetchone() if cursor.description else None
                    if not cursor.nextset():
                        return row
        except self._errors:
            # SQLAlchemy did not see this: what is wrong with the connection must not come back from the pool.
            connection.invalidate()
            raise


def _engine(url: PostgresUrl, instance: str) -> Engine:
    given = make_url(url.secret_text).set(drivername="postgresql+psycopg")
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    ours = {
        "application_name": f"{APPLICATION} {instance}".strip(),
        "connect_timeout": str(CONNECT_S),
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "2",
        "tcp_user_timeout": str(SILENT_MS),
        "options": options,
    }
    engine = create_engine(
        given,
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=28,
        # BEGIN and COMMIT are ours to send: what a transaction begins with goes along in the same exchange.
        isolation_level="AUTOCOMMIT",
        use_native_hstore=False,
        connect_args={name: value for name, value in ours.items() if name not in given.query},
    )
    dumper = _text_dumper()

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.adapters.register_dumper(str, dumper)

    return engine


def _driver() -> Any:
    try:
        driver = import_module("psycopg")
    except ImportError as e:
        detail = "The store is in PostgreSQL, and its driver is not installed. It comes with the extra `postgres`."
        raise UserError(
            Diagnostic("PostgreSQL's driver is missing", detail, suggestion="pip install 'weyr[postgres]'")
        ) from e
    return driver


def _text_dumper() -> Any:
    plain = import_module("psycopg.types.string").StrDumperUnknown

    class TextDumper(plain):  # type: ignore[misc, valid-type]  # the driver is loaded on first use, its types with it
        """Texts as SQLite takes them. PostgreSQL has no NUL character; it is kept as the sign for what has none."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    return TextDumper
