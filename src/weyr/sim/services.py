"""What else does a simulated engine offer? Buckets, models, routes, secrets and notices, as plain values."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from weyr.core.capability import BucketBody, Capability, ModelBody, NoticeBody, Refused, SecretBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.routes import RouteBody, RouteVersion, VersionCounts, problems_of
from weyr.core.seen import (
    Absent,
    BucketClass,
    BucketFacts,
    BucketUse,
    ModelFacts,
    NoticeFacts,
    Present,
    RouteFacts,
    RouteUse,
    SecretFacts,
    Seen,
    VersionFacts,
)
from weyr.sim.clock import VirtualClock
from weyr.sim.faults import Faults
from weyr.sim.shelf import Shelf


class Asked(Protocol):
    """Who asks a route: passes the time until now, and says what the plane then counts."""

    def seen(self, now: float, replicas: Sequence[str], version: str) -> RouteFacts: ...


class SimBuckets(Shelf):
    """The OBJECTS capability. A name has one owner; `fill` says what a bucket holds."""

    capability = Capability.OBJECTS
    holds = BucketBody

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self._holds: dict[str, tuple[int, int]] = {}
        self._classes: dict[str, dict[str, BucketClass]] = {}
        self._uses: dict[str, BucketUse] = {}

    def name_of(self, id: ThingId) -> str | None:
        """What the bucket is called; None where there is none."""
        want = self._wanted.get(id)
        return _bucket(want).name if want else None

    def fill(self, name: str, size_bytes: int, objects: int = 1) -> None:
        self._holds[name] = (size_bytes, objects)

    def classify(self, name: str, storage_class: str, size_bytes: int, **asked: int) -> None:
        """So many of a bucket's bytes are of a class now, and so much more was asked of it: writes, reads, moves and so
        on. A class that it ever had stays, as at the real plane."""
        classes = self._classes.setdefault(name, {})
        had = classes.get(storage_class, BucketClass(storage_class))
        more = {what: getattr(had, what) + count for what, count in asked.items()}
        classes[storage_class] = replace(had, size_bytes=size_bytes, objects=int(size_bytes > 0), **more)

    def ask(self, name: str, writes: int = 0, reads: int = 0, local_bytes: int = 0, far_bytes: int = 0) -> None:
        """Somebody asks this of a bucket that is there."""
        use = self._uses[name]
        self._uses[name] = replace(
            use,
            writes=use.writes + writes,
            reads=use.reads + reads,
            local_bytes=use.local_bytes + local_bytes,
            far_bytes=use.far_bytes + far_bytes,
        )

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        name = _bucket(want).name
        if prior and _bucket(prior).name != name:
            return Refused(f"its bucket is called {_bucket(prior).name}, and a bucket cannot be renamed")
        return _owned_by_another(
            "bucket", name, want.id, {id: _bucket(other).name for id, other in self._wanted.items()}
        )

    def _let_go(self, id: ThingId) -> bool:
        facts, name = self._facts(self._wanted[id]), _bucket(self._wanted[id]).name
        self._holds.pop(name, None)
        self._classes.pop(name, None)
        use = self._uses.pop(name, None)
        if use is not None and (facts.classes or use != BucketUse(use.since)):
            self._last[id] = BucketFacts(use=use, classes=facts.classes)
        return True

    def _facts(self, want: Wanted) -> BucketFacts:
        body = _bucket(want)
        size_bytes, objects = self._holds.get(body.name, (0, 0))
        use, keeps = self._uses.get(body.name), bool(body.keeps_versions)
        classes = tuple(one for _, one in sorted(self._classes.get(body.name, {}).items()))
        tiers = tuple((tier.storage_class, tier.url) for tier in body.tiers)
        return BucketFacts(size_bytes, objects, body.lifecycle, use, keeps, classes, tiers)

    def _keep(self, want: Wanted) -> None:
        super()._keep(want)
        self._uses.setdefault(_bucket(want).name, BucketUse(since=self._clock.now()))


class SimModels(Shelf):
    """The REGISTRY capability. Versions appear by `register`, as a run's do; aliases by what is wanted."""

    capability = Capability.REGISTRY
    holds = ModelBody

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self._versions: dict[str, list[VersionFacts]] = {}
        self.moved: dict[str, tuple[tuple[str, int], ...]] = {}
        """By model: the aliases that somebody set by hand."""

    def register(self, model: str, source: str, metrics: Mapping[str, float]) -> int:
        """A new version of a model; gives its number."""
        versions = self._versions.setdefault(model, [])
        version = VersionFacts(len(versions) + 1, source, f"run-{len(versions) + 1}", tuple(sorted(metrics.items())))
        versions.append(version)
        return version.version

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        body = _model(want)
        if prior and _model(prior).name != body.name:
            return Refused(f"its model is called {_model(prior).name}, and is not renamed")
        for alias, version in body.aliases:
            if version > len(self._versions.get(body.name, ())):
                return Refused(f"there is no version {version} of {body.name} that {alias} could mean")
        return _owned_by_another("model", body.name, want.id, {id: _model(o).name for id, o in self._wanted.items()})

    def _let_go(self, id: ThingId) -> bool:
        self._versions.pop(_model(self._wanted[id]).name, None)
        return True

    def _facts(self, want: Wanted) -> ModelFacts:
        body = _model(want)
        return ModelFacts(tuple(self._versions.get(body.name, ())), self.moved.get(body.name, body.aliases))


