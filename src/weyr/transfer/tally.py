"""How far is it, and what came of it? Counters that every thread adds to, and one place to show them from."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

Show = Callable[[int, int], None]
"""Takes how many bytes are done, and of how many."""


@dataclass(slots=True)
class Tally:
    """What a command did. Bytes count as they pass, also those of a try that was in vain."""

    show: Show = lambda _done, _total: None
    copied: int = 0
    same: int = 0
    deleted: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    kept_bytes: int = 0
    """What need not be sent or fetched again, because it had arrived before the last time was cut off."""
    unverified: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    """(what, why)"""
    _total: int = 0
    _done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, size: int) -> None:
        """So many bytes are to come."""
        with self._lock:
            self._total += size
            self.show(self._done, self._total)

    def sent(self, size: int) -> None:
        with self._lock:
            self.sent_bytes += size

    def received(self, size: int) -> None:
        with self._lock:
            self.received_bytes += size

    def passed(self, size: int, is_kept: bool = False) -> None:
        """So many of the expected bytes are where they should be."""
        with self._lock:
            self._done += size
            self.kept_bytes += size if is_kept else 0
            self.show(self._done, self._total)

    def was_copied(self, what: str, is_verified: bool = True) -> None:
        with self._lock:
            self.copied += 1
            if not is_verified:
                self.unverified.append(what)

    def was_deleted(self, count: int) -> None:
        with self._lock:
            self.deleted += count

    def has_failed(self, what: str, why: str) -> None:
        with self._lock:
            self.failed.append((what, why))

    def document(self) -> dict[str, object]:
        """What `--json` prints."""
        return {
            "copied": self.copied,
            "same": self.same,
            "deleted": self.deleted,
            "sent_bytes": self.sent_bytes,
            "received_bytes": self.received_bytes,
            "kept_bytes": self.kept_bytes,
            "unverified": sorted(self.unverified),
            "failed": [{"what": what, "why": why} for what, why in sorted(self.failed)],
        }
