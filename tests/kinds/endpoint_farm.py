"""What would an endpoint's engines make of its decisions? Honest ones, look by look; for the endpoint's tests only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from any_history import History, Move

from weyr.core.decision import Decision, Need, Phase, Release, Thing, phase_of
from weyr.core.ref import Ref
from weyr.core.routes import RouteBody
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
    return {"name": "digits-digits", "production.version": number, "production.source": f"s3://lake/{number}/model"}


@dataclass
class Farm:
    """One endpoint with its replicas and its plane. Change a field, `step`, and see.

    `crashing`, `slow`, `silent` and `vanished` name replicas. A plane that is lagging goes on with the routing
    that it had.
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
    history: History = field(default_factory=lambda: History(KIND, DIGITS))
    routed: tuple[str, ...] = ()
    applied: int = 0

    def step(self, count: int = 1, after_s: float = 1.0) -> Decision[Any]:
        """So many looks; gives the last decision."""
        for _ in range(count):
            self._plane_reads()
            seen = tuple(self._seen(part, thing) for part, thing in self.history.things.items())
            needs = {MODEL: Need(Phase.READY, self.model)} if self.needs is None else self.needs
            move = Move(after_s, seen or (Unknown(),), ("accepts",), self.is_held, self.spec, needs)
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
                last_request_at=self.last_request_at,
            )  # fmt: skip
            return Present(facts, thing.generation)
        if part in self.crashing:
            return Present(TaskFacts(TaskState.ENDED, end=TaskEnd(EndReason.FAILED, 1, detail="exit code 1")))
        return Present(TaskFacts(TaskState.RUNNING, part not in self.slow, 5.0, address=f"/run/{part}"))


def released(decision: Decision[Any]) -> list[str]:
    return [action.part for action in decision.actions if isinstance(action, Release)]
