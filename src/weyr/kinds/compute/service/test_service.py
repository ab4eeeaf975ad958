"""A service's life, look by look: replicas that come, go, crash and fall ill, and versions that follow one another."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from any_history import History, Move

from weyr.core.checking import Proposal
from weyr.core.decision import Decision, Phase, Thing, phase_of
from weyr.core.ref import Ref
from weyr.core.routes import RouteBody
from weyr.core.schema import from_plain
from weyr.core.seen import Absent, EndReason, Present, RouteFacts, Seen, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.kinds.compute.service import KIND
from weyr.kinds.compute.service.body import replica_body
from weyr.kinds.compute.service.conclude import ROUTE
from weyr.kinds.compute.service.spec import ServiceSpec

WEB = Ref("shop", "service", "web")


def service(**fields: Any) -> ServiceSpec:
    spec: ServiceSpec = from_plain(ServiceSpec, {"run": "serve", **fields})
    return spec


@dataclass
class Shop:
    """One service with honest engines. Change a field, `step`, and see. The sets name replicas."""

    spec: ServiceSpec | None = field(default_factory=service)
    ill: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    ends: dict[str, TaskEnd] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    bad_versions: set[str] = field(default_factory=set)
    is_held: bool = False
    order: str = ""
    history: History = field(default_factory=lambda: History(KIND, WEB))

    def step(self, count: int = 1, after_s: float = 1.0) -> Decision[Any]:
        for _ in range(count):
            seen = tuple(self._seen(part, thing) for part, thing in self.history.things.items())
            move = Move(after_s, seen or (Unknown(),), is_held=self.is_held, spec=self.spec, order=self.order)
            decision, self.order = self.history.move(move), ""
        return decision

    @property
    def replicas(self) -> list[str]:
        return [part for part, thing in self.history.things.items() if part != ROUTE and not thing.is_released]

    @property
    def routed(self) -> list[str]:
        thing = self.history.things.get(ROUTE)
        return [part for part, _ in thing.body.replicas] if thing and isinstance(thing.body, RouteBody) else []

    def phase(self) -> Phase:
        return phase_of(self.step(after_s=0).conditions, is_removing=False)

    def _seen(self, part: str, thing: Thing) -> Seen:
        if part in self.silent:
            return Unknown("no answer")
        if thing.is_released and thing.is_accepted:
            return Absent()
        if part == ROUTE:
            return Present(
                RouteFacts(thing.generation, "http://plane/shop/web", tuple(self.busy.items()), self.waiting)
            )
        if part in self.ends:
            return Present(TaskFacts(TaskState.ENDED, started_at=1.0, end=self.ends[part]))
        is_bad = any(version in str(thing.body) for version in self.bad_versions)
        is_ready = part not in self.ill and not is_bad
        return Present(TaskFacts(TaskState.RUNNING, is_ready, self.history.now - 5, ports=(20_000 + int(part),)))


def failed(code: int = 1) -> TaskEnd:
    return TaskEnd(EndReason.FAILED if code else EndReason.SUCCEEDED, code, detail=f"exit code {code}")


def test_a_request_goes_to_ready_replicas_only() -> None:
    """What still starts must not be called; what is ready is in the route with its own port."""
    shop = Shop(service(replicas=2), ill={"2"})

    shop.step(3)

    assert shop.routed == ["1"]
    assert shop.phase() is Phase.WORKING
    shop.ill.clear()
    shop.step(3)
    body = shop.history.things[ROUTE].body
    assert isinstance(body, RouteBody)
    assert body.replicas == (("1", "127.0.0.1:20001"), ("2", "127.0.0.1:20002"))
    assert shop.phase() is Phase.READY


def test_a_new_version_takes_over_one_replica_at_a_time() -> None:
    """At each moment of an update as many answer as are wanted, and no more run than max_surge allows."""
    shop = Shop(service(replicas=3))
    shop.step(3)
    shop.spec = service(replicas=3, env={"V": "2"})

    for _ in range(30):
        shop.step()
        assert len(shop.routed) >= 3, "somebody's request would have waited"
        assert len(shop.replicas) <= 4

    assert shop.routed == ["4", "5", "6"]
    assert shop.phase() is Phase.READY


def test_without_room_for_more_an_old_replica_goes_first() -> None:
    """On a full machine an update needs no second place: one goes, one comes."""
    rollout = {"max_surge": 0, "max_unavailable": 1}
    shop = Shop(service(replicas=2, rollout=rollout))
    shop.step(3)
    shop.spec = service(replicas=2, rollout=rollout, env={"V": "2"})

    for _ in range(20):
        shop.step()
        assert len(shop.replicas) <= 2
        assert len(shop.routed) >= 1

    assert shop.routed == ["3", "4"]


def test_a_version_that_is_never_ready_takes_nobody_down() -> None:
    """The old one answers for as long as it takes; the service says that the new one failed, and why."""
    shop = Shop(service(replicas=2, health={"ready_within": 10}))
    shop.step(3)
    shop.bad_versions = {"broken"}
    shop.spec = service(replicas=2, health={"ready_within": 4}, env={"V": "broken"})

    decision = shop.step(100)

    assert shop.routed == ["1", "2"]
    assert phase_of(decision.conditions, is_removing=False) is Phase.FAILED
    assert "goes on answering" in decision.conditions[0].message


def test_a_late_check_takes_no_old_replica_down_while_the_new_ones_are_broken() -> None:
    """On a busy machine every check is late now and then; the old version may be all that answers."""
    shop = Shop(service(replicas=2, health={"every": 5, "failures": 3}))
    shop.step(3)
    shop.bad_versions = {"broken"}
    shop.spec = service(replicas=2, health={"every": 5, "failures": 3}, env={"V": "broken"})
    shop.ill = {"1", "2"}

    shop.step(5)

    assert {"1", "2"} <= set(shop.replicas)
    assert shop.routed == ["1", "2"]


def test_a_replica_that_hangs_is_replaced() -> None:
    """A deadlock ends no process; its failed checks take it out of the route, and then it goes."""
    shop = Shop(service(health={"every": 1, "failures": 2}))
    shop.step(3)
    shop.ill = {"1"}

    shop.step(20)

    assert shop.routed == ["2"]
    assert any(note.event == "replica.unhealthy" for note in shop.history.story)


@pytest.mark.parametrize(
    ("restart", "code", "is_replaced"),
    [("always", 0, True), ("on-failure", 0, False), ("on-failure", 1, True), ("never", 0, False), ("never", 1, False)],
)
def test_what_ended_by_itself_is_replaced_as_its_policy_says(restart: str, code: int, is_replaced: bool) -> None:
    """A worker that has done its work is not begun again, unless it is to be."""
    shop = Shop(service(restart=restart))
    shop.step(3)
    shop.ends["1"] = failed(code)

    shop.step(5)

    assert shop.replicas == (["2"] if is_replaced else [])


def test_what_was_taken_away_is_replaced_whatever_the_policy() -> None:
    """A lost node is not the program's end."""
    shop = Shop(service(restart="never"))
    shop.step(3)
    shop.ends["1"] = TaskEnd(EndReason.LOST)

    shop.step(3)

    assert shop.replicas == ["2"]


