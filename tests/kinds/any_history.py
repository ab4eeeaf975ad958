"""What may happen to one object? Anything: a loop in small, for the kinds' property tests only.

It does with a kind's decisions what `weyr.reconcile.loop` does with them, for one object and without a store, and
its engine answers and reports whatever a test draws. What must never happen is asserted on the way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from weyr.core.capability import Capability
from weyr.core.decision import Decision, Ensure, Hold, Need, Note, Order, Release, Spend, Thing, View, Want
from weyr.core.kind import AnyKind
from weyr.core.ref import Ref
from weyr.core.schema import from_json, to_json
from weyr.core.seen import Absent, Facts, Present, Seen, TaskFacts, TaskState, Unknown
from weyr.reconcile.scaling import Scaling

HOLD = Hold(Ref("digits", "budget", "month"), "budget/month is spent")


@dataclass(frozen=True, slots=True)
class Move:
    """What happens before the next look: time passes, things look otherwise, somebody wants something else.

    `seen` and `answers` go to the object's things in turn; `answers` are the engine's to what it is told.
    """

    after_s: float = 1.0
    seen: tuple[Seen, ...] = (Unknown(),)
    answers: tuple[str, ...] = ("accepts",)
    is_held: bool = False
    spec: Any = None
    needs: Mapping[Ref, Need] = field(default_factory=dict)
    spend: Spend | None = None
    order: str = ""
    """What somebody orders just before."""


@dataclass
class History:
    """One object of `kind`. `things` is what was asked of engines, `story` every note there was."""

    kind: AnyKind
    ref: Ref
    now: float = 1_000_000.0
    generation: int = 0
    spec: Any = None
    things: dict[str, Thing] = field(default_factory=dict)
    memory: Any = None
    story: list[Note] = field(default_factory=list)
    live_before: list[str] = field(default_factory=list)
    """The tasks that might be running when the last decision was made."""
    order: Order | None = None
    scaling: Scaling = field(default_factory=Scaling)
    buried: set[str] = field(default_factory=set)
    """The names of things that were released and are proved to be gone."""

    def live_tasks(self) -> list[str]:
        """Tasks that may be running, as far as anybody can know."""
        return [part for part, thing in self.things.items() if _may_run(thing)]

    def move(self, move: Move) -> Decision[Any]:
        """One look, after something happened."""
        self.now += move.after_s
        if move.spec != self.spec:
            self.spec, self.generation = move.spec, self.generation + 1
        for turn, part in enumerate(self.things):
            # What was proved to be gone does not come back by itself: that is what a proof is.
            if not self.things[part].is_gone:
                self.things[part] = replace(self.things[part], seen=move.seen[turn % len(move.seen)])
        self._drop_absent()
        self.live_before = self.live_tasks()
        decision = self._decide(move)
        for action in decision.actions:
            self._intend(action)
        for turn, part in enumerate(self.things):
            self._answer(part, move.answers[turn % len(move.answers)])
        return decision

    def _decide(self, move: Move) -> Decision[Any]:
        hold = HOLD if move.is_held else None
        if move.order:
            self.order = Order(move.order, (self.order.number if self.order else 0) + 1)
        view = View(self.now, dict(self.things), move.needs, self.memory, hold, spend=move.spend, order=self.order)
        want: Want[Any] = Want(self.ref, self.spec, self.generation, "/stack")
        decision = self.kind.decide(want, self.scaling.advised(self.kind, want, view))
        self.story += decision.notes
        if decision.forget:
            left = {part: thing.seen for part, thing in self.things.items() if not thing.is_gone}
            assert not left, f"forgotten while these are not proved absent: {left}"
            self.things, self.memory, self.buried = {}, None, set()
            return decision
        assert decision.conditions, "an object of which nothing is said"
        if self.kind.memory is not None:
            self.memory = from_json(self.kind.memory, to_json(self.kind.memory, decision.memory))
        return decision

    def _drop_absent(self) -> None:
        gone = {part for part, thing in self.things.items() if thing.is_released and thing.is_gone}
        self.things = {part: thing for part, thing in self.things.items() if part not in gone}
        self.buried |= gone

    def _intend(self, action: Ensure | Release) -> None:
        thing = self.things.get(action.part)
        match action:
            case Release():
                assert thing is not None, f"released {action.part!r}, which was never asked for"
                if not thing.is_released or thing.refusal or (thing.is_accepted and isinstance(thing.seen, Present)):
                    self.things[action.part] = replace(thing, is_released=True, is_accepted=False, refusal="")
            case Ensure(part=part, capability=capability, body=body):
                if thing is not None and thing.is_released:
                    return
                generation = self.generation if action.generation is None else action.generation
                if thing is None or generation > thing.generation:
                    seen = thing.seen if thing else Unknown()
                    self.things[part] = Thing(part, capability, generation, seen, body)
                elif action.again or thing.is_gone:
                    self.things[part] = replace(thing, is_accepted=False, refusal="")

    def _answer(self, part: str, answer: str) -> None:
        thing = self.things[part]
        if thing.is_accepted or thing.refusal:
            return
        match answer:
            case "accepts":
                seen = Unknown("its release was accepted just now") if thing.is_released else thing.seen
                self.things[part] = replace(thing, is_accepted=True, seen=seen)
            case "refuses":
                self.things[part] = replace(thing, refusal="no")
            case _:
                return


def moves(
    facts: SearchStrategy[Facts],
    specs: SearchStrategy[Any],
    needs: SearchStrategy[Mapping[Ref, Need]] | None = None,
    spends: SearchStrategy[Spend | None] | None = None,
    orders: SearchStrategy[str] | None = None,
) -> SearchStrategy[list[Move]]:
    """Any history of an object whose things look like `facts`, whoever wants it to be like one of `specs`."""
    present = st.builds(Present, facts, st.integers(0, 5))
    seen = st.lists(st.one_of(present, st.just(Absent()), st.just(Unknown())), min_size=1, max_size=4)
    answers = st.lists(st.sampled_from(("accepts", "accepts", "refuses", "is silent")), min_size=1, max_size=3)
    move = st.builds(
        Move,
        after_s=st.sampled_from((0.0, 0.1, 2.0, 40.0, 4000.0)),
        seen=seen.map(tuple),
        answers=answers.map(tuple),
        is_held=st.booleans(),
        spec=specs,
        needs=st.just({}) if needs is None else needs,
        spend=st.none() if spends is None else spends,
        order=st.just("") if orders is None else orders,
    )
    return st.lists(move, min_size=1, max_size=25)


def goes_away(history: History) -> bool:
    """Whether an object that nobody wants any more goes away, once its engines do as they are told."""
    for _ in range(20):
        released = {part: thing.is_released and thing.is_accepted for part, thing in history.things.items()}
        seen: list[Seen] = [Absent() if is_released else Unknown() for is_released in released.values()]
        if history.move(Move(after_s=60.0, seen=tuple(seen) or (Unknown(),))).forget:
            return True
    return False


def _may_run(thing: Thing) -> bool:
    match thing.seen:
        case Present(facts=TaskFacts(state=TaskState.ENDED)):
            return False
        case _:
            return thing.capability is Capability.TASKS and not thing.is_gone and not thing.refusal
