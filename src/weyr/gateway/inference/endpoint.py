"""Who answers for an endpoint now, how busy are they, and who waits? The plane's working memory.

A replica that leaves the routes drains: it gets no new request, and is dropped with its last one.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from weyr.core.limits import NO_LIMITS
from weyr.core.routes import Fallback, RouteBody
from weyr.core.serving_metrics import NO_VERSION
from weyr.gateway.inference.asked import Asked
from weyr.gateway.inference.callers import Caller
from weyr.gateway.inference.choice import Chooser, UnknownVersion
from weyr.gateway.inference.counts import Counts
from weyr.gateway.inference.fallback import Step
from weyr.gateway.inference.keeper import reads_bodies
from weyr.gateway.inference.outcome import PATH, Outcome
from weyr.gateway.inference.outliers import judge_latencies
from weyr.gateway.inference.replica import Replica
from weyr.gateway.inference.routes import Route
from weyr.gateway.inference.shadow import Shadowing
from weyr.gateway.inference.subjects import Counted
from weyr.gateway.inference.version import Version
from weyr.gateway.inference.waiting import WaitingLine
from weyr.wire.counters import Counter

if TYPE_CHECKING:
    from weyr.gateway.inference.exchange import Exchange

COUNTED_MAX = 64
"""Versions whose counts are kept, those in force among them."""
RETRY_CREDIT = 10
"""Retries that a quiet endpoint may have at once."""
CALLERS_MAX = 4096


class Steered(Asked, Protocol):
    """A request whose answer gets the header lines `adds` before its own."""

    adds: bytes


class Endpoint:
    """One endpoint. What is counted is from the plane's start, but for `counter`, which outlives it; times are Unix
    seconds, latencies seconds."""

    def __init__(self, route: Route, counter: Counter) -> None:
        self.counter = counter
        self.is_removed = False
        self.counts: dict[str, Counts] = {}
        self.draining: list[Replica] = []
        self.chain: list[Step] = []
        self._versions: dict[str, Version] = {}
        self._take(route)
        self.waiting = WaitingLine(self._has_room)
        self.inflight = 0
        self.requests = 0
        self.errors = 0
        self.last_request_at: float | None = None
        self.nobody = Counts(NO_VERSION)
        """What was given up before a version was chosen for it."""
        self.retries = self.cut = 0
        self._retry_credit, self._credited = float(RETRY_CREDIT), 0

    def all_replicas(self) -> tuple[Replica, ...]:
        """Those that get requests, and those that still answer some."""
        return (*self.draining, *self.replicas)

    @property
    def is_idle(self) -> bool:
        return not (self.inflight or self.waiting.queue or self.draining)

    def apply(self, route: Route) -> None:
        """Takes the route as it is now. Replicas that stay keep their connections; whoever waits is woken at once."""
        self._take(route)
        if self.replicas:
            self.waiting.replicas_came(asyncio.get_running_loop().time())
        self.waiting.wake()

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
            return self._order[0].pick(now, asked) if self._order else None
        choice = self._chooser.choose(asked)
        if choice is None:
            return None
        version = self._order[choice.at]
        replica = version.pick(now, asked)
        if replica is None and not choice.is_forced:
            replica = next(filter(None, (other.pick(now, asked) for other in self._order if other.told.weight)), None)
            version.counts.missed += replica is not None
        if replica is not None:
            asked.adds = replica.version.says + choice.cookie
        return replica

    def pick_of(self, name: str, now: float, asked: Asked) -> Replica | None:
        """A replica of this version and no other."""
        version = self._versions.get(name)
        return version.pick(now, asked) if version is not None else None

    def takes(self, exchange: "Exchange") -> bool:
        """Whether the request is a report for the plane itself."""
        return self.route.body.traffic.takes_outcomes and exchange.head.startswith(PATH)

    def reported(self, outcome: Outcome, asked: Asked) -> str:
        """Counts what a caller reports, for the version it names or else for the one that keeps it; gives its name.

        Raises: UnknownVersion where neither tells of which version it is.
        """
        name = outcome.version
        if not name and self._chooser is not None and (at := self._chooser.kept_at(asked)) is not None:
            name = self._order[at].told.name
        version = self._versions.get(name)
        if version is None:
            raise UnknownVersion(f'say which version it is of: "version" is one of {", ".join(self._versions)}')
        version.counts.reported(outcome.value)
        return name

    def began(self, now: float) -> None:
        """A request came, at this Unix time."""
        self.inflight += 1
        self.requests += 1
        self.last_request_at = now

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
        if self.waiting.queue.waits:
            self.waiting.let_in()

    def turned_away(self, status: int) -> None:
        """A request was refused for a limit: it is counted, and is no load."""
        self.nobody.answered(status, 0.0)
        self.nobody.measure.ended("", status, 0.0, False, (0, 0), None)

    def may_retry(self) -> bool:
        """Whether one more request may be sent again: when much fails, sending it twice makes it worse."""
        earned = self.limits.retries.budget * (self.requests - self._credited)
        self._retry_credit = min(float(RETRY_CREDIT), self._retry_credit + earned)
        self._credited = self.requests
        if self._retry_credit < 1.0:
            return False
        self._retry_credit -= 1.0
        self.retries += 1
        return True

    def places(self) -> int:
        """How many requests its replicas have at once, where they are bounded."""
        return self.limits.queue.per_replica * len(self.replicas)

    def counted(self, caller: Caller) -> Counted:
        """Whose limits count for a caller's requests here."""
        name = caller.principal.name
        known = self._counted.get(name)
        # A key's limits change without the route: the value itself tells.
        if known is None or known.limits is not caller.limits:
            if len(self._counted) > CALLERS_MAX:
                self._counted.clear()
            known = Counted(caller, self.route.name, self.limits)
            self._counted[name] = known
        return known

    def put_out_the_slow(self, now: float) -> None:
        """Leaves alone for a while who is far slower than the rest of its version."""
        rule = self.limits.ejection
        for version in self._order if rule.slow else ():
            if judge_latencies(rule, version.replicas, now):
                for replica in version.replicas:
                    if replica.health.out_until > now:
                        replica.down_until = replica.health.out_until

    def _has_room(self, now: float) -> bool:
        bound = self.limits.queue.per_replica or math.inf
        return any(replica.inflight < bound and replica.down_until <= now for replica in self.replicas)

    def _take(self, route: Route) -> None:
        before = self._versions
        self.route = route
        self.is_watched = bool(route.body.watch.traces_to) or route.body.watch.log is not None
        traffic = route.body.traffic
        self.reads_bodies = reads_bodies(traffic.balance)
        self.needs_bodies = self.reads_bodies or traffic.takes_outcomes or bool(traffic.fallbacks)
        self.keeps_bodies = self.needs_bodies or bool(traffic.shadows)
        gone = []
        self._versions = {}
        for told in route.body.versions:
            version = before.pop(told.name, None)
            if version is None:
                version = Version(told, self._counts_of(told.name), traffic.balance)
            else:
                gone += version.apply(told, traffic.balance)
            self._versions[told.name] = version
        gone += [replica for version in before.values() for replica in version.replicas]
        self.replicas = [replica for version in self._versions.values() for replica in version.replicas]
        self.limits = route.body.limits
        self.keeps_time = bool(self.limits.queue.per_replica or self.limits.ejection.slow)
        self.is_limited = self.limits.per_caller != NO_LIMITS or self.limits.total != NO_LIMITS
        self._counted: dict[str, Counted] = {}
        for version in self._versions.values():
            version.per_replica, version.slots = self.limits.queue.per_replica, route.body.slots
            version.connect_s = self.limits.timeouts.connect_s
        self._order = sorted(self._versions.values(), key=lambda version: -version.told.weight)
        self._chooser = _chooser(route, self._order)
        known = {step.told: step for step in self.chain}
        self.chain = [known.get(told) or self._step(told) for told in traffic.fallbacks]
        self.patience_s = self.chain[0].told.first_byte_s if self.chain else math.inf
        self.shadows = [Shadowing(told, self._versions[told.version], self.left) for told in traffic.shadows]
        self._let_go(gone)

    def _counts_of(self, name: str) -> Counts:
        """Goes on where a version of that name left off. Of versions that are gone the latest are kept."""
        if name not in self.counts and len(self.counts) >= COUNTED_MAX:
            del self.counts[next(old for old in self.counts if old not in self._versions)]
        return self.counts.setdefault(name, Counts(name))

    def _step(self, told: Fallback) -> Step:
        return Step(told, self._counts_of(told.name) if told.url else None, self.route.name)

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
