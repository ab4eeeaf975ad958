"""Who tells the loop that somebody waits for an endpoint that sleeps? The plane, at the server's doorbell.

Nothing hangs on it: the loop sees who waits at its next look as well, up to a second later.
"""

import json
import socket
from pathlib import Path

RING_EVERY_S = 0.1
"""Not more often than the loop could act on it, however many requests are held."""
THINGS_MAX = 10_000


class Doorbell:
    """Takes the path of the server's datagram socket; None where nobody is to be told."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = str(path) if path else ""
        self._rang_at: dict[str, float] = {}

    def ring(self, thing: str, now: float) -> None:
        """Says that a request is held for `thing`, a route's. Never blocks, never fails."""
        if not self._path or now - self._rang_at.get(thing, -1.0) < RING_EVERY_S:
            return
        if len(self._rang_at) >= THINGS_MAX:
            self._rang_at.clear()
        self._rang_at[thing] = now
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.setblocking(False)
            try:
                door.sendto(json.dumps({"id": thing, "event": "wanted"}).encode(), self._path)
            except OSError:
                return  # the server is away, or has ten callers to hear already
