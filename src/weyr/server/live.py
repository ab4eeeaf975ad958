"""How are endpoints doing, and what do their requests cost? Watched every few seconds, and kept for an hour.

What is kept is differences of what the plane counts since its own start: a plane that begins anew takes nothing back.
All of it is in memory only: a server that begins anew knows the time since then.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from weyr.core.metering import Meter
from weyr.core.pools import NodeFacts
from weyr.core.ref import Ref, ThingId
from weyr.core.routes import RouteBody, VersionCounts
from weyr.core.seen import Present, RouteFacts, Seen
from weyr.ledger.ledger import Ledger
from weyr.ledger.meters import ms
from weyr.ledger.node_shares import hosted, spent_hosted
from weyr.ledger.unit_costs import Use, spent_between
from weyr.reconcile.ports import Log
from weyr.reconcile.world import World
from weyr.store.kernel import ThingRow

EVERY_S = 5.0
RATES_OVER_S = 60.0
COSTS_OVER_S = 3600.0
KEPT_EVERY_S = 60.0
UNROUTED = "none"
"""The version that pays for a replica which never came into the route."""


@dataclass(slots=True)
class Line:
    """One version as it is watched: its counts of the last minute, and its use of the last hour."""

    counts: deque[tuple[float, VersionCounts]] = field(default_factory=deque)
    uses: deque[Use] = field(default_factory=deque)
    now: Use = field(default_factory=lambda: Use(0))
    replicas: int = 0

    def counted(self, at: float, counts: VersionCounts) -> None:
        """Takes what the plane shows; where it shows less than before, it began anew."""
        before = self.counts[-1][1] if self.counts else counts
        if counts.requests < before.requests:
            self.counts.clear()
            before = VersionCounts(counts.name, buckets=(0,) * len(counts.buckets))
        tokens = counts.prompt_tokens + counts.completion_tokens - before.prompt_tokens - before.completion_tokens
        added = counts.predictions - before.predictions
        self.now = Use(self.now.at_ms, self.now.micros, self.now.requests + added, self.now.tokens + tokens)
        self.counts.append((at, before if counts == before else counts))
        while self.counts[0][0] < at - RATES_OVER_S:
            self.counts.popleft()

    def paid(self, at: float, micros: int) -> None:
        """Takes what its replicas cost since the last time."""
        use = self.now
        self.now = Use(ms(at), use.micros + micros, use.requests, use.tokens)
        if not self.uses or self.now.at_ms - self.uses[-1].at_ms >= KEPT_EVERY_S * 1000:
            self.uses.append(self.now)
        while self.uses[0].at_ms < self.now.at_ms - COSTS_OVER_S * 1000:
            self.uses.popleft()


@dataclass(slots=True)
class Watched:
    """One endpoint. `shadows` are the versions that only get copies; `pending` is what replicas cost whose version
    nobody knows yet, and `parts` the replicas that had meters at the last look."""

    lines: dict[str, Line] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)
    pending: dict[str, int] = field(default_factory=dict)
    shadows: frozenset[str] = frozenset()
    waiting: int = 0
    inflight: int = 0

    def line(self, version: str) -> Line:
        return self.lines.setdefault(version, Line())

    def count(self, seen: "_Seen", at: float) -> None:
        """Takes what the plane shows."""
        self.versions |= seen.versions
        self.shadows = seen.shadows
        for line in self.lines.values():
            line.replicas = 0
        for version in seen.versions.values():
            self.line(version).replicas += 1
        if seen.facts is not None:
            self.waiting = seen.facts.waiting
            self.inflight = sum(count for _, count in seen.facts.replicas)
            for counts in seen.facts.versions:
                self.line(counts.name).counted(at, counts)

    def pay(self, meters: Iterable[Meter], hosted: Mapping[str, int], from_at: float, at: float) -> None:
        """Shares what the replicas cost between two moments among their versions: by their own meters, or as `hosted`
        says of those on a pool's nodes."""
        for meter in meters:
            if meter.source is not None:
                continue  # its part of a node, which `hosted` says
            part, micros = meter.thing.part, spent_between([meter], ms(from_at), ms(at))
            self.pending[part] = self.pending.get(part, 0) + micros
        for part, micros in hosted.items():
            self.pending[part] = self.pending.get(part, 0) + micros
        spent: dict[str, int] = {}
        for part in list(self.pending):
            version = self.versions.get(part) or ("" if part in self.parts else UNROUTED)
            if version:
                spent[version] = spent.get(version, 0) + self.pending.pop(part)
        for version in spent:
            self.line(version)
        for version, line in self.lines.items():
            line.paid(at, spent.get(version, 0))
        self.versions = {part: version for part, version in self.versions.items() if part in self.parts}


