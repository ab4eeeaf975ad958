"""No budget is passed: not by what is submitted at once, and by what runs on not by more than a tick's worth."""

import random
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref
from weyr.core.units import HOUR_S
from weyr.kinds.cost.budget.decide import LOOK_AGAIN_S
from weyr.sim.faults import FaultRates
from weyr.sim.scripts import Script
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

CPU_MICROS = 40_480
"""AWS Fargate per vCPU-hour, in micro-USD: the book that a stack has by default."""
HOUR_LIMIT = "{limit: 0.15 USD, then: block}"
RUNS = "{run: work, time_limit: 1h, grace: 0s, resources: {cpu: 1}}"
LEAVES_S = 5.0
"""From the hold to the last task's end: their grace is one second, and a pass may come that late."""


def spent(world: SimWorld, reach: Reach = Reach("many")) -> int:  # noqa: B008 - a frozen value
    return world.ledger.spend(reach, Every.MONTH, world.clock()).micros


@pytest.mark.parametrize("seed", range(2))
def test_what_is_submitted_at_once_does_not_pass_a_limit_together(folder: Path, seed: int) -> None:
    """Six jobs of five cents at most each, and fifteen cents: three begin, whatever is lost and whoever is killed on
    the way, and each of the others follows when one has ended and left something over."""
    trouble = Trouble(calls=FaultRates(loses_replies=0.1), dies=0.005 * (seed % 2))
    world = SimWorld(KINDS, folder, seed, trouble, lambda _want: Script(work_s=600.0))
    jobs = "".join(f"  j{n}: {RUNS}\n" for n in range(6))
    world.up(f"stack: many\nbudgets:\n  all: {HOUR_LIMIT}\njobs:\n{jobs}")
    if "many" not in world.loop.world.stacks:  # the server died before it kept the plan: said again, as a user would
        world.up(f"stack: many\nbudgets:\n  all: {HOUR_LIMIT}\njobs:\n{jobs}")
    most = 0
    for _ in range(32):
        world.run(60)
        now = world.ledger.spend(Reach("many"), Every.MONTH, world.clock())
        assert now.micros + now.reserved_micros <= 150_000
        most = max(most, sum(id.ref.kind == "job" for id in world.snapshot().live))
        held = [r for r, phase in world.phases("many").items() if phase == "held"]
        for ref in held:
            said = world.loop.world.objects[Ref("many", "job", ref.partition("/")[2])].status.conditions[0].message
            assert said.startswith("budget/all: it is expected to cost 0.04"), said
    assert most == 3
    assert set(world.phases("many").values()) == {"ready", "done"}, world.phases("many")
    world.down("many")
    world.stop_faults()
    assert world.run(400, until=world.is_empty)
    assert spent(world) == 6 * (CPU_MICROS * 600 // 3600) or trouble.dies, "what was set aside is not what it cost"


@pytest.mark.parametrize("seed", range(3))
def test_what_runs_on_passes_a_limit_by_no_more_than_a_tick(folder: Path, seed: int) -> None:
    """Nothing bounds these: services, and jobs of which nobody knows how long they take. The hold comes within a tick
    of the meter passing, and the bill ends above the limit by what runs until its grace is over, and no more."""
    chance = random.Random(seed)
    cpus = [chance.choice((1, 2, 4, 8)) for _ in range(chance.randint(2, 6))]
    names = ("services", "jobs")
    made = dict.fromkeys(names, "")
    for number, cpu in enumerate(cpus):
        made[names[number % 2]] += f"  s{number}: {{run: work, grace: 1s, resources: {{cpu: {cpu}}}}}\n"
    limit = chance.randint(2_000, 12_000)
    world = SimWorld(KINDS, folder, seed, Trouble(), lambda _want: Script(work_s=1e9, stop_s=0.5))
    things = "".join(f"{name}:\n{text}" for name, text in made.items())
    world.up(f"stack: many\nbudgets:\n  all: {{limit: {limit / 1e6:.6f} USD, then: stop}}\n{things}")
    rate = sum(cpus) * CPU_MICROS
    tick = rate * LOOK_AGAIN_S / HOUR_S

    def is_held() -> bool:
        return bool(world.loop.world.objects[Ref("many", "budget", "all")].status.holds)

    assert world.run(2 * limit / rate * HOUR_S + 60, until=is_held)
    assert limit <= spent(world) <= limit + tick
    world.run(LEAVES_S)
    assert world.ledger.rate("many") == 0
    assert spent(world) <= limit + rate * (LOOK_AGAIN_S + LEAVES_S) / HOUR_S
    after = spent(world)
    world.run(60)
    assert spent(world) == after, "nothing of it costs any more"


def test_a_person_is_limited_in_every_stack(folder: Path) -> None:
    """Labels are what is counted: two stacks of one person, and one of another who is left alone."""
    world = SimWorld(KINDS, folder, 1, Trouble(), lambda _want: Script(work_s=600.0))
    world.owner, world.team = "ann", "vision"
    world.up("stack: limits\nbudgets:\n  vision: {limit: 0.05 USD, then: block, team: vision}\n")
    world.up(f"stack: one\njobs:\n  a: {RUNS}\n")
    world.up(f"stack: two\njobs:\n  b: {RUNS}\n")
    world.owner, world.team = "bob", ""
    world.up(f"stack: three\njobs:\n  c: {RUNS}\n")
    world.run(30)

    assert world.phases("one") == {"job/a": "working"}
    assert world.phases("two") == {"job/b": "held"}
    assert world.phases("three") == {"job/c": "working"}
    assert "limits:budget/vision" in world.loop.world.objects[Ref("two", "job", "b")].status.conditions[0].message


def test_at_the_limit_each_action_does_what_it_says(folder: Path) -> None:
    """Block lets what runs go on, floor keeps the fewest, drain and stop leave none; jobs end by themselves but for
    stop."""
    found = {}
    for then in ("block", "floor", "drain", "stop"):
        path = folder / then
        path.mkdir()
        world = SimWorld(KINDS, path, 3, Trouble(), lambda _want: Script(work_s=1e9, stop_s=0.5))
        world.up(
            f"stack: many\nbudgets:\n  all: {{limit: 0.002 USD, then: {then}}}\njobs:\n  j: {{run: work, grace: 1s}}\n"
            "services:\n  s: {run: work, grace: 1s, replicas: 2}\n"
        )
        world.run(100)
        live = world.snapshot().live
        found[then] = tuple(sum(id.ref.kind == kind for id in live) for kind in ("job", "service"))
    assert found == {"block": (1, 2), "floor": (1, 2), "drain": (1, 0), "stop": (0, 0)}
