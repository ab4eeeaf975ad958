"""How is one replica doing, as the plane knows it: its free connections, its requests under way, its refusals?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weyr.core.route_limits import Ejection
from weyr.gateway.inference.outliers import Health, judge_failures
from weyr.gateway.inference.slots import Slots

if TYPE_CHECKING:
    from weyr.gateway.inference.line import Line
    from weyr.gateway.inference.upstream import Upstream
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

    __slots__ = (
        "address",
        "down_until",
        "health",
        "idle",
        "inflight",
        "is_draining",
        "refusals",
        "requests",
        "slots",
        "upstream",
        "version",
    )

    def __init__(self, address: Address, version: "Version") -> None:
        self.address = address
        self.version = version
        self.idle: list[Line] = []
        self.inflight = 0
        self.requests = 0
        self.is_draining = False
        self.down_until = 0.0
        self.refusals = 0
        self.slots = Slots()
        self.health = Health()
        self.upstream: Upstream | None = None

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
        """It took a connection, so it is up; whether it is well is another question."""
        self.refusals = 0
        if not self.health.out_until:
            self.down_until = 0.0

    def tries(self) -> None:
        """The next request is its trial, and nobody else's until that has ended."""
        self.health.sent()
        self.down_until = math.inf

    def told_nothing(self) -> None:
        """A request ended without showing whether it is well."""
        if self.health.is_trying:
            self.health.left()
            self.down_until = self.health.out_until

    def did_well(self, latency_s: float) -> bool:
        """It answered. Whether it is back from having been left alone."""
        is_back = self.health.is_on_trial
        self.health.succeeded(latency_s)
        if is_back:
            self.down_until = 0.0
        return is_back

    def did_badly(self, rule: Ejection, everyone: Sequence["Replica"], now: float) -> None:
        """It failed: with a status of a broken server, by silence, or by ending."""
        self.health.failed()
        if judge_failures(rule, self.health, everyone, now) or self.health.out_until:
            self.down_until = self.health.out_until

    def drain(self) -> None:
        """No new request for it. Its free connections are closed at once."""
        self.is_draining = True
        while self.idle:
            self.idle.pop().close()