def test_a_crash_loop_is_slowed_down_and_told() -> None:
    """A replica that dies at once would cost a processor; the third death in a row is said to be a failure."""
    shop = Shop()
    for number in range(1, 100):
        shop.ends[str(number)] = failed()

    decision = shop.step(60)

    assert shop.history.memory.held.last_number < 9, "2, 4, 8, 16, 32 s apart"
    assert phase_of(decision.conditions, is_removing=False) is Phase.FAILED
    assert "exit code 1" in decision.conditions[0].message


def test_silence_takes_nobody_out_of_the_route() -> None:
    """An engine that cannot be reached says nothing of whether replicas answer."""
    shop = Shop(service(replicas=2))
    shop.step(3)
    shop.silent = {"1", "2"}

    shop.step(5)

    assert shop.routed == ["1", "2"]
    assert shop.phase() is Phase.UNKNOWN


def test_a_replica_stops_after_its_last_request() -> None:
    """One that leaves is not asked any more, and is not stopped while it still answers; its grace bounds that."""
    shop = Shop(service(grace=20))
    shop.step(3)
    shop.busy = {"1": 1}
    shop.spec = service(grace=20, env={"V": "2"})
    shop.step(6)
    assert shop.routed == ["2"]
    assert "1" in shop.replicas

    shop.step(25)

    assert "1" not in shop.replicas


def test_a_hold_stops_every_replica_and_lets_them_come_back() -> None:
    """A spent budget stops what costs; afterwards the service is as it was."""
    shop = Shop(service(replicas=2))
    shop.step(3)
    shop.is_held = True
    shop.step(5)
    assert shop.replicas == []
    assert shop.phase() is Phase.HELD

    shop.is_held = False
    shop.step(5)

    assert shop.routed == ["3", "4"]


def test_a_removed_service_goes_route_first() -> None:
    """Nobody is sent to a replica that stops."""
    shop = Shop()
    shop.step(3)
    shop.spec = None

    shop.step()
    assert shop.history.things[ROUTE].is_released
    assert not shop.history.things["1"].is_released

    assert shop.step(10).forget or not shop.history.things


