"""Where do the planes write their answers to "may this caller do this?"? At the end of one file."""

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
    Promises: each event is one write to an O_APPEND descriptor, so lines of several processes never mix.
    Raises: OSError from the constructor where the file cannot be opened. A failed append is counted in `lost`
    and never fails the request: the caller was refused anyway.
    """

    def __init__(self, path: Path | str, process: str, clock: Callable[[], float] = time.time) -> None:
        self.lost = 0
        self._path = Path(path)
        self._process = process
        self._clock = clock
        self._fd = _opened(self._path)
        self._is_torn = False
        self._size = os.fstat(self._fd).st_size

    def refused(self, principal: str, action: str, resource: str, reason: str) -> None:
        """Writes down that `principal` ("" for nobody known) was refused `action` on `resource`."""
        self.append(AuditEvent(self._clock(), self._process, principal, action, resource, False, reason))

    def append(self, event: AuditEvent) -> None:
        """Writes down one decision."""
        line = event.line()
        try:
            # A disk that was nearly full took only a part of the line before: this one begins on a line of its own.
            self._is_torn = os.write(self._fd, b"\n" + line if self._is_torn else line) < len(line)
            self.lost += self._is_torn
            self._size += len(line)
            if self._size > ROTATE_AT_BYTES:
                self._rotate()
        except OSError:
            self.lost += 1

    def close(self) -> None:
        """Lets the file go; nothing can be appended afterwards."""
        os.close(self._fd)

    def _rotate(self) -> None:
        os.replace(self._path, self._path.with_name(self._path.name + ".1"))
        old, self._fd = self._fd, _opened(self._path)
        os.close(old)
        self._size = 0


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
