"""How does the server log? One JSON object a line on standard error: a fixed event name and its fields.

A failure that repeats is written once when it begins, and counted in the line that ends its row.
"""

import json
import sys
import threading
import time

from weyr.wire.process import bound_log


class JsonLog:
    """The production `Log`. Thread-safe; a line is one write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = ""
        self._repeats = 0

    def __call__(self, event: str, /, **fields: object) -> None:
        line = json.dumps({"event": event, **fields}, default=str)
        with self._lock:
            if line == self._last:
                self._repeats += 1
                return
            if self._repeats:
                self._write({"event": "log.repeated", "times": self._repeats, "line": self._last})
            self._last, self._repeats = line, 0
            self._write({"event": event, **fields})

    def _write(self, fields: dict[str, object]) -> None:
        try:
            sys.stderr.write(json.dumps({"at": round(time.time(), 3), **fields}, default=str) + "\n")
            sys.stderr.flush()
            bound_log()
        except (OSError, ValueError):
            # A full disk, a closed stream: what is logged has happened, and must not end the thread that says so.
            return
