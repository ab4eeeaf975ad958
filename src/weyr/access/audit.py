"""Who was allowed or refused what? Each process appends to a file of its own; here they are read together."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from weyr.core.audit import AuditEvent

ROTATE_AT_BYTES = 16 * 2**20
"""About 80,000 decisions. The file before is kept as `<process>.jsonl.1`: the trail has twice this at most."""

FIELD_MAX = 512
"""A caller chooses the resource's name; it may not choose how much of the disk it takes."""

_TAIL_BYTES = 64 * 1024


class AuditLog:
    """The server's own trail: `<folder>/<process>.jsonl`, mode 0600.

    Promises: an event is one write to an O_APPEND descriptor, so lines never mix. Safe in threads.
    Raises: OSError on construction where the file cannot be opened. An append that fails is counted in `lost`.
    """

    def __init__(self, folder: Path, process: str, rotate_at_bytes: int = ROTATE_AT_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.process = process
        self.lost = 0
        self._path = folder / f"{process}.jsonl"
        self._rotate_at_bytes = rotate_at_bytes
        self._lock = threading.Lock()
        self._fd = _opened(self._path)
        self._is_torn = False

    def append(self, event: AuditEvent) -> None:
        """Writes down one decision."""
        line = _bounded(event).line()
        with self._lock:
            try:
                if os.fstat(self._fd).st_size + len(line) > self._rotate_at_bytes:
                    self._rotate()
                self._is_torn = os.write(self._fd, self._begun(line)) < len(line)
                self.lost += self._is_torn
            except OSError:
                self.lost += 1

    def _begun(self, line: bytes) -> bytes:
        """The line on a line of its own: a disk that was nearly full took only a part of the one before."""
        return b"\n" + line if self._is_torn else line

    def decide(self, at: float, principal: str, action: str, resource: str, is_allowed: bool, reason: str = "") -> None:
        """Writes down that `principal` ("" for nobody known) was allowed or refused `action` on `resource`."""
        self.append(AuditEvent(at, self.process, principal, action, resource, is_allowed, reason))

    def close(self) -> None:
        """Lets the file go; nothing can be appended afterwards."""
        with self._lock:
            os.close(self._fd)

    def _rotate(self) -> None:
        os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
        old, self._fd = self._fd, _opened(self._path)
        os.close(old)


def recent(folder: Path, limit: int = 100) -> list[AuditEvent]:
    """The newest events of all processes, oldest of them first. A torn or foreign line is left out."""
    files = [*folder.glob("*.jsonl"), *folder.glob("*.jsonl.1")]
    events = [event for file in files for event in _newest(file, limit)]
    return sorted(events, key=lambda event: event.at)[-limit:] if limit > 0 else []


def _newest(file: Path, limit: int) -> list[AuditEvent]:
    """Reads from the end only as much as it takes."""
    events: list[AuditEvent] = []
    try:
        with file.open("rb") as lines:
            for line in _backwards(lines.fileno()):
                event = _parsed(line)
                if event:
                    events.append(event)
                if len(events) >= limit:
                    break
    except FileNotFoundError:  # it was rotated away while we looked
        return events
    return events


def _backwards(fd: int) -> Iterator[bytes]:
    """The file's lines, last first."""
    end, rest = os.fstat(fd).st_size, b""
    while end > 0:
        begin = max(0, end - _TAIL_BYTES)
        head, *lines = (os.pread(fd, end - begin, begin) + rest).split(b"\n")
        yield from reversed(lines)
        end, rest = begin, head
    yield rest


def _parsed(line: bytes) -> AuditEvent | None:
    try:
        fields = json.loads(line)
        return AuditEvent(
            at=float(fields["at"]),
            process=str(fields["process"]),
            principal=str(fields["principal"]),
            action=str(fields["action"]),
            resource=str(fields["resource"]),
            is_allowed=bool(fields["allowed"]),
            reason=str(fields["reason"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _bounded(event: AuditEvent) -> AuditEvent:
    words = (event.principal, event.action, event.resource, event.reason)
    if all(len(word) <= FIELD_MAX for word in words):
        return event
    principal, action, resource, reason = (word[:FIELD_MAX] for word in words)
    return AuditEvent(event.at, event.process, principal, action, resource, event.is_allowed, reason)


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
