"""Plans from stacks and worlds: what `tests/plans` cannot say in a file."""

from dataclasses import dataclass, replace

import pytest

from weyr.core.assumptions import Assumed
from weyr.core.capability import Capability
from weyr.core.decision import Decision, Phase
from weyr.core.diagnostic import Diagnostic, Severity, UserError, WorldMoved
from weyr.core.kind import Estimate, Kind, Kinds, Layer
from weyr.core.ref import Ref
from weyr.core.schema import Spec, field
from weyr.stack.parse import parse_stack
from weyr.stack.plan import check_applicable, make_plan
from weyr.stack.render import cost_text, plan_lines, plan_text, summary_line
from weyr.stack.steps import Action, Amount, Plan
from weyr.stack.world import Existing, World


class BoxSpec(Spec):
    size: int = field(1, ge=0)
    colour: str = field("red")


def estimate(spec: BoxSpec, _assumed: Assumed) -> tuple[Estimate, ...]:
    return (Estimate("box", spec.size, 1.0, "as long as it stands"), Estimate("colour", 1, 1.0)) if spec.size else ()


BOX: Kind[BoxSpec, None] = Kind(
    "box", "boxes", Layer.COMPUTE, "A box.", BoxSpec, lambda _w, _v: Decision(), (Capability.TASKS,), estimate=estimate
)
KINDS: Kinds = {"box": BOX}


@dataclass(frozen=True)
class Book:
    """Prices of a millionth each for what it knows."""

    known: frozenset[str] = frozenset({"box", "colour"})
    name: str = "book"
    currency: str = "USD"

    def monthly_micros(self, sku: str, quantity: int, hours: float, before: int = 0) -> int | None:
        return round(quantity * hours) if sku in self.known else None

    def beside(self, quantities: object) -> "Book":
        return self

    def tally(self, sku: str) -> str:
        return ""

    def tiers_text(self, sku: str, used: int, before: int) -> str:
        return ""


A, B = Ref("s", "box", "a"), Ref("s", "box", "b")
BOTH = "{a: , b: {size: 2}}"


def world(parent: str = "first", **objects: Existing) -> World:
    return World("s", parent, {Ref("s", "box", name): existing for name, existing in objects.items()})


def box(size: int = 1, generation: int = 1, phase: Phase = Phase.READY, **more: object) -> Existing:
    return Existing({"size": size, "colour": "red", "protect": False, **more}, generation, phase)


def plan_for(boxes: str | None, there: World, book: Book | None = None, extra: tuple[Diagnostic, ...] = ()) -> Plan:
    stack = parse_stack(f"stack: s\nboxes: {boxes}", "f", KINDS) if boxes is not None else None
    return make_plan(stack, there, KINDS, book or Book(), extra=extra)


def steps(plan: Plan) -> list[tuple[str, str, int, int]]:
    return [(step.action.value, str(step.ref), step.from_generation, step.generation) for step in plan.steps]


def test_generations_go_up_with_every_step_and_only_then() -> None:
    """An engine refuses what is older than what it has seen."""
    plan = plan_for(BOTH, world(a=box(generation=7), b=box(size=5, generation=3)))

    assert steps(plan) == [("change", "box/b", 3, 4)]


def test_an_object_that_comes_back_counts_on() -> None:
    """The old one's intentions carry its generation; the new one's must not look the same."""
    plan = plan_for("{a: }", World("s", past={A: 4}))

    assert steps(plan) == [("create", "box/a", 0, 5)]


def test_what_is_on_its_way_out_is_not_removed_again() -> None:
    """Asking twice is harmless."""
    plan = plan_for(None, world(a=box(phase=Phase.REMOVING), b=box()))

    assert steps(plan) == [("destroy", "box/b", 1, 2)]


def test_what_failed_is_tried_again() -> None:
    """`weyr up` after a failure means: do it."""
    plan = plan_for("{a: }", world(a=box(phase=Phase.FAILED, generation=2)))

    assert steps(plan) == [("retry", "box/a", 2, 3)]
    assert plan.counts.change == 1


def test_a_field_that_is_new_since_then_changes_nothing() -> None:
    """An upgrade of Weyr must not restart what runs."""
    older = Existing({"size": 1}, 1)

    assert plan_for("{a: }", world(a=older)).steps == ()


def test_a_stored_spec_that_is_no_longer_understood_is_shown_as_it_is() -> None:
    """A plan has to be possible whatever is in the store."""
    plan = plan_for("{a: }", world(a=Existing({"size": 1, "colour": "red", "protect": False, "tags": {}, "lid": 3}, 1)))

    assert [(change.path, change.old, change.new) for change in plan.steps[0].fields] == [("lid", "3", None)]


def test_an_object_of_a_kind_that_is_gone_can_be_removed() -> None:
    """Nothing is orphaned, not even by an upgrade."""
    there = World("s", "", {Ref("s", "crate", "c"): Existing({"protect": False}, 2)})

    assert steps(plan_for("{}", there)) == [("destroy", "crate/c", 2, 3)]