class SimRoutes(Shelf):
    """The TRAFFIC capability. `load` sets the requests in flight of a route's replicas, those that wait, and counts."""

    capability = Capability.TRAFFIC
    holds = RouteBody

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self.requests_per_s = 0
        """How many come to whoever has a share of a route's requests, beside those of `load`."""
        self._load: dict[str, RouteFacts] = {}
        self.traffic: dict[str, Asked] = {}
        """Callers of their own, by route."""
        self._uses: dict[str, RouteUse] = {}

    def load(
        self,
        route: str,
        inflight: Mapping[str, int],
        waiting: int = 0,
        requests: int = 0,
        versions: Sequence[VersionCounts] = (),
    ) -> None:
        self._load[route] = RouteFacts(
            replicas=tuple(inflight.items()),
            waiting=waiting,
            requests=requests,
            last_request_at=self._clock.now(),
            versions=tuple(versions),
        )

    def is_there(self, route: str) -> bool:
        """Whether anybody can be asked there."""
        return route in self._uses

    def ask(
        self, route: str, requests: int = 0, tokens_in: int = 0, tokens_out: int = 0, outside: int = 0,
        local_bytes: int = 0, far_bytes: int = 0,
    ) -> None:  # fmt: skip
        """Somebody asked this of a route that is there; `outside` is what others were paid for it."""
        use = self._uses[route]
        self._uses[route] = replace(
            use,
            requests=use.requests + requests,
            tokens_in=use.tokens_in + tokens_in,
            tokens_out=use.tokens_out + tokens_out,
            outside_micros=use.outside_micros + outside,
            local_bytes=use.local_bytes + local_bytes,
            far_bytes=use.far_bytes + far_bytes,
        )

    def _keep(self, want: Wanted) -> None:
        super()._keep(want)
        self._uses.setdefault(_route(want).route, RouteUse(self._clock.now()))

    def _let_go(self, id: ThingId) -> bool:
        use = self._uses.pop(_route(self._wanted[id]).route, None)
        if use is not None and use != RouteUse(use.since):
            self._last[id] = RouteFacts(use=use)
        return True

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        if problems := problems_of(_route(want)):
            return Refused("; ".join(problems))
        routes = {id: _route(other).route for id, other in self._wanted.items()}
        return _owned_by_another("route", _route(want).route, want.id, routes)

    def _facts(self, want: Wanted) -> RouteFacts:
        body = _route(want)
        load = self._load.get(body.route, RouteFacts())
        if traffic := self.traffic.get(body.route):
            version = next((each.name for each in body.versions if each.weight), "")
            load = traffic.seen(self._clock.now(), [replica for replica, _ in body.replicas], version)
        inflight = dict(load.replicas)
        listed = [replica for replica, _ in body.replicas]
        leaving = [replica for replica, count in inflight.items() if count and replica not in listed]
        replicas = tuple((replica, inflight.get(replica, 0)) for replica in (*listed, *leaving))
        url = f"http://sim/{body.route}"
        counted = {counts.name for counts in load.versions}
        fresh = tuple(self._counted(version) for version in body.versions if version.name not in counted)
        versions = (*load.versions, *fresh)
        told = replace(
            load,
            use=self._uses.get(body.route),
            generation=want.generation,
            url=url,
            replicas=replicas,
            versions=versions,
        )
        return replace(told, grpc="sim:8001" if body.grpc else "")

    def _counted(self, version: RouteVersion) -> VersionCounts:
        is_asked = bool(version.replicas) and version.weight > 0
        return VersionCounts(version.name, requests=int(self._clock.now()) * self.requests_per_s if is_asked else 0)


