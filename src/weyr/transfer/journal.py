"""What is kept of a transfer that may be cut? A file per transfer under the data folder, locked while it runs.

Its first line says what is transferred, each further line is a piece that is whole. Nothing in it is believed
without a look: the parts of an upload are asked of the server and compared with the file, the pieces of a download
are read again.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from weyr.core.diagnostic import Diagnostic, UserError


class Journal:
    """The state of one transfer, found again by its `names`: what is copied, whereto, and at which endpoint.

    Raises (on entering): UserError where the folder cannot be written, or where another process runs this transfer.
    """

    def __init__(self, folder: Path, *names: str) -> None:
        digest = hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()
        self._path = folder / f"{digest[:24]}.jsonl"
        self._names = names
        self._descriptor = -1

    def __enter__(self) -> "Journal":
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as e:
            detail = f"{self._path.parent} cannot be written ({e.strerror}), and what has come so far is kept there."
            raise UserError(Diagnostic("The data folder cannot be used", detail, suggestion="weyr cp --help")) from e
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            os.close(self._descriptor)
            detail = f"Another command copies {' to '.join(self._names[1:])} at this moment."
            raise UserError(Diagnostic("It is being copied already", detail)) from e
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def read(self) -> tuple[Mapping[str, Any], set[int]]:
        """What the transfer was, and its whole pieces; empty where there was none, or none that can be understood."""
        lines = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0).split(b"\n")
        try:
            head = json.loads(lines[0])
            return (head if isinstance(head, dict) else {}), {int(line) for line in lines[1:-1]}
        except ValueError:
            return {}, set()

    def begin(self, head: Mapping[str, Any]) -> None:
        """Writes down a new transfer in place of what was there."""
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, json.dumps(head).encode() + b"\n")
        os.fsync(self._descriptor)

    def done(self, piece: int) -> None:
        """Writes down that a piece is whole."""
        os.write(self._descriptor, b"%d\n" % piece)

    def end(self) -> None:
        """The transfer is over; nothing of it is kept."""
        with suppress(FileNotFoundError):
            self._path.unlink()
