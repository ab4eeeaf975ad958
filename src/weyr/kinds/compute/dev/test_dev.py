"""A session's life, look by look: begun, ended by itself, begun again, taken away."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from any_history import History, Move

from weyr.core.checking import Proposal
from weyr.core.decision import Decision, Phase, Thing, phase_of
from weyr.core.ref import Ref
from weyr.core.schema import from_plain
from weyr.core.seen import Absent, EndReason, Present, Seen, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.kinds.compute.dev import KIND
from weyr.kinds.compute.dev.decide import session_body
from weyr.kinds.compute.dev.spec import DevSpec

SHELL = Ref("study", "dev", "shell")


def session(**fields: Any) -> DevSpec:
    spec: DevSpec = from_plain(DevSpec, fields)
    return spec


@dataclass
class Desk:
    """One session with an honest engine. Change a field, `step`, and see."""

    spec: DevSpec | None = field(default_factory=session)
    ends: dict[str, TaskEnd] = field(default_factory=dict)
    is_held: bool = False
    after_s: float = 1.0
    order: str = ""
    began_at: float = 1.0
    history: History = field(default_factory=lambda: History(KIND, SHELL))

    def step(self, count: int = 1) -> Decision[Any]:
        for _ in range(count):
            seen = tuple(self._seen(part, thing) for part, thing in self.history.things.items())
            move = Move(self.after_s, seen or (Unknown(),), is_held=self.is_held, spec=self.spec, order=self.order)
            decision, self.order = self.history.move(move), ""
            assert len(self.history.live_tasks()) <= 1, "two sessions would write into one folder"
        return decision

    @property
    def tasks(self) -> list[str]:
        return [part for part, thing in self.history.things.items() if not thing.is_released]

    def phase(self) -> Phase:
        return phase_of(self.step().conditions, is_removing=False)

    def _seen(self, part: str, thing: Thing) -> Seen:
        if thing.is_released and thing.is_accepted:
            return Absent()
        if part in self.ends:
            return Present(TaskFacts(TaskState.ENDED, started_at=1.0, end=self.ends[part]))
        return Present(TaskFacts(TaskState.RUNNING, is_ready=True, started_at=self.began_at, ports=(20_000,)))


def test_an_idle_session_ends_and_the_next_plan_begins_another() -> None:
    """A forgotten notebook costs an hour, not a month; `weyr up` brings it back."""
    desk = Desk()
    desk.step(3)
    assert desk.phase() is Phase.READY
    desk.ends["1"] = TaskEnd(EndReason.SUCCEEDED, 0)

    desk.step(3)
    assert desk.tasks == []
    assert desk.phase() is Phase.DONE
    assert KIND.begins_again

    desk.history.generation += 1
    desk.step(3)
    assert desk.tasks == ["2"]


@pytest.mark.parametrize(
    ("reason", "phase"),
    [(EndReason.FAILED, Phase.FAILED), (EndReason.OUT_OF_MEMORY, Phase.FAILED), (EndReason.TIMED_OUT, Phase.DONE)],
)
def test_what_ended_by_itself_is_not_begun_again(reason: EndReason, phase: Phase) -> None:
    """A kernel that eats all memory would do it again; the longest duration is meant."""
    desk = Desk()
    desk.step(3)
    desk.ends["1"] = TaskEnd(reason, 1, detail="as it happened")

    desk.step(3)

    assert desk.tasks == []
    assert desk.phase() is phase


def test_what_was_taken_away_is_followed_by_another() -> None:
    """A lost node ends nobody's day."""
    desk = Desk()
    desk.step(3)
    desk.ends["1"] = TaskEnd(EndReason.LOST)

    desk.step(4)

    assert desk.tasks == ["2"]


def test_a_changed_session_is_replaced_after_it_ended() -> None:
    """Never two in one folder: the new one begins when the old one is gone."""
    desk = Desk()
    desk.step(3)
    desk.spec = session(resources={"cpu": 2})

    desk.step(6)

    assert desk.tasks == ["2"]


def test_a_hold_ends_it_and_a_removal_forgets_it() -> None:
    """What is not to be paid for does not run."""
    desk = Desk()
    desk.step(3)
    desk.is_held = True
    desk.step(3)
    assert desk.tasks == []
    assert desk.phase() is Phase.HELD

    desk.is_held, desk.spec = False, None
    desk.step(4)
    assert desk.history.things == {}


def test_a_notebook_has_a_port_and_a_shell_has_none() -> None:
    """Nothing listens where nobody asked for a page."""
    shell = session_body(SHELL, session(), {}, "/stack")
    notebook = session_body(SHELL, session(jupyter=True, max_duration="8h"), {}, "/stack")

    assert shell.ports == ()
    assert notebook.ports == (0,)
    assert notebook.time_limit_s == 8 * 3600
    assert "jupyter lab" in notebook.argv[2]


@pytest.mark.parametrize("fields", [{"jupyter": True, "run": "marimo"}, {"image": "python"}, {"ship": True}])
def test_what_could_never_work_is_refused_in_the_plan(fields: dict[str, Any]) -> None:
    """Better a line in the plan than a session that never opens."""
    assert KIND.checks is not None
    assert len(list(KIND.checks(Proposal({SHELL: session(**fields)}, {})))) == 1


def test_a_calendar_ends_a_session_and_an_order_begins_another() -> None:
    """A notebook left open on a Monday evening is gone at its closing; one begun at night stays until the next."""
    desk = Desk(session(calendar={"open": ["mon-fri 07:00-14:00"]}), began_at=1_000_000.0)
    desk.step(3)
    assert desk.phase() is Phase.READY

    desk.after_s = 800
    desk.step()
    desk.after_s = 1
    said = desk.step(3).conditions[0].message
    assert (desk.tasks, desk.phase()) == ([], Phase.DONE)
    assert "its calendar closed" in said
    assert "weyr wake begins another" in said
    assert [note.event for note in desk.history.story].count("dev.closed") == 1
    assert KIND.refuses is not None
    assert KIND.refuses(desk.history.memory, "wake") == ""

    desk.order, desk.began_at = "wake", desk.history.now
    desk.step(3)
    assert desk.tasks == ["2"]
    assert KIND.refuses(desk.history.memory, "wake") == "it has not ended"
    desk.after_s = 20 * 3600
    desk.step()
    assert desk.tasks == ["2"], "the next morning"
    desk.after_s = 5 * 3600
    desk.step(3)
    assert desk.tasks == []
