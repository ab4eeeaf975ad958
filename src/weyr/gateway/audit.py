"""Where do the planes write their answers to "may this caller do this?"? At the end of one file."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from weyr.core.audit import AuditEvent

ROTATE_AT_BYTES = 64 * 2**20
"""About 300,000 refusals. The file before is kept as `<name>.1`, so the trail is bounded at twice this."""


class AuditTrail:
    """Appends events of one process to `path`, which is made with mode 0600 if missing.

    Takes: `clock`, Unix seconds.
    Promises: each event is one write to an O_APPEND descriptor, so lines of several processes never mix; where the file
    becomes too long one of them moves it aside, and the others go on in the new one.
    Raises: OSError from the constructor where the file cannot be opened. A failed append is counted in `lost`
    and never fails the request: the caller was refused anyway.
    """

    def __init__(
        self,
        path: Path | str,
        process: str,
        clock: Callable[[], float] = time.time,
        rotate_at_bytes: int = ROTATE_AT_BYTES,
    ) -> None:
        self.lost = 0
        self._path = Path(path)
        self._process = process
        self._clock = clock
        self._rotate_at_bytes = rotate_at_bytes
        self._fd = _opened(self._path)

    def refused(self, principal: str, action: str, resource: str, reason: str) -> None:
        """Writes down that `principal` ("" for nobody known) was refused `action` on `resource`."""
        self.append(AuditEvent(self._clock(), self._process, principal, action, resource, False, reason))

    def append(self, event: AuditEvent) -> None:
        """Writes down one decision."""
        line = event.line()
        try:
            size = self._followed()
            # A disk that was nearly full took only a part of the line before: this one begins on a line of its own.
            is_torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"
            self.lost += os.write(self._fd, b"\n" + line if is_torn else line) < len(line) + is_torn
            if size + len(line) > self._rotate_at_bytes:
                self._rotate()
        except OSError:
            self.lost += 1

    def close(self) -> None:
        """Lets the file go; nothing can be appended afterwards."""
        os.close(self._fd)

    def _followed(self) -> int:
        """Goes on in the file that has the name now. Gives its size."""
        ours = os.fstat(self._fd)
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            named = None
        if named is None or named.st_ino != ours.st_ino:
            old, self._fd = self._fd, _opened(self._path)
            os.close(old)
            ours = os.fstat(self._fd)
        return ours.st_size

    def _rotate(self) -> None:
        # Whoever has the lock on the file looks whether it still has the name: it is moved once, whoever else wants to.
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            if os.stat(self._path).st_ino == os.fstat(self._fd).st_ino:
                os.replace(self._path, self._path.with_name(self._path.name + ".1"))
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