def test_one_that_only_works_has_neither_port_nor_route() -> None:
    """A worker is well while it runs."""
    shop = Shop(service(listens=False))

    shop.step(3)

    assert ROUTE not in shop.history.things
    assert shop.phase() is Phase.READY
    body = replica_body(WEB, service(listens=False), {}, "/stack")
    assert body.ports == ()
    assert "--alive" in body.argv


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"rollout": {"max_surge": 0}}, "A rollout that cannot begin"),
        ({"health": {"http": "/", "command": "true"}}, "Two health checks"),
        ({"listens": False, "health": {"http": "/"}}, "A check of what does not listen"),
        ({"image": "nginx", "health": {"command": "true"}}, "A check outside of the image"),
    ],
)
def test_what_could_never_work_is_refused_in_the_plan(fields: dict[str, Any], summary: str) -> None:
    """Better a line in the plan than a service that never comes up."""
    assert KIND.checks is not None
    assert [finding.summary for finding in KIND.checks(Proposal({WEB: service(**fields)}, {}))] == [summary]


def test_two_objects_cannot_have_one_address() -> None:
    """An endpoint and a service of one name would both be called at /shop/web."""
    assert KIND.checks is not None
    specs = {WEB: service(), Ref("shop", "endpoint", "web"): service()}

    found = list(KIND.checks(Proposal(specs, {})))

    assert [finding.summary for finding in found] == ["Two objects with one address"]


def test_a_service_that_scales_wakes_grows_and_sleeps() -> None:
    """As many as are asked for, none at rest, and the story says why."""
    shop = Shop(service(scale={"min": 0, "max": 3, "target_inflight": 2, "idle_after": "20s"}))
    asleep = shop.step(3).conditions[0]
    assert (asleep.reason, shop.replicas) == ("Asleep", [])

    shop.waiting = 1
    shop.step()
    assert shop.replicas == ["1"]
    shop.step(2)
    shop.waiting, shop.busy = 0, {"1": 5}
    shop.step(4)
    assert shop.replicas == ["1", "2", "3"]
    assert [note.event for note in shop.history.story].count("service.scaled") == 2

    shop.busy = {}
    shop.step(60)
    assert (shop.replicas, shop.step().conditions[0].reason) == ([], "Asleep")


SCALES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "one that does not listen": ({"listens": False}, ("scale",)),
    "two numbers of replicas": ({"replicas": 2}, ("replicas",)),
    "replicas that are not replaced": ({"restart": "never"}, ("restart",)),
    "more at rest than at most": ({"scale": {"min": 3, "max": 2}}, ("scale", "max")),
}


@pytest.mark.parametrize("case", SCALES)
def test_what_cannot_be_scaled_is_refused(case: str) -> None:
    """In the plan, with what to write instead."""
    fields, path = SCALES[case]
    spec = service(**{"scale": {"max": 2}, **fields})
    assert KIND.checks is not None
    assert [finding.path for finding in KIND.checks(Proposal({WEB: spec}, {}))] == [path]


MONDAY = ("mon-fri 07:00-14:00",)
"""The shop's first look is on a Monday at 13:46:40 UTC."""


def test_a_calendar_ends_it_and_begins_it_again() -> None:
    """Nothing is paid for at night; in the morning it is there before anybody asks."""
    shop = Shop(service(replicas=2, calendar={"open": MONDAY}))
    shop.step(4)
    assert shop.replicas == ["1", "2"]

    shop.step(after_s=800)
    closed = shop.step(4).conditions[0]
    assert (closed.reason, shop.replicas, shop.phase()) == ("Closed", [], Phase.READY)
    assert "until Tue 07:00 UTC" in closed.message
    assert "weyr wake service/web starts it now" in closed.message
    assert [note.event for note in shop.history.story].count("service.closed") == 1

    shop.step(after_s=17 * 3600)
    assert len(shop.replicas) == 2
    assert "service.opened" in {note.event for note in shop.history.story}


def test_one_that_is_woken_at_night_runs_until_it_has_opened_and_closed() -> None:
    """Whoever needs it on a Sunday has it, and nobody has to remember to close it again."""
    shop = Shop(service(calendar={"open": MONDAY}))
    shop.step(2)
    shop.step(after_s=1000)
    shop.step(3)
    assert shop.replicas == []
    assert KIND.refuses is not None
    assert KIND.refuses(shop.history.memory, "wake") == ""

    shop.order = "wake"
    shop.step(2)
    assert shop.replicas == ["2"]
    shop.step(after_s=20 * 3600)
    assert shop.replicas == ["2"], "it is open by now"
    shop.step(after_s=4 * 3600)
    shop.step(2)
    assert shop.replicas == [], "it closed the next day at its hour"
