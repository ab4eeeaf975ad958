"""A function's life, look by look: asleep, woken, awake, replaced, asleep again."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from any_history import History, Move

from weyr.core.capability import FunctionBody, TaskBody
from weyr.core.checking import Proposal
from weyr.core.decision import Decision, Need, Phase, Thing, phase_of
from weyr.core.ref import Ref
from weyr.core.routes import RouteBody
from weyr.core.schema import ValidationError, from_plain
from weyr.core.seen import (
    Absent,
    EndReason,
    FunctionFacts,
    Present,
    RouteFacts,
    Seen,
    TaskEnd,
    TaskFacts,
    TaskState,
    Unknown,
)
from weyr.kinds.compute.function import KIND
from weyr.kinds.compute.function.conclude import DOOR, PLANE
from weyr.kinds.compute.function.spec import FunctionSpec

THUMB = Ref("lab", "function", "thumb")
INBOX = Ref("lab", "bucket", "inbox")


def function(**fields: Any) -> FunctionSpec:
    spec: FunctionSpec = from_plain(FunctionSpec, {"handler": "thumb:made", **fields})
    return spec


@dataclass
class Stage:
    """One function with honest engines. Change a field, `step`, and see."""

    spec: FunctionSpec | None = field(default_factory=function)
    waiting: int = 0
    pending: int = 0
    busy: dict[str, int] = field(default_factory=dict)
    starting: set[str] = field(default_factory=set)
    crashing: set[str] = field(default_factory=set)
    is_plane_silent: bool = False
    is_held: bool = False
    last_used_at: float | None = None
    history: History = field(default_factory=lambda: History(KIND, THUMB))

    def step(self, count: int = 1, after_s: float = 1.0) -> Decision[Any]:
        for _ in range(count):
            if self.waiting or self.pending or any(self.busy.values()):
                self.last_used_at = self.history.now + after_s
            seen = tuple(self._seen(part, thing) for part, thing in self.history.things.items())
            needs = {INBOX: Need(Phase.READY, {"name": "lab-inbox"})}
            move = Move(after_s, seen or (Unknown(),), is_held=self.is_held, spec=self.spec, needs=needs)
            decision = self.history.move(move)
        return decision

    @property
    def hosts(self) -> list[str]:
        return [
            part for part, thing in self.history.things.items() if part not in (PLANE, DOOR) and not thing.is_released
        ]

    @property
    def told(self) -> FunctionBody:
        body = self.history.things[PLANE].body
        assert isinstance(body, FunctionBody)
        return body

    def phase(self) -> Phase:
        return phase_of(self.step(after_s=0).conditions, is_removing=False)

    def _seen(self, part: str, thing: Thing) -> Seen:
        if thing.is_released and thing.is_accepted:
            return Absent()
        if part == PLANE:
            if self.is_plane_silent:
                return Unknown("no answer")
            facts = FunctionFacts(
                thing.generation, "/run/f.sock", tuple(self.busy.items()), waiting=self.waiting,
                pending=self.pending, last_used_at=self.last_used_at,
            )  # fmt: skip
            return Present(facts, thing.generation)
        if part == DOOR:
            return Present(RouteFacts(thing.generation, "http://plane/lab/thumb"), thing.generation)
        if part in self.crashing:
            return Present(TaskFacts(TaskState.ENDED, end=TaskEnd(EndReason.FAILED, 1, detail="exit code 1")))
        state = TaskState.STARTING if part in self.starting else TaskState.RUNNING
        return Present(TaskFacts(state, state is TaskState.RUNNING, self.history.now - 2, address=f"/run/{part}.sock"))


def test_a_function_that_nobody_asks_runs_nowhere() -> None:
    """It is ready, has an address, and costs nothing; it is looked at again when somebody rings."""
    stage = Stage()

    decision = stage.step(4)

    assert stage.hosts == []
    assert stage.phase() is Phase.READY
    body = stage.history.things[DOOR].body
    assert isinstance(body, RouteBody)
    assert body.replicas == (("functions", "/run/f.sock"),)
    assert decision.again_s is None


@pytest.mark.parametrize("why", ["waiting", "pending"])
def test_what_waits_wakes_it_and_it_sleeps_again(why: str) -> None:
    """A caller or an event starts the host, whose address the plane knows before it is ready; idle, it goes."""
    stage = Stage(function(scale={"idle_after": "10s"}), starting={"1"})
    stage.step(3)
    setattr(stage, why, 1)

    stage.step(2)
    assert stage.hosts == ["1"]
    assert stage.told.hosts == (("1", "/run/1.sock"),)

    setattr(stage, why, 0)
    stage.starting.clear()
    remembered = stage.step(5).memory
    assert remembered is not None
    assert remembered.start_s > 0, "who rehearses the next start knows what this one took"
    assert stage.hosts == ["1"], "not idle for long enough"
    stage.step(12)
    assert stage.hosts == []
    assert not stage.told.hosts


def test_a_warm_function_always_has_a_host() -> None:
    """Whoever may not wait pays for one that stands."""
    stage = Stage(function(scale={"warm": 2}))

    stage.step(500)

    assert stage.hosts == ["1"]
    assert stage.told.warm == 2


def test_new_code_takes_over_when_it_is_loaded_and_the_old_ends_with_its_last_event() -> None:
    """No event is cut off by an update, and none is sent to code that does not load."""
    stage = Stage(function(scale={"warm": 1}), starting={"2"})
    stage.step(3)
    stage.busy = {"1": 1}
    stage.spec = function(scale={"warm": 1}, env={"V": "2"})

    stage.step(3)
    assert stage.hosts == ["1", "2"]
    assert [host for host, _ in stage.told.hosts] == ["2", "1"]

    stage.starting.clear()
    stage.step(3)
    assert [host for host, _ in stage.told.hosts] == ["2"]
    assert "1" in stage.hosts
    stage.busy = {}
    stage.step(3)
    assert stage.hosts == ["2"]


def test_limits_change_in_place() -> None:
    """Another number of instances is no other code."""
    stage = Stage(function(scale={"warm": 1}))
    stage.step(3)
    stage.spec = function(scale={"warm": 1, "max": 50}, time_limit="5m", retries={"max": 9})

    stage.step(3)

    assert stage.hosts == ["1"]
    assert (stage.told.instances_max, stage.told.time_limit_s, stage.told.retries_max) == (50, 300, 9)


def test_code_that_does_not_load_is_said_to_have_failed() -> None:
    """Three hosts in a row that die are no accident; the pause between them grows."""
    stage = Stage(waiting=1, crashing={str(number) for number in range(1, 100)})

    decision = stage.step(60)

    assert phase_of(decision.conditions, is_removing=False) is Phase.FAILED
    assert "exit code 1" in decision.conditions[0].message
    assert stage.history.memory.held.last_number < 9


def test_silence_of_the_plane_changes_nothing() -> None:
    """A host may be at work although nobody can tell."""
    stage = Stage(function(scale={"idle_after": "5s"}), waiting=1)
    stage.step(3)
    stage.waiting, stage.is_plane_silent = 0, True

    stage.step(60)

    assert stage.hosts == ["1"]
    assert stage.phase() is Phase.UNKNOWN


def test_a_hold_puts_it_to_sleep() -> None:
    """A spent budget starts nothing; events wait until it is lifted."""
    stage = Stage(waiting=1, is_held=True)

    stage.step(5)

    assert stage.hosts == []
    assert stage.phase() is Phase.HELD


def test_a_removed_function_is_called_no_more_before_its_host_stops() -> None:
    """First its address and its triggers, then what runs."""
    stage = Stage(waiting=1)
    stage.step(4)
    stage.spec, stage.waiting = None, 0

    stage.step()
    assert stage.history.things[PLANE].is_released
    assert not stage.history.things["1"].is_released
    stage.step(15)
    assert stage.history.things == {}


def test_triggers_name_the_buckets_of_the_world() -> None:
    """The plane knows a bucket by the name it has at the S3 door, not by that in the file."""
    stage = Stage(function(objects=[{"bucket": "inbox", "prefix": "in/", "events": ["created", "removed"]}]))

    stage.step(2)

    (trigger,) = stage.told.objects
    assert (trigger.bucket, trigger.prefix) == ("lab-inbox", "in/")
    assert trigger.events == ("ObjectCreated:*", "ObjectRemoved:*", "LifecycleExpiration:*")


def test_a_letterbox_may_be_written_to_and_no_more() -> None:
    """Its instances leave the letters there, with the least that this takes."""
    stage = Stage(function(letterbox={"bucket": "inbox", "prefix": "failed/"}), waiting=1)

    stage.step(3)

    assert (stage.told.letters_bucket, stage.told.letters_prefix) == ("lab-inbox", "failed/")
    host = stage.history.things["1"].body
    assert isinstance(host, TaskBody)
    assert host.grants == ("s3:write:lab-inbox/failed/*",)


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"run": "cat"}, "No code, or two"),
        ({"handler": None}, "No code, or two"),
        ({"scale": {"warm": 5, "max": 2}}, "Limits that contradict"),
        ({"image": "python"}, "A function in an image"),
        ({"objects": [{"bucket": "inbox"}], "writes": ["inbox"]}, "A function that may call itself"),
        ({"objects": [{"bucket": "inbox"}], "letterbox": {"bucket": "inbox"}}, "Letters that call whom they are about"),
        ({"letterbox": {"bucket": "inbox"}, "sandbox": {"network": "none"}}, "A letterbox out of reach"),
    ],
)
def test_what_could_never_work_is_told_in_the_plan(fields: dict[str, Any], summary: str) -> None:
    """Better a line in the plan than a function that is never called, or never stops calling itself."""
    assert KIND.checks is not None
    assert [finding.summary for finding in KIND.checks(Proposal({THUMB: function(**fields)}, {}))] == [summary]


@pytest.mark.parametrize(
    "fields",
    [
        {"handler": "no colon"}, {"time_limit": "16m"}, {"schedules": [{"cron": "often"}]},
        {"schedules": [{"cron": "@daily", "zone": "Mars/Base"}]},
        {"objects": [{"bucket": "inbox", "events": ["moved"]}]},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(fields: dict[str, Any]) -> None:
    """A typing error in a trigger would otherwise be a function that is never called."""
    with pytest.raises(ValidationError):
        function(**fields)