def test_the_same_question_has_the_same_id() -> None:
    """Who reviews a plan by its id has reviewed what is applied."""
    there = world(b=box())
    plan = plan_for(BOTH, there)

    moved = make_plan(parse_stack(f"\n\nstack: s\nboxes: {BOTH}", "g", KINDS), there, KINDS, Book(), made_at="noon")

    assert (moved.id, len(plan.id)) == (plan.id, 16)
    assert (moved.made_at, plan.made_at) == ("noon", "")


@pytest.mark.parametrize(
    "other",
    [
        plan_for("{a: , b: {size: 3}}", world(b=box())),
        plan_for(BOTH, world(parent="second", b=box())),
        plan_for(BOTH, world(b=box(generation=2))),
        plan_for(BOTH, world()),
        plan_for(BOTH, world(b=box()), Book(frozenset({"box"}))),
        plan_for(None, world(b=box())),
    ],
    ids=["another spec", "another parent", "another generation", "another world", "another price", "a removal"],
)
def test_another_question_has_another_id(other: Plan) -> None:
    """Everything that is done, and what it was decided from, is in the id."""
    assert other.id != plan_for(BOTH, world(b=box())).id


def test_a_plan_is_applicable_to_the_world_it_was_made_for() -> None:
    """And stays so while objects that were leaving anyway leave."""
    there = world(a=box(), b=box(phase=Phase.REMOVING))
    plan = plan_for("{a: {size: 9}}", there)

    check_applicable(plan, there)
    check_applicable(plan, world(a=box()))


MOVED = {
    "another plan was applied": (world("second", a=box()), ["Plan second was applied since; this one follows first."]),
    "an object was changed": (world(a=box(generation=2)), ["box/a is at generation 2; this plan was made for 1."]),
    "an object is gone": (world(), ["box/a was there when this plan was made, and is gone or going."]),
    "an object is going": (
        world(a=box(phase=Phase.REMOVING)), ["box/a was there when this plan was made, and is gone or going."]),
    "an object came": (world(a=box(), b=box()), ["box/b was made since this plan."]),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVED)
def test_a_plan_for_another_world_is_refused_with_what_moved(case: str) -> None:
    """An approved plan must not do what nobody approved."""
    now, said = MOVED[case]

    with pytest.raises(WorldMoved) as refused:
        check_applicable(plan_for("{a: {size: 9}}", world(a=box())), now)

    assert [problem.detail for problem in refused.value.diagnostics] == said


def test_a_plan_is_applied_once() -> None:
    """The second time it says so, instead of speaking of another plan."""
    plan = plan_for("{a: }", World("s"))

    with pytest.raises(WorldMoved, match="was applied already"):
        check_applicable(plan, World("s", plan.id, {A: box()}))


def test_a_fatal_finding_forbids_to_apply() -> None:
    """Whoever found it: the stack's checks, a kind's, or an engine asked by the caller."""
    no = Diagnostic("Not possible", "The engine cannot.", Severity.FATAL)
    plan = plan_for("{a: }", World("s"), extra=(no,))

    with pytest.raises(UserError) as refused:
        check_applicable(plan, World("s"))

    assert refused.value.diagnostics == (no,)
    assert not isinstance(refused.value, WorldMoved)


def test_an_unknown_price_is_never_shown_as_nothing() -> None:
    """A bill of zero that turns out to be a thousand is worse than no answer."""
    nothing_known = plan_for("{a: }", World("s"), Book(frozenset()))
    one_known = plan_for("{a: {size: 5000000}}", World("s"), Book(frozenset({"box"})))

    assert nothing_known.after == Amount(0, ("box", "colour"))
    assert "Unknown cost per month" in summary_line(nothing_known)
    assert "At least 5.00 USD per month" in summary_line(one_known)
    assert "at least 5.00  as long as it stands; no price for colour" in plan_text(one_known)
    assert cost_text(Amount(), "USD") == "About 0.00 USD"


def test_what_uses_nothing_has_no_line_in_the_cost() -> None:
    """A table of zeros says nothing."""
    plan = plan_for("{a: {size: 0}}", World("s"))

    assert plan.costs == ()
    assert "Cost per month" not in plan_text(plan)


def test_a_saving_has_a_minus() -> None:
    """The reader looks for the sign first."""
    plan = plan_for("{a: {size: 1000000}}", world(a=box(size=3_000_000)))

    assert summary_line(plan).endswith("About 1.00 USD per month (-2.00).")


def test_lines_carry_meanings_and_their_text_is_the_plain_text() -> None:
    """The terminal colours by meaning; what is piped into a file reads the same."""
    plan = plan_for(BOTH, world(a=box(size=4)))

    tokens = [token for line in plan_lines(plan) for token in line]

    assert "".join(token.text for token in tokens).replace(" ", "") == plan_text(plan).replace("\n", "").replace(
        " ", ""
    )
    assert {token.style.value for token in tokens} >= {"create", "change", "heading", "dim", "plain"}


def test_a_plan_of_another_stack_is_a_mistake_of_ours() -> None:
    """It would remove everything of one and create it in the other."""
    with pytest.raises(AssertionError):
        plan_for("{a: }", World("other"))


def test_every_action_has_a_symbol() -> None:
    """A step without one could not be shown."""
    assert [action.symbol for action in Action] == ["+", "~", "~", "-/+", "-"]
    assert replace(plan_for("{}", World("s")), id="").has_changes is False
