"""What no waiting helps is refused when it is asked for, what only waits for others is not. And who may limit whom."""

from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import UserError
from weyr.core.grants import ADMIN
from weyr.core.reach import Reach, may_limit
from weyr.reconcile.admission import Admission
from weyr.reconcile.apply import apply_plan, planning_world, rows_after
from weyr.sim.scripts import Script
from weyr.sim.world import SimWorld
from weyr.stack.costs import Known
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.steps import Plan

TEAM = "stack: limits\nbudgets: {team: {limit: %s USD, then: block, team: vision%s}}\n"
VISION = Reach("", (("team", "vision"),))


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    found = SimWorld(KINDS, tmp_path, scripts=lambda _want: Script(work_s=1e9))
    found.owner, found.team = "ann", "vision"
    return found


def planned(world: SimWorld, text: str, may_pass: bool = False) -> Plan:
    stack = parse_stack(text, "weyr.yaml", KINDS)
    standing = planning_world(world.loop.world, world.db, stack.name)
    return make_plan(stack, standing, KINDS, world.catalogue.book(stack.price_as), known=Known(may_pass=may_pass))


def admission_of(world: SimWorld, grants: tuple[str, ...] = (ADMIN,)) -> Admission:
    return Admission(world.loop.world, world.db, world.ledger, KINDS, world.clock(), grants)


def foretold(world: SimWorld, text: str, may_pass: bool = False) -> list[str]:
    """What a plan says of money, before anything is applied."""
    plan = planned(world, text, may_pass)
    rows = rows_after(world.loop.world, KINDS, plan, "/", world.clock(), world.owner, world.team)
    return [f"{each.severity}: {each.summary}: {each.detail}" for each in admission_of(world).foretold(plan, rows)]


def refused(world: SimWorld, text: str, grants: tuple[str, ...] = (ADMIN,), may_pass: bool = False) -> str:
    """Applies a stack file as a server does. Gives what is said against it, "" where it was applied."""
    plan, admission = planned(world, text, may_pass), admission_of(world, grants)
    try:
        apply_plan(
            world.loop.world, world.db, KINDS, plan, "weyr.yaml", "/", world.clock(), world.owner, world.team,
            admission.refusals,
        )  # fmt: skip
    except UserError as e:
        return " ".join(f"{each.summary}: {each.detail}" for each in e.diagnostics)
    return ""


