"""How is one replica doing, as the plane knows it: its free connections, its requests under way, its refusals?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weyr.gateway.inference.line import Line
    from weyr.gateway.inference.version import Version

RETRY_MIN_S = 0.05
RETRY_MAX_S = 1.0
"""How long a replica that refused a connection is left alone: doubled with every refusal up to the most."""


@dataclass(frozen=True, slots=True)
class Address:
    """One replica to send to: its id, and a socket's path or host:port."""

    id: str
    socket: str


class Replica:
    """One replica. `idle` are its free connections, the warmest last."""

    __slots__ = ("address", "down_until", "idle", "inflight", "is_draining", "refusals", "requests", "version")

    def __init__(self, address: Address, version: "Version") -> None:
        self.address = address
        self.version = version
        self.idle: list[Line] = []
        self.inflight = 0
        self.requests = 0
        self.is_draining = False
        self.down_until = 0.0
        self.refusals = 0

    def take(self) -> "Line | None":
        """A free connection, None where one must be made."""
        return self.idle.pop() if self.idle else None

    def give_back(self, line: "Line") -> None:
        """This connection is free again."""
        self.idle.append(line)

    def forget(self, line: "Line") -> None:
        """This connection is no more."""
        if line in self.idle:
            self.idle.remove(line)

    def refused(self, now: float) -> None:
        """It did not take a connection: leave it alone for a while."""
        self.down_until = now + min(RETRY_MAX_S, RETRY_MIN_S * 2**self.refusals)
        self.refusals = min(self.refusals + 1, 10)

    def answered(self) -> None:
        """It took a connection, so it is up."""
        self.refusals = 0
        self.down_until = 0.0

    def drain(self) -> None:
        """No new request for it. Its free connections are closed at once."""
        self.is_draining = True
        while self.idle:
            self.idle.pop().close()
