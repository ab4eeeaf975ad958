"""Who answers for an endpoint now, how busy are they, and who waits? The plane's working memory.

A replica that leaves the routes drains: it gets no new request, and is dropped with its last one.
"""

import asyncio
import bisect
import time
from typing import TYPE_CHECKING, Protocol

from weyr.gateway.inference.routes import Address, Route

if TYPE_CHECKING:
    from weyr.gateway.inference.line import Line

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

RETRY_MIN_S = 0.05
RETRY_MAX_S = 1.0
"""How long a replica that refused a connection is left alone: doubled with every refusal up to the most."""


class Waiter(Protocol):
    """A request that is held until a replica can take it."""

    def wake(self) -> None: ...


class Replica:
    """One replica. `idle` are its free connections, the warmest last."""

    __slots__ = ("address", "down_until", "idle", "inflight", "is_draining", "refusals", "requests")

    def __init__(self, address: Address) -> None:
        self.address = address
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


class Endpoint:
    """One endpoint. Counters count from the plane's start; times are Unix seconds, latencies seconds."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.is_removed = False
        self.replicas: list[Replica] = [Replica(address) for address in route.replicas]
        self.draining: list[Replica] = []
        self.waiting: dict[Waiter, None] = {}
        self.inflight = 0
        self.requests = 0
        self.errors = 0
        self.last_request_at: float | None = None
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self.latency_sum_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        return not (self.inflight or self.waiting or self.draining)

    def apply(self, route: Route) -> None:
        """Takes the route as it is now. Replicas that stay keep their connections; whoever waits is woken at once."""
        known = {replica.address: replica for replica in self.replicas}
        self.route = route
        self.replicas = [known.pop(address) if address in known else Replica(address) for address in route.replicas]
        self._let_go(list(known.values()))
        self.wake()

    def remove(self) -> None:
        """The endpoint is gone: no new request, and those that wait learn it."""
        self.is_removed = True
        self.apply(Route(self.route.name, self.route.thing, self.route.generation, self.route.model, 0.0, ()))

    def pick(self, now: float) -> Replica | None:
        """The replica with the fewest requests under way, None where all are down or there is none."""
        best: Replica | None = None
        for replica in self.replicas:
            if (best is None or replica.inflight < best.inflight) and replica.down_until <= now:
                best = replica
        return best

    def began(self) -> None:
        """A request came."""
        self.inflight += 1
        self.requests += 1
        self.last_request_at = time.time()

    def ended(self, status: int, latency_s: float) -> None:
        """It was answered with this status; 499 where the caller went away first."""
        self.inflight -= 1
        if status >= 500:
            self.errors += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buckets[bisect.bisect_left(LATENCY_BUCKETS_S, latency_s)] += 1
        self.latency_sum_s += latency_s

    def left(self, replica: Replica) -> None:
        """A request has left this replica."""
        replica.inflight -= 1
        if replica.is_draining and not replica.inflight and replica in self.draining:
            self.draining.remove(replica)

    def hold(self, waiter: Waiter) -> None:
        """Keeps a request until `wake`. Looks again by itself where a replica is only resting from a refusal."""
        self.waiting[waiter] = None
        if self._timer is None and self.replicas:
            loop = asyncio.get_running_loop()
            soonest = min(replica.down_until for replica in self.replicas)
            self._timer = loop.call_at(max(soonest, loop.time() + RETRY_MIN_S), self._look_again)

    def let_go(self, waiter: Waiter) -> None:
        """It waits no longer."""
        self.waiting.pop(waiter, None)

    def wake(self) -> None:
        """Everyone who waits tries again, in the order of their coming."""
        waiting, self.waiting = self.waiting, {}
        for waiter in waiting:
            waiter.wake()

    def _look_again(self) -> None:
        self._timer = None
        self.wake()

    def _let_go(self, gone: list[Replica]) -> None:
        for replica in gone:
            replica.drain()
        self.draining.extend(replica for replica in gone if replica.inflight)