class Live:
    """Watches the endpoints of a world: in a thread of its own, or whenever `look` is called."""

    def __init__(self, world: Callable[[], World], lock: threading.RLock, ledger: Ledger, log: Log) -> None:
        self._world, self._lock, self._ledger, self._log = world, lock, ledger, log
        self._looked_at: float | None = None
        self.reading = threading.Lock()
        """Held while what is watched is read or changed."""
        self.endpoints: dict[Ref, Watched] = {}

    def start(self, now: Callable[[], float]) -> Callable[[], None]:
        """Looks every few seconds from now on. Gives what ends that."""
        stopping = threading.Event()

        def run() -> None:
            while not stopping.wait(EVERY_S):
                try:
                    self.look(now())
                except Exception as e:  # noqa: BLE001 - what cannot be watched now may be watched later
                    self._log("live.failed", error=repr(e))

        threading.Thread(target=run, name="live", daemon=True).start()
        return stopping.set

    def look(self, now: float) -> None:
        """Takes in what is there now."""
        with self._lock:
            things_of = self._world().things
            seen = {ref: _seen(things) for ref, things in things_of.items() if ref.kind == "endpoint"}
            nodes = _nodes(things_of)
            hosts = {ref: tuple(hosted(_told(things_of[ref]), nodes)) for ref in seen} if nodes else {}
        meters: dict[Ref, list[Meter]] = {}
        of_nodes: dict[ThingId, list[Meter]] = {}
        for meter in self._ledger.open_meters():
            meters.setdefault(meter.thing.ref, []).append(meter)
            if meter.thing in nodes:
                of_nodes.setdefault(meter.thing, []).append(meter)
        with self.reading:
            before, self._looked_at = self._looked_at, now
            for ref in self.endpoints.keys() - seen.keys():
                del self.endpoints[ref]
            for ref, found in seen.items():
                watched = self.endpoints.setdefault(ref, Watched())
                watched.count(found, now)
                running = meters.get(ref, [])
                from_at = now if before is None else before
                shares = spent_hosted(hosts.get(ref, ()), of_nodes, ms(from_at), ms(now))
                parts = {meter.thing.part for meter in running} | shares.keys()
                gone, watched.parts = watched.parts - parts, parts
                # What was closed since the last look still cost something since then.
                closed = [meter for meter in self._ledger.meters_of(ref) if meter.thing.part in gone] if gone else []
                watched.pay([*running, *closed], shares, from_at, now)


def versions_of(things: Mapping[str, ThingRow]) -> dict[str, str]:
    """Which version each replica of an endpoint is of, as far as its route says."""
    bodies = [thing.body for thing in things.values() if isinstance(thing.body, RouteBody)]
    return {part: version.name for body in bodies for version in body.versions for part, _ in version.replicas}


def _nodes(things_of: Mapping[Ref, Mapping[str, ThingRow]]) -> dict[ThingId, NodeFacts]:
    return {
        thing.id: thing.seen.facts
        for ref, things in things_of.items()
        if ref.kind == "pool"
        for thing in things.values()
        if isinstance(thing.seen, Present) and isinstance(thing.seen.facts, NodeFacts)
    }


def _told(things: Mapping[str, ThingRow]) -> Iterator[tuple[str, object, Seen]]:
    return ((part, thing.body, thing.seen) for part, thing in things.items())


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at an endpoint's things gives."""

    facts: RouteFacts | None
    versions: Mapping[str, str]
    shadows: frozenset[str]


def _seen(things: Mapping[str, ThingRow]) -> _Seen:
    facts: RouteFacts | None = None
    shadows: frozenset[str] = frozenset()
    for thing in things.values():
        match thing.body, thing.seen:
            case RouteBody() as body, seen:
                shadows = frozenset(shadow.version for shadow in body.traffic.shadows)
                if isinstance(seen, Present) and isinstance(seen.facts, RouteFacts):
                    facts = seen.facts
            case _:
                continue
    return _Seen(facts, versions_of(things), shadows)