class SimSecrets(Shelf):
    """The SECRETS capability. `put` gives a secret its next value, of which only the version is seen.

    A secret without a value is absent, whoever asked for it. One that was put before a stack asked for it is
    seen, but in no inventory.
    """

    capability = Capability.SECRETS
    holds = SecretBody

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self._versions: dict[ThingId, int] = {}
        self._given: Counter[ThingId] = Counter()

    def put(self, id: ThingId) -> None:
        self._given[id] += 1
        self._versions[id] = self._given[id]

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        assert isinstance(want.body, SecretBody)
        if want.body.generate and want.id not in self._versions:
            self.put(want.id)
        return None

    def _let_go(self, id: ThingId) -> bool:
        self._versions.pop(id, None)
        return True

    def inventory(self) -> Sequence[ThingId]:
        return self._call(lambda: sorted(id for id in self._wanted if id in self._versions))

    def _look(self, id: ThingId) -> Seen:
        if id not in self._versions:
            return Absent()
        want = self._wanted.get(id)
        return Present(SecretFacts(self._versions[id]), want.generation if want else 0)

    def _facts(self, want: Wanted) -> SecretFacts:
        return SecretFacts(self._versions[want.id])


class SimNotices(Shelf):
    """The NOTICES capability. `sent` lists every notice once, in order."""

    capability = Capability.NOTICES
    holds = NoticeBody

    def __init__(self, clock: VirtualClock, faults: Faults, delivers: Callable[[NoticeBody], bool] = lambda _: True):
        super().__init__(clock, faults)
        self._delivers = delivers
        self._sent_at: dict[ThingId, float] = {}
        self.sent: list[NoticeBody] = []

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        assert isinstance(want.body, NoticeBody)
        if want.id not in self._sent_at:
            self.sent.append(want.body)
            self._sent_at[want.id] = self._clock.now()
        return None

    def _let_go(self, id: ThingId) -> bool:
        self._sent_at.pop(id, None)
        return True

    def _facts(self, want: Wanted) -> NoticeFacts:
        assert isinstance(want.body, NoticeBody)
        return NoticeFacts(self._sent_at[want.id], self._delivers(want.body))


def _bucket(want: Wanted) -> BucketBody:
    assert isinstance(want.body, BucketBody)
    return want.body


def _model(want: Wanted) -> ModelBody:
    assert isinstance(want.body, ModelBody)
    return want.body


def _route(want: Wanted) -> RouteBody:
    assert isinstance(want.body, RouteBody)
    return want.body


def _owned_by_another(what: str, name: str, asker: ThingId, names: Mapping[ThingId, str]) -> Refused | None:
    """A refusal where somebody else than the asker has the name."""
    owner = next((id for id, taken in names.items() if taken == name), asker)
    return None if owner == asker else Refused(f"the {what} {name} belongs to {owner}")
