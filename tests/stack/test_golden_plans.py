"""Does a change in the code change what people are told? Whole plans, kept as text and JSON.

A folder of `tests/plans` holds `before.yaml` (what stands; absent: nothing), `after.yaml` (what is
wanted; absent: nothing any more), and `world.json` for what a file cannot say: phases, drift,
generations, outputs. `pytest --update-plans` rewrites `plan.txt`, `plan.json` and `comment.txt`.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from known_kinds import KINDS

from weyr.core.decision import Phase
from weyr.core.ref import Ref
from weyr.core.schema import from_json, from_plain, to_json
from weyr.ledger.prices import Catalogue
from weyr.stack.costs import Known
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.plan_json import plan_json
from weyr.stack.render import plan_text
from weyr.stack.stack import Stack
from weyr.stack.steps import Plan
from weyr.stack.world import Existing, World

FOLDERS = sorted(folder for folder in (Path(__file__).parent.parent / "plans").iterdir() if folder.is_dir())
BOOKS = Catalogue.shipped().books


def stack_in(file: Path) -> Stack | None:
    return parse_stack(file.read_text("utf-8"), file.name, KINDS, price_lists=BOOKS) if file.exists() else None


def plan_of(stack: Stack | None, world: World) -> Plan:
    book = BOOKS[stack.price_as if stack else "aws/fargate"]
    return make_plan(stack, world, KINDS, book, known=Known(usage=stack.usage if stack else {}))


def world_before(folder: Path) -> World:
    """What the plan for `before.yaml` would have left, with what `world.json` says on top."""
    before = stack_in(folder / "before.yaml")
    after = stack_in(folder / "after.yaml")
    name = (before or after).name  # type: ignore[union-attr]  # one of the two is always there
    first = plan_of(before, World(name)) if before else None
    steps = first.steps if first else ()
    objects: dict[Ref, dict[str, Any]] = {
        step.ref: {"spec": step.spec, "generation": step.generation} for step in steps
    }
    told = json.loads(file.read_text("utf-8")) if (file := folder / "world.json").exists() else {}
    for ref_text, fields in told.items():
        objects.setdefault(Ref.parse(ref_text, name), {"spec": {}, "generation": 1}).update(fields)
    standing = {ref: from_plain(Existing, fields) for ref, fields in objects.items()}
    return World(name, first.id if first else "", standing)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_plan_reads_as_it_did(folder: Path, pytestconfig: pytest.Config) -> None:
    """The reviewer of a change sees in these files what its users will see."""
    plan = plan_of(stack_in(folder / "after.yaml"), world_before(folder))

    fields = plan_json(plan)
    text, markdown = fields.pop("text"), fields.pop("markdown")
    written = {
        "plan.txt": text,
        "comment.txt": markdown,
        "plan.json": json.dumps(fields, indent=2, ensure_ascii=False) + "\n",
    }
    for name, content in written.items():
        if pytestconfig.getoption("--update-plans"):
            (folder / name).write_text(content, "utf-8")
        assert content == (folder / name).read_text("utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_plan_is_kept_whole(folder: Path) -> None:
    """A saved plan is carried out later by somebody who has only what was saved."""
    plan = plan_of(stack_in(folder / "after.yaml"), world_before(folder))

    assert from_json(Plan, to_json(Plan, plan)) == plan
    assert plan_of(stack_in(folder / "after.yaml"), world_before(folder)).id == plan.id


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_applied_plan_leaves_nothing_to_do(folder: Path) -> None:
    """A second `weyr up` changes nothing: whoever has to ask twice cannot trust the first answer."""
    stack = stack_in(folder / "after.yaml")
    world = world_before(folder)
    plan = plan_of(stack, world)
    standing = {ref: existing for ref, existing in world.objects.items() if existing.phase is not Phase.REMOVING}
    for step in plan.steps:
        standing.pop(step.ref, None)
        if step.spec is not None:
            standing[step.ref] = Existing(json.loads(json.dumps(step.spec)), step.generation)

    again = plan_of(stack, World(plan.stack, plan.id, standing))

    assert again.steps == ()


def test_no_secret_is_in_any_plan() -> None:
    """A plan is pasted into tickets and chats."""
    folder = next(folder for folder in FOLDERS if folder.name == "secrets_stay_hidden")
    plan = plan_of(stack_in(folder / "after.yaml"), world_before(folder))

    shown = plan_text(plan) + json.dumps(plan_json(plan))

    assert "-secret" not in shown
    assert shown.count("(hidden)") >= 4


def test_the_plan_in_the_documents_is_a_real_one() -> None:
    """The page teaches people to read what they will see."""
    plans = Path(__file__).parent.parent / "plans"
    page = (plans.parent.parent / "docs" / "concepts" / "plans.md").read_text("utf-8")

    assert (plans / "rename_a_bucket" / "plan.txt").read_text("utf-8").rstrip() in page
