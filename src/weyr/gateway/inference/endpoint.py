"""Who answers for an endpoint now, how busy are they, and who waits? The plane's working memory.

A replica that leaves the routes drains: it gets no new request, and is dropped with its last one.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from weyr.core.routes import RouteBody
from weyr.core.serving_metrics import NO_VERSION
from weyr.gateway.inference.asked import Asked
from weyr.gateway.inference.choice import Chooser
from weyr.gateway.inference.counts import Counts
from weyr.gateway.inference.replica import RETRY_MIN_S, Replica
from weyr.gateway.inference.routes import Route
from weyr.gateway.inference.version import Version


class Waiter(Protocol):
    """A request that is held until a replica can take it."""

    def wake(self) -> None: ...


class Steered(Asked, Protocol):
    """A request whose answer gets the header lines `adds` before its own."""

    adds: bytes


class Endpoint:
    """One endpoint. Counters count from the plane's start; times are Unix seconds, latencies seconds."""

    def __init__(self, route: Route) -> None:
        self.is_removed = False
        self.counts: dict[str, Counts] = {}
        self.draining: list[Replica] = []
        self._versions: dict[str, Version] = {}
        self._take(route)
        self.waiting: dict[Waiter, None] = {}
        self.inflight = 0
        self.requests = 0
        self.errors = 0
        self.last_request_at: float | None = None
        self.nobody = Counts(NO_VERSION)
        """What was given up before a version was chosen for it."""
        self._timer: asyncio.TimerHandle | None = None

    def all_replicas(self) -> tuple[Replica, ...]:
        """Those that get requests, and those that still answer some."""
        return (*self.draining, *self.replicas)

    @property
    def is_idle(self) -> bool:
        return not (self.inflight or self.waiting or self.draining)

    def apply(self, route: Route) -> None:
        """Takes the route as it is now. Replicas that stay keep their connections; whoever waits is woken at once."""
        self._take(route)
        self.wake()

    def remove(self) -> None:
        """The endpoint is gone: no new request, and those that wait learn it."""
        self.is_removed = True
        self.apply(replace(self.route, body=RouteBody(self.route.name, hold_s=0.0)))

    def pick(self, now: float, asked: Steered) -> Replica | None:
        """The replica that this request goes to, None where all are down or there is none. Raises: UnknownVersion.

        A version whose replicas cannot take its share leaves it to the others, the heaviest first: nobody's request
        fails because a new version has not come up, and `missed` says how many it should have had.
        """
        if self._chooser is None:
            return self._order[0].pick(now) if self._order else None
        choice = self._chooser.choose(asked)
        if choice is None:
            return None
        version = self._order[choice.at]
        replica = version.pick(now)
        if replica is None and not choice.is_forced:
            replica = next(filter(None, (other.pick(now) for other in self._order if other.told.weight)), None)
            version.counts.missed += replica is not None
        if replica is not None:
            asked.adds = replica.version.says + choice.cookie
        return replica

    def began(self) -> None:
        """A request came."""
        self.inflight += 1
        self.requests += 1
        self.last_request_at = time.time()

    def ended(self, status: int, latency_s: float, version: Version | None) -> Counts:
        """It was answered with this status, by `version` if any; 499 where the caller went away first.

        Gives where more of it is counted.
        """
        self.inflight -= 1
        counts = version.counts if version is not None else self.nobody
        counts.answered(status, latency_s)
        if status >= 500:
            self.errors += 1
        return counts

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

    def _take(self, route: Route) -> None:
        before = self._versions
        self.route = route
        self.is_watched = bool(route.body.watch.traces_to) or route.body.watch.log is not None
        gone = []
        self._versions = {}
        for told in route.body.versions:
            version = before.pop(told.name, None)
            if version is None:
                version = Version(told, self.counts.setdefault(told.name, Counts(told.name)))
            else:
                gone += version.apply(told)
            self._versions[told.name] = version
        gone += [replica for version in before.values() for replica in version.replicas]
        self.replicas = [replica for version in self._versions.values() for replica in version.replicas]
        self._order = sorted(self._versions.values(), key=lambda version: -version.told.weight)
        self._chooser = _chooser(route, self._order)
        self._let_go(gone)

    def _let_go(self, gone: list[Replica]) -> None:
        for replica in gone:
            replica.drain()
        self.draining.extend(replica for replica in gone if replica.inflight)


def _chooser(route: Route, versions: Sequence[Version]) -> Chooser | None:
    """None where there is nothing to choose."""
    traffic = route.body.traffic
    if len(versions) < 2 and not (traffic.rules or traffic.sticky or traffic.is_forcible):
        return None
    told = [version.told for version in versions]
    return Chooser(route.name, [one.name for one in told], [one.weight for one in told], traffic)
