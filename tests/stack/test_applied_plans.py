"""Plans made from a real store and applied to it: what the next plan sees is what the last one did."""

import json
from pathlib import Path

import pytest
from known_kinds import KINDS

from weyr.core.diagnostic import WorldMoved
from weyr.core.ref import Ref
from weyr.ledger.prices import Catalogue
from weyr.reconcile.apply import apply_plan, planning_world
from weyr.reconcile.world import World
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.steps import Plan
from weyr.store.database import Database
from weyr.store.migrate import migrate

LAKE = Ref("s", "bucket", "lake")


class Kept:
    """A store, its world, and the plan that is made and applied with them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.world = World.load(db)

    def plan(self, text: str | None) -> Plan:
        stack = (
            parse_stack(f"stack: s\nbudgets: {{m: {{limit: 9 USD}}}}\n{text}", "f", KINDS) if text is not None else None
        )
        there = planning_world(self.world, self.db, "s")
        return make_plan(stack, there, KINDS, Catalogue.shipped().book("aws/fargate"))

    def apply(self, plan: Plan) -> None:
        apply_plan(self.world, self.db, KINDS, plan, "/x/weyr.yaml", "/x", 1.0)

    def up(self, text: str | None) -> list[tuple[str, int]]:
        """Applies what the text asks for. Gives the steps for the bucket: action and generation."""
        plan = self.plan(text)
        self.apply(plan)
        return [(step.action.value, step.generation) for step in plan.steps if step.ref == LAKE]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    db = Database(tmp_path / "store.db")
    migrate(db)
    return Kept(db)


ONE, TWO, THREE = ("buckets: {lake: }", "buckets: {lake: {name: ocean}}", "buckets: {lake: {name: river}}")


def test_up_twice_does_nothing_the_second_time(kept: Kept) -> None:
    """Also with a process in between that has only the store."""
    assert kept.up(ONE) == [("create", 1)]

    kept.world = World.load(kept.db)

    assert kept.up(ONE) == []


def test_a_generation_never_goes_down(kept: Kept) -> None:
    """Up, down and up again before anything is gone: an engine refuses what is older than it has seen."""
    done = [kept.up(text) for text in (ONE, None, ONE, TWO, None, None, ONE)]

    assert done == [
        [("create", 1)], [("destroy", 2)], [("create", 3)], [("replace", 4)], [("destroy", 5)], [], [("create", 6)],
    ]  # fmt: skip


def test_what_is_being_replaced_is_planned_as_what_it_becomes(kept: Kept) -> None:
    """Asking again while the old one is still on its way out changes nothing; a new wish replaces the last."""
    kept.up(ONE)

    done = [kept.up(text) for text in (TWO, TWO, THREE)]

    assert done == [[("replace", 2)], [], [("replace", 3)]]
    assert json.loads(kept.world.objects[LAKE].next_spec or "")["name"] == "river"


def test_a_change_during_a_replacement_is_kept(kept: Kept) -> None:
    """It belongs to the new object, not to the one that goes."""
    kept.up(ONE)
    kept.up(TWO)

    done = kept.up("buckets: {lake: {name: ocean, lifecycle: [{expire_after: 1d}]}}")

    assert done == [("change", 3)]
    (rule,) = json.loads(kept.world.objects[LAKE].next_spec or "")["lifecycle"]
    assert {name: value for name, value in rule.items() if value} == {"expire_after": 86400.0}
    assert json.loads(kept.world.objects[LAKE].spec or "")["name"] is None


def test_a_plan_made_before_another_was_applied_is_refused(kept: Kept) -> None:
    """Two people plan; the second to apply has to look again."""
    first, second = kept.plan(ONE), kept.plan(TWO)
    kept.apply(first)

    with pytest.raises(WorldMoved):
        kept.apply(second)
    with pytest.raises(WorldMoved, match="applied already"):
        kept.apply(first)
