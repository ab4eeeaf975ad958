"""From any stack to any other: whatever the change, a plan is in order, complete, and done once."""

import json
from itertools import product
from pathlib import Path

import pytest
from known_kinds import KINDS

from weyr.core.ref import Ref
from weyr.ledger.prices import Catalogue
from weyr.stack.parse import parse_stack
from weyr.stack.plan import check_applicable, make_plan
from weyr.stack.stack import Stack
from weyr.stack.steps import Action, Plan
from weyr.stack.world import Existing, World

FILES = sorted((Path(__file__).parent.parent / "plans").glob("*/*.yaml"))
BOOKS = Catalogue.shipped().books
STACKS: dict[str, Stack | None] = {
    "nothing": None,
    **{
        f"{file.parent.name}/{file.stem}": stack
        for file in FILES
        if (stack := parse_stack(file.read_text("utf-8"), file.name, KINDS, price_lists=BOOKS)).name == "digits"
    },
}


def plan_to(stack: Stack | None, world: World) -> Plan:
    return make_plan(stack, world, KINDS, BOOKS["aws/fargate"])


def after(plan: Plan, world: World) -> World:
    """The world once every step is done."""
    objects = dict(world.objects)
    for step in plan.steps:
        objects.pop(step.ref, None)
        if step.spec is not None:
            objects[step.ref] = Existing(json.loads(json.dumps(step.spec)), step.generation)
    return World(world.stack, plan.id, objects)


@pytest.mark.parametrize("name", STACKS)
def test_every_change_from_here_is_in_order_complete_and_done_once(name: str) -> None:
    """Never: a step before what it needs, a generation that stays, a second plan that is not empty."""
    start = after(plan_to(STACKS[name], World("digits")), World("digits"))
    for goal in STACKS.values():
        plan = plan_to(goal, start)

        _is_in_order(plan)
        assert all(step.generation > step.from_generation for step in plan.steps)
        assert len({step.ref for step in plan.steps}) == len(plan.steps)
        if not plan.fatal:
            check_applicable(plan, start)
        end = after(plan, start)
        assert set(end.objects) == set(goal.objects if goal else ())
        assert plan_to(goal, end).steps == ()


def _is_in_order(plan: Plan) -> None:
    position: dict[Ref, int] = {step.ref: index for index, step in enumerate(plan.steps)}
    actions = {step.ref: step.action for step in plan.steps}
    for step in plan.steps:
        for need in (need for need in step.needs if need in position):
            if step.action is not Action.DESTROY:
                assert position[need] < position[step.ref], f"{step.ref} begins before {need}"
            elif actions[need] is Action.DESTROY:
                assert position[step.ref] < position[need], f"{need} goes before {step.ref}"


def test_enough_changes_are_tried() -> None:
    """A folder that is renamed must not make this test an empty one."""
    assert len(list(product(STACKS, STACKS))) > 200
