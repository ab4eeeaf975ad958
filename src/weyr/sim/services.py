"""What else does a simulated engine offer? Buckets, models, routes, secrets and notices, as plain values."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from weyr.core.capability import BucketBody, Capability, ModelBody, NoticeBody, Refused, RouteBody, SecretBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import BucketFacts, ModelFacts, NoticeFacts, RouteFacts, SecretFacts, VersionFacts
from weyr.sim.clock import VirtualClock
from weyr.sim.faults import Faults
from weyr.sim.shelf import Shelf


class SimBuckets(Shelf):
    """The OBJECTS capability. A name has one owner; `fill` says what a bucket holds."""

    capability = Capability.OBJECTS

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self._holds: dict[str, tuple[int, int]] = {}

    def fill(self, name: str, size_bytes: int, objects: int = 1) -> None:
        self._holds[name] = (size_bytes, objects)

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        name = _bucket(want).name
        owner = next((id for id, other in self._wanted.items() if _bucket(other).name == name), want.id)
        return None if owner == want.id else Refused(f"the bucket {name} belongs to {owner.ref.absolute}")

    def _let_go(self, id: ThingId) -> bool:
        self._holds.pop(_bucket(self._wanted[id]).name, None)
        return True

    def _facts(self, want: Wanted) -> BucketFacts:
        body = _bucket(want)
        size_bytes, objects = self._holds.get(body.name, (0, 0))
        return BucketFacts(size_bytes, objects, body.lifecycle)


class SimModels(Shelf):
    """The REGISTRY capability. Versions appear by `register`, as a run's do; aliases by what is wanted."""

    capability = Capability.REGISTRY

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self._versions: dict[str, list[VersionFacts]] = {}

    def register(self, model: str, source: str, metrics: Mapping[str, float]) -> int:
        """A new version of a model; gives its number."""
        versions = self._versions.setdefault(model, [])
        version = VersionFacts(len(versions) + 1, source, f"run-{len(versions) + 1}", tuple(sorted(metrics.items())))
        versions.append(version)
        return version.version

    def _let_go(self, id: ThingId) -> bool:
        self._versions.pop(_model(self._wanted[id]).name, None)
        return True

    def _facts(self, want: Wanted) -> ModelFacts:
        body = _model(want)
        versions = self._versions.get(body.name, [])
        aliases = tuple(alias for alias in body.aliases if alias[1] <= len(versions))
        return ModelFacts(tuple(versions), aliases)


class SimRoutes(Shelf):
    """The TRAFFIC capability. `load` sets the requests in flight of a route's replicas, and those that wait."""

    capability = Capability.TRAFFIC

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self._load: dict[str, RouteFacts] = {}

    def load(self, route: str, inflight: Mapping[str, int], waiting: int = 0, requests: int = 0) -> None:
        self._load[route] = RouteFacts(
            replicas=tuple(inflight.items()), waiting=waiting, requests=requests, last_request_at=self._clock.now()
        )

    def _facts(self, want: Wanted) -> RouteFacts:
        assert isinstance(want.body, RouteBody)
        load = self._load.get(want.body.route, RouteFacts())
        inflight = dict(load.replicas)
        listed = [replica for replica, _ in want.body.replicas]
        leaving = [replica for replica, count in inflight.items() if count and replica not in listed]
        replicas = tuple((replica, inflight.get(replica, 0)) for replica in (*listed, *leaving))
        url = f"http://sim/{want.body.route}"
        return replace(load, generation=want.generation, url=url, replicas=replicas)


class SimSecrets(Shelf):
    """The SECRETS capability. `put` gives a secret its next value, of which only the version is seen."""

    capability = Capability.SECRETS

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self._versions: dict[ThingId, int] = {}

    def put(self, id: ThingId) -> None:
        self._versions[id] = self._versions.get(id, 0) + 1

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        assert isinstance(want.body, SecretBody)
        if want.body.generate:
            self._versions.setdefault(want.id, 1)
        return None

    def _let_go(self, id: ThingId) -> bool:
        self._versions.pop(id, None)
        return True

    def _facts(self, want: Wanted) -> SecretFacts:
        return SecretFacts(self._versions.get(want.id, 0))


class SimNotices(Shelf):
    """The NOTICES capability. `sent` lists every notice once, in order."""

    capability = Capability.NOTICES

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