BEGIN = {
    "a run that is dearer than the limit": ("0.03", "jobs: {j: {run: x, time_limit: 1h, grace: 0s}}", "it needs 0.04"),
    "one within it": ("0.05", "jobs: {j: {run: x, time_limit: 1h, grace: 0s}}", ""),
    "a gang that is dearer together": ("0.05", "jobs: {j: {run: x, time_limit: 1h, replicas: 2}}", "it needs 0.08"),
    "a run of which nobody knows how long": ("0.005", "jobs: {j: {run: x}}", "it needs 0.0067"),
    "a replica for ten minutes": ("0.005", "services: {s: {run: x}}", "it needs 0.0067"),
    "an endpoint that sleeps until it is asked": (
        "0.005", "endpoints: {e: {run: x, ready: /, scale: {min: 0, max: 1}}}", "",
    ),
    "an endpoint that is kept awake": (
        "0.005", "endpoints: {e: {run: x, ready: /, scale: {min: 1, max: 1}}}", "it needs 0.0067",
    ),
    "a session": ("0.005", "devs: {d: {}}", "it needs 0.0067"),
    "a warm function": ("0.005", "functions: {f: {run: x, scale: {warm: 1}}}", "it needs 0.0067"),
    "a node that is kept": ("0.5", "pools: {p: {cpu: 8, memory: 8GiB, price: 6 USD, min: 1, max: 2}}", "it needs 1.0"),
    "a pool that begins empty": ("0.5", "pools: {p: {cpu: 8, memory: 8GiB, price: 6 USD, max: 2}}", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", BEGIN)
def test_what_a_limit_can_never_pay_for_is_refused_when_it_is_asked_for(world: SimWorld, case: str) -> None:
    """Somebody who waits for a run that cannot begin this month learns it now, and not from `weyr why` tomorrow."""
    limit, text, why = BEGIN[case]
    world.up(TEAM % (limit, ""))
    said = refused(world, f"stack: one\n{text}\n")
    assert why in said
    assert bool(said) is bool(why)
    if why:
        assert f"is left of {limit}" in said
        assert "limits:budget/team" in said
        assert "one" not in world.loop.world.stacks, "nothing of it was applied"


def test_what_only_waits_for_others_is_held_and_not_refused(world: SimWorld) -> None:
    """What somebody else has set aside may come back; what is spent does not, before the period ends."""
    world.up(TEAM % ("0.05", ""))
    job = "jobs: {j: {run: x, time_limit: 1h, grace: 0s}}"
    assert refused(world, f"stack: one\n{job}\n") == ""
    world.run(5)
    assert refused(world, f"stack: two\n{job}\n") == ""
    world.run(5)
    assert world.phases("two") == {"job/j": "held"}


def test_a_plan_says_what_would_wait_and_for_what(world: SimWorld) -> None:
    """Whoever reads the plan learns it before applying: which limit, what is left of it, and who has the rest."""
    world.up(TEAM % ("0.1", ""))
    job = "{run: x, time_limit: 1h, grace: 0s}"
    three = f"stack: one\njobs: {{a: {job}, b: {job}, c: {job}}}\n"

    said = foretold(world, three)

    assert len(said) == 1, "two of them are paid for"
    assert said[0].startswith("warn: It waits for money: job/c needs 0.04")
    assert "Of the 0.10 that is left of 0.10 USD (limits:budget/team)" in said[0]
    assert "for what begins before it in this plan" in said[0]
    assert refused(world, three) == "", "what waits is taken on"
    world.run(5)
    assert world.phases("one")["job/c"] == "held"
    assert "is set aside for what runs" in foretold(world, f"stack: two\njobs: {{d: {job}}}\n")[0]


def test_a_plan_says_what_applying_would_refuse(world: SimWorld) -> None:
    """The same words at both times; with leave to pass it is a warning."""
    world.up(TEAM % ("0.01", ""))
    job = "stack: one\njobs: {j: {run: x, time_limit: 1h, grace: 0s}}\n"

    said = foretold(world, job)

    assert said[0].startswith("fatal: No money for it: job/j cannot begin in ")
    assert "it needs 0.0404" in said[0]
    assert "0.01 is left of 0.01 USD (limits:budget/team)" in said[0]
    assert said[0].removeprefix("fatal: ") == refused(world, job)
    assert foretold(world, job, may_pass=True)[0].startswith("warn: It waits for money: job/j cannot begin")


def test_a_limit_that_the_plan_itself_raises_is_the_raised_one(world: SimWorld) -> None:
    """Raising it and starting what it was raised for is one plan."""
    world.up(TEAM % ("0.01", ""))
    job = "jobs: {j: {run: x, time_limit: 1h, grace: 0s}}\n"
    assert "it needs 0.04" in refused(world, TEAM % ("0.01", "") + job)
    assert refused(world, TEAM % ("1", "") + job) == ""


def test_whoever_may_pass_a_limit_passes_the_refusal_too(world: SimWorld) -> None:
    """`--over-budget`, and a budget that only warns: it is applied, and held."""
    world.up(TEAM % ("0.01", ""))
    job = "jobs: {j: {run: x, time_limit: 1h, grace: 0s}}"
    assert refused(world, f"stack: one\n{job}\n")
    assert refused(world, f"stack: one\n{job}\n", may_pass=True) == ""
    world.up(TEAM % ("0.01", ", above: warn"))
    assert refused(world, f"stack: two\n{job}\n") == ""
    world.run(5)
    assert world.phases("two") == {"job/j": "held"}


def test_a_spent_limit_takes_nothing_new(world: SimWorld) -> None:
    """It says that the period has nothing left, whatever the run would cost."""
    world.up(TEAM % ("0.0001", ", ahead: 0s, above: warn"))
    assert refused(world, "stack: one\nservices: {s: {run: x}}\n") == ""
    world.run(30)
    world.up(TEAM % ("0.0001", ", ahead: 0s"))
    assert "limits:budget/team is spent (0.0001 USD)" in refused(world, "stack: two\nservices: {s: {run: x}}\n")


RIGHTS = {
    "the stack itself": ((), "ann", Reach("limits"), True),
    "oneself, wherever": ((), "ann", Reach("", (("user", "ann"),)), True),
    "somebody else": ((), "ann", Reach("", (("user", "bob"),)), False),
    "a queue of the stack": ((), "ann", Reach("", (("queue", "limits:queue/q"),)), True),
    "a queue of another stack": ((), "ann", Reach("", (("queue", "lab:queue/q"),)), False),
    "a team": ((), "ann", VISION, False),
    "a team, with the right to it": (("budget:limit:team/vision",), "ann", VISION, True),
    "a team, with the right to another": (("budget:limit:team/speech",), "ann", VISION, False),
    "a tag in a team, with the right to the team": (
        ("budget:limit:team/vision",), "ann", Reach("", (("project", "llm"), ("team", "vision"))), True,
    ),
    "anything, by the administrator": ((ADMIN,), "", VISION, True),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHTS)
def test_only_who_may_holds_what_is_of_others(case: str) -> None:
    """A limit on a team stops work in stacks that its author may never have seen."""
    grants, owner, reach, may = RIGHTS[case]
    assert may_limit(grants, owner, "limits", reach) is may


def test_a_limit_beyond_ones_own_stacks_is_refused_without_the_right(world: SimWorld) -> None:
    """An alert hurts nobody: it takes no right."""
    said = refused(world, TEAM % ("1", ""), grants=("api:write",))
    assert said.startswith("Not yours to limit: budget/team would keep what is of other stacks from running.")
    assert "budget:limit:team/vision" in said
    assert refused(world, (TEAM % ("1", "")).replace("then: block, ", ""), grants=("api:write",)) == ""


LIFTED = {
    "taken away": "stack: limits\n",
    "made one that only alerts": "stack: limits\nbudgets: {team: {limit: 1 USD, team: vision}}\n",
    "made one on oneself": "stack: limits\nbudgets: {team: {limit: 1 USD, then: block, user: ann}}\n",
}


@pytest.mark.parametrize("case", LIFTED)
def test_nobody_lifts_a_limit_that_somebody_else_has_set(world: SimWorld, case: str) -> None:
    """A budget that whoever it holds can take out of the way holds nobody."""
    assert refused(world, TEAM % (20, "")) == ""

    said = refused(world, LIFTED[case], grants=("api:write:*",))
    assert said.startswith("Not yours to lift: budget/team holds what is of other stacks within a limit.")
    assert "budget:limit:team/vision" in said
    assert refused(world, LIFTED[case], grants=("api:write:*", "budget:limit:team/vision")) == ""


def test_a_plan_names_the_limits_of_other_stacks_that_count_it(world: SimWorld) -> None:
    """Whoever sees only the limits of the own stack believes that nobody watches, or that more is left than is."""
    assert refused(world, TEAM % (20, "")) == ""
    text = "stack: one\njobs: {a: {run: sleep, time_limit: 1h}}\nsecrets: {s: {}}\n"
    plan = planned(world, text)
    rows = rows_after(world.loop.world, KINDS, plan, "/", world.clock(), world.owner, world.team)

    (told,) = admission_of(world).elsewhere(plan, rows)

    assert told.detail.startswith("limits:budget/team counts job/a: 0.00 of 20.00 USD is spent or set aside in ")
    assert told.detail.endswith(", 20.00 is left.")
    own = planned(world, "stack: limits\njobs: {a: {run: sleep}}\n" + (TEAM % (20, "")).partition("\n")[2])
    rows = rows_after(world.loop.world, KINDS, own, "/", world.clock(), world.owner, world.team)
    assert admission_of(world).elsewhere(own, rows) == []
