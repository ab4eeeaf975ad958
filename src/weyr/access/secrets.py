"""Where do the values of secrets live? Sealed in the database; opened for whom they are due, and never printed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from weyr.access.envelope import Bound, Envelope
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME, Ref
from weyr.store import access as rows
from weyr.store.access import SecretRow
from weyr.store.database import Database

VALUE_MAX_BYTES = 64 * 1024
"""An environment variable may be 128 KiB on Linux; half of it leaves room for the others."""


@dataclass(frozen=True, slots=True)
class SecretEntry:
    """A secret as it may be shown. `generation` 0: no stack asked for it yet."""

    ref: Ref
    version: int
    generation: int


class Secrets:
    """The secrets of one data folder.

    Promises: a value is sealed before it reaches the database, and only its newest version is kept.
    Raises (wherever a value is opened): UserError where the master key does not fit or the text was changed.
    """

    def __init__(self, db: Database, envelope: Envelope) -> None:
        self._db = db
        self._envelope = envelope

    def __repr__(self) -> str:
        return f"Secrets({self._db.name})"

    def set(self, stack: str, name: str, value: bytes) -> int:
        """Keeps a value, and gives its version: a new one, unless the value is the one it had.

        Raises: UserError where the name or the size cannot be.
        """
        _check(stack, name, value)
        ref = Ref(stack, "secret", name)
        with self._db.write() as connection:
            row = rows.secret_row(connection, ref) or SecretRow(ref, 0, 0, None)
            if row.sealed is not None and self._opened(row) == value:
                return row.version
            return self._put(connection, row, value).version

    def read(self, ref: Ref) -> bytes | None:
        """The value; None where it has none."""
        row = self._row(ref)
        return None if row is None or row.sealed is None else self._opened(row)

    def version(self, ref: Ref) -> int | None:
        """Which version is current; None where it has no value."""
        row = self._row(ref)
        return None if row is None or row.sealed is None else row.version

    def generation(self, ref: Ref) -> int:
        """The newest generation of the stack's wish that was taken on; 0 if there was none."""
        row = self._row(ref)
        return row.generation if row else 0

    def adopt(self, ref: Ref, generation: int, draw: Callable[[], bytes] | None) -> bool:
        """Takes on a stack's wish for the secret; without a value, `draw` gives it one, once.

        Gives False, and changes nothing, where a newer generation was taken on before.
        """
        with self._db.write() as connection:
            row = rows.secret_row(connection, ref) or SecretRow(ref, 0, 0, None)
            if row.generation > generation:
                return False
            row = replace(row, generation=generation)
            if row.sealed is None and draw is not None:
                self._put(connection, row, draw())
            else:
                rows.put_secret(connection, row)
        return True

    def delete(self, ref: Ref) -> bool:
        """Forgets the value and the wish for it. Whether there was a value."""
        with self._db.write() as connection:
            row = rows.secret_row(connection, ref)
            if row is None:
                return False
            rows.put_secret(connection, replace(row, generation=0, sealed=None))
            return row.sealed is not None

    def list(self, stack: str | None = None) -> tuple[SecretEntry, ...]:
        """The secrets that have a value, of one stack or of all; never the values."""
        with self._db.read() as connection:
            found = rows.secret_rows(connection, stack)
        return tuple(SecretEntry(row.ref, row.version, row.generation) for row in found)

    def values(self, stack: str | None = None) -> tuple[bytes, ...]:
        """Every value, to be masked where something is shown. For no other use."""
        with self._db.read() as connection:
            found = rows.secret_rows(connection, stack)
        return tuple(self._opened(row) for row in found)

    def _row(self, ref: Ref) -> SecretRow | None:
        with self._db.read() as connection:
            return rows.secret_row(connection, ref)

    def _put(self, connection: Connection, row: SecretRow, value: bytes) -> SecretRow:
        row = replace(row, version=row.version + 1)
        row = replace(row, sealed=self._envelope.seal(value, _bound(row)))
        rows.put_secret(connection, row)
        return row

    def _opened(self, row: SecretRow) -> bytes:
        assert row.sealed is not None
        return self._envelope.open(row.sealed, _bound(row))


def _bound(row: SecretRow) -> Bound:
    return ("secret", row.ref.stack, row.ref.name, row.version)


def _check(stack: str, name: str, value: bytes) -> None:
    problems = [
        Diagnostic("Invalid name", f"{word!r} is not the name of a {what}; names are like digits or api-key.")
        for what, word in (("stack", stack), ("secret", name))
        if not NAME.fullmatch(word)
    ]
    if not value:
        problems.append(Diagnostic("Empty secret", "The value is empty; delete the secret instead."))
    if len(value) > VALUE_MAX_BYTES:
        detail = (
            f"The value has {len(value)} bytes; a secret has {VALUE_MAX_BYTES} at most. Keep large files in a bucket."
        )
        problems.append(Diagnostic("Secret too large", detail))
    if problems:
        raise UserError(*problems)
