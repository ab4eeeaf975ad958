"""Who is connected to a listening socket? Counted for all to see, and let go where somebody stands still."""

import asyncio
import time
from typing import Protocol

from weyr.gateway.s3.shared import Counter


class Member(Protocol):
    """One connection, as far as the crowd cares."""

    moved_at: float
    """When something last went in or out, by the monotonic clock."""

    @property
    def patience_s(self) -> float: ...
    @property
    def is_idle(self) -> bool: ...
    def give_up(self) -> None: ...
    def abort(self) -> None: ...


class Crowd:
    """All connections of one listening socket."""

    def __init__(self, counter: Counter) -> None:
        self.connections: set[Member] = set()
        self.counter = counter
        self.count = self.counter.now
        self.is_stopping = False

    def met(self, connection: Member) -> None:
        self.connections.add(connection)
        self._count_connections()

    def left(self, connection: Member) -> None:
        self.connections.discard(connection)
        self._count_connections()

    def _count_connections(self) -> None:
        self.count.connections = len(self.connections)
        self.counter.show()

    def close_stalled(self) -> None:
        """Ends connections that have stood still for too long. To be called every few seconds."""
        now = time.monotonic()
        for connection in list(self.connections):
            if now - connection.moved_at > connection.patience_s:
                connection.give_up()

    async def stop(self, grace_s: float) -> None:
        """Lets running requests finish for up to `grace_s` and ends every connection."""
        self.is_stopping = True
        for connection in list(self.connections):
            if connection.is_idle:
                connection.abort()
        deadline = time.monotonic() + grace_s
        while self.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
