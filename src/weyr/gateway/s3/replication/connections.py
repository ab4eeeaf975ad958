"""Which connections to another plane are open? A few that are kept, for whichever thread asks next."""

import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection

TIMEOUT_S = 60.0
IDLE_MAX_S = 5.0
"""The other side may close what stood still for longer, just when something is sent."""


class Connections:
    """Connections to one host. May be used by any thread."""

    def __init__(self, host: str, is_tls: bool) -> None:
        self._host = host
        self._is_tls = is_tls
        self._lock = threading.Lock()
        self._idle: list[tuple[HTTPConnection, float]] = []
        self._busy: set[HTTPConnection] = set()
        self._is_closed = False

    def take(self) -> tuple[HTTPConnection, bool]:
        """A connection, and whether it is a fresh one. Raises: OSError once they are closed."""
        with self._lock:
            if self._is_closed:
                raise ConnectionAbortedError("the plane stops")
            while self._idle:
                kept, since = self._idle.pop()
                if time.monotonic() - since < IDLE_MAX_S:
                    self._busy.add(kept)
                    return kept, False
                kept.close()
            kind = HTTPSConnection if self._is_tls else HTTPConnection
            fresh = kind(self._host, timeout=TIMEOUT_S)
            self._busy.add(fresh)
            return fresh, True

    def give(self, connection: HTTPConnection) -> None:
        """Gives one back whose answer was read."""
        with self._lock:
            self._busy.discard(connection)
            if self._is_closed:
                connection.close()
            else:
                self._idle.append((connection, time.monotonic()))

    def drop(self, connection: HTTPConnection) -> None:
        """Ends one that nobody can use any more."""
        with self._lock:
            self._busy.discard(connection)
        connection.close()

    def close(self) -> None:
        """Ends all, also those that a thread waits on: it is told so by an error."""
        with self._lock:
            self._is_closed = True
            for connection, _ in self._idle:
                connection.close()
            self._idle.clear()
            for connection in self._busy:
                with suppress(OSError):
                    if connection.sock is not None:
                        connection.sock.shutdown(socket.SHUT_RDWR)
