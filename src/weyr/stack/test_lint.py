"""A plan that would do harm by its own order is not carried out, whoever made it."""

import pytest

from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.stack.lint import lint
from weyr.stack.steps import Action, Step

JOB, LAKE = Ref("s", "job", "train"), Ref("s", "bucket", "lake")
USES = {JOB: {LAKE}}


def step(action: Action, ref: Ref, *needs: Ref, generation: int = 2, before: int = 1) -> Step:
    return Step(action, ref, generation, 0 if action is Action.CREATE else before, needs=needs)


CREATE, CHANGE, REPLACE, DESTROY = Action.CREATE, Action.CHANGE, Action.REPLACE, Action.DESTROY
ORDER, FIRST = "A release before its users", "A start before its needs"
CASES: dict[str, tuple[list[Step], dict[Ref, set[Ref]], list[tuple[str, Ref]]]] = {
    "nothing to do": ([], USES, []),
    "what is needed comes first": ([step(CREATE, LAKE), step(CREATE, JOB, LAKE)], USES, []),
    "what needs goes first": ([step(DESTROY, JOB, LAKE), step(DESTROY, LAKE)], {}, []),
    "what is needed stands already": ([step(CHANGE, JOB, LAKE)], USES, []),
    "what is needed is made anew beside its user": ([step(REPLACE, LAKE)], USES, []),
    "a user that no longer refers to it": ([step(CHANGE, JOB), step(DESTROY, LAKE)], {JOB: set()}, []),
    "two steps of one object": ([step(CREATE, LAKE), step(CHANGE, LAKE)], {}, [("Two writers of one object", LAKE)]),
    "a start before what it needs": ([step(CREATE, JOB, LAKE), step(CREATE, LAKE)], USES, [(FIRST, JOB)]),
    "a release before its user goes": ([step(DESTROY, LAKE), step(DESTROY, JOB, LAKE)], {}, [(ORDER, LAKE)]),
    "a release under one that begins": ([step(CREATE, JOB, LAKE), step(DESTROY, LAKE)], USES, [(ORDER, LAKE)]),
    "a release under one that stays": ([step(DESTROY, LAKE)], USES, [(ORDER, LAKE)]),
    "a generation twice": ([step(CHANGE, LAKE, generation=1)], {}, [("A generation that does not grow", LAKE)]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_plan_is_held_against_its_own_needs(case: str) -> None:
    """An order that takes something from under its user is found before anything is done."""
    steps, needs, expected = CASES[case]
    found = list(lint(steps, needs))
    assert [(finding.summary, finding.ref) for finding in found] == [(summary, str(ref)) for summary, ref in expected]
    assert all(finding.severity is Severity.FATAL and "report" in finding.detail for finding in found)
