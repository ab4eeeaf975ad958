"""What would an endpoint's engines make of its decisions? Honest ones, look by look; for the endpoint's tests only."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from any_history import History, Move

from weyr.core.decision import Decision, Need, Phase, Release, Thing, phase_of
from weyr.core.ref import Ref
from weyr.core.routes import LATENCY_BUCKETS_S, RouteBody, VersionCounts
from weyr.core.schema import from_plain
from weyr.core.seen import Absent, EndReason, Present, RouteFacts, Seen, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.kinds.ml.endpoint import KIND
from weyr.kinds.ml.endpoint.look import ROUTE
from weyr.kinds.ml.endpoint.spec import EndpointSpec

DIGITS = Ref("digits", "endpoint", "digits")
MODEL = Ref("digits", "model", "digits")


def endpoint(**fields: Any) -> EndpointSpec:
    spec: EndpointSpec = from_plain(EndpointSpec, {"model": "digits", **fields})
    return spec


def version(number: int) -> dict[str, str | int | float | bool]:
    """What a model says of itself whose alias is at this version."""
    return {"name": "digits-digits", **alias("production", number)}


def alias(name: str, number: int) -> dict[str, str | int | float | bool]:
    return {f"{name}.version": number, f"{name}.source": f"s3://lake/{number}/model"}


@dataclass
class Farm:
    """One endpoint with its replicas and its plane. Change a field, `step`, and see.

    `crashing`, `slow`, `silent`, `vanished` and `queued` name replicas; `counts` is what the plane counted, by version.
    An `order` is given at the next look. Replicas began when they were first seen, or at `started_at`. A plane that is
    lagging goes on with the routing that it had.
    """

    spec: EndpointSpec | None = field(default_factory=endpoint)
    model: dict[str, str | int | float | bool] = field(default_factory=lambda: version(1))
    crashing: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)
    inflight: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    last_request_at: float | None = None
    is_lagging: bool = False
    is_held: bool = False
    needs: Mapping[Ref, Need] | None = None
    counts: dict[str, VersionCounts] = field(default_factory=dict)
    queued: set[str] = field(default_factory=set)
    order: str = ""
    started_at: float | None = None
    began: dict[str, float] = field(default_factory=dict)
    history: History = field(default_factory=lambda: History(KIND, DIGITS))
    routed: tuple[str, ...] = ()
    applied: int = 0

    def step(self, count: int = 1, after_s: float = 1.0) -> Decision[Any]:
        """So many looks; gives the last decision."""
        for _ in range(count):
            self._plane_reads()
            seen = tuple(self._seen(part, thing) for part, thing in self.history.things.items())
            needs = {MODEL: Need(Phase.READY, self.model)} if self.needs is None else self.needs
            move = Move(after_s, seen or (Unknown(),), ("accepts",), self.is_held, self.spec, needs, order=self.order)
            self.order = ""
            decision = self.history.move(move)
        return decision

    def phase(self) -> Phase:
        """The word people see, at another look in the same moment."""
        return phase_of(self.step(after_s=0).conditions, is_removing=False)

    @property
    def replicas(self) -> list[str]:
        """The replicas that stand and were not told to stop."""
        return [part for part, thing in self.history.things.items() if part != ROUTE and not thing.is_released]

    @property
    def wanted_route(self) -> list[str]:
        """Whom the plane was told to send to."""
        thing = self.history.things.get(ROUTE)
        return [part for part, _address in thing.body.replicas] if thing and isinstance(thing.body, RouteBody) else []

    @property
    def weights(self) -> dict[str, int]:
        """The share of the requests that each version is to get, in hundredths of a percent."""
        thing = self.history.things[ROUTE]
        assert isinstance(thing.body, RouteBody)
        return {version.name: version.weight for version in thing.body.versions}

    def answered(self, name: str, requests: int, errors: int = 0, slow_s: float = 0.0, slow: int = 0) -> None:
        """So many requests more by one version, each in 10 ms but for `slow` ones, which took `slow_s`."""
        before = self.counts.get(name, VersionCounts(name, buckets=(0,) * (len(LATENCY_BUCKETS_S) + 1)))
        buckets = list(before.buckets)
        buckets[bisect_left(LATENCY_BUCKETS_S, 0.01)] += requests - slow
        buckets[bisect_left(LATENCY_BUCKETS_S, slow_s)] += slow
        self.counts[name] = replace(
            before, requests=before.requests + requests, errors=before.errors + errors, buckets=tuple(buckets),
            worked=before.worked + requests, worked_s=before.worked_s + 0.01 * (requests - slow) + slow_s * slow,
        )  # fmt: skip

    def _plane_reads(self) -> None:
        thing = self.history.things.get(ROUTE)
        if thing and not self.is_lagging:
            self.applied, self.routed = thing.generation, tuple(self.wanted_route)

    def _seen(self, part: str, thing: Thing) -> Seen:
        if part in self.silent:
            return Unknown("no answer")
        if (thing.is_released and thing.is_accepted) or part in self.vanished:
            return Absent()
        if part == ROUTE:
            busy = {**dict.fromkeys(self.routed, 0), **{p: n for p, n in self.inflight.items() if n}}
            facts = RouteFacts(
                self.applied, "http://plane/digits/digits", tuple(busy.items()), self.waiting,
                requests=sum(counts.requests for counts in self.counts.values()),
                last_request_at=self.last_request_at, versions=tuple(self.counts.values()),
            )  # fmt: skip
            return Present(facts, thing.generation)
        if part in self.queued:
            return Present(TaskFacts(TaskState.STARTING, waits="no room"))
        if part in self.crashing:
            return Present(TaskFacts(TaskState.ENDED, end=TaskEnd(EndReason.FAILED, 1, detail="exit code 1")))
        began = self.began.setdefault(part, self.history.now) if self.started_at is None else self.started_at
        return Present(TaskFacts(TaskState.RUNNING, part not in self.slow, began, address=f"/run/{part}"))


def released(decision: Decision[Any]) -> list[str]:
    return [action.part for action in decision.actions if isinstance(action, Release)]
