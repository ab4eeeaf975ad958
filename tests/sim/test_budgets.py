"""No budget is passed: not by what is submitted at once, and by what runs on not by more than a tick's worth."""

import random
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import Capability
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref
from weyr.core.units import HOUR_S
from weyr.kinds.cost.budget.decide import LOOK_AGAIN_S
from weyr.reconcile.scheduler import Room
from weyr.sim.faults import FaultRates
from weyr.sim.scripts import Script
from weyr.sim.traffic import Spell, Traffic
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

CPU_MICROS = 40_480
"""AWS Fargate per vCPU-hour, in micro-USD: the book that a stack has by default."""
HOUR_LIMIT = "{limit: 0.15 USD, then: block}"
RUNS = "{run: work, time_limit: 1h, grace: 0s, resources: {cpu: 1}}"
LEAVES_S = 5.0
"""From the hold to the last task's end: their grace is one second, and a pass may come that late."""


NODES = """\
stack: nodes
pools: {gpu: {cpu: 8, memory: 8GiB, accelerators: {H100: 1}, price: 0.06 USD, min: 2, max: 9}}
"""
EVERYTHING = """\
stack: s{n}
jobs:
  bounded: {{run: work, time_limit: 5m, grace: 1s, resources: {{cpu: 1}}}}
  endless: {{run: work, grace: 1s, resources: {{cpu: 1}}}}
  many: {{run: work, grace: 1s, resources: {{cpu: 0.5}}, array: 3}}
services: {{web: {{run: serve, grace: 1s, replicas: 2, resources: {{cpu: 0.5}}}}}}
endpoints: {{chat: {{run: serve, ready: /, grace: 1s, scale: {{min: 2, max: 2}}, resources: {{cpu: 0.5}}}}}}
functions: {{fn: {{run: ./fn, grace: 1s, scale: {{warm: 1}}, resources: {{cpu: 0.5}}}}}}
devs: {{desk: {{idle_after: 8h, grace: 1s, resources: {{cpu: 1}}}}}}
"""


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
    world.up(f"stack: many\nbudgets:\n  all: {{limit: {limit / 1e6:.6f} USD, ahead: 0s, then: stop}}\n{things}")
    rate = sum(cpus) * CPU_MICROS
    tick = rate * LOOK_AGAIN_S / HOUR_S

    def is_held() -> bool:
        return bool(world.loop.world.objects[Ref("many", "budget", "all")].status.holds)

    assert world.run(2 * limit / rate * HOUR_S + 60, until=is_held)
    # A bill rounds each meter down, a limit their sum.
    assert limit - len(world.ledger.open_meters()) <= spent(world) <= limit + tick
    world.run(LEAVES_S)
    assert world.ledger.rate("many") == 0
    assert spent(world) <= limit + rate * (LOOK_AGAIN_S + LEAVES_S) / HOUR_S
    after = spent(world)
    world.run(60)
    assert spent(world) == after, "nothing of it costs any more"


@pytest.mark.parametrize("seed", range(2))
def test_whatever_starts_at_once_does_not_pass_a_limit(folder: Path, seed: int) -> None:
    """Three stacks come up in one moment: nodes, replicas, hosts, sessions, attempts race for what a team has left. As
    long as what was set aside for the endless lasts, spent and set aside stay within the limit, whatever is lost and
    whoever dies; then the hold comes within a tick, and nothing costs any more."""
    chance = random.Random(seed)
    room = Room(64, 64 << 30)
    trouble = Trouble(calls=FaultRates(loses_replies=0.05), dies=0.002 * (seed % 2), room=room)
    world = SimWorld(KINDS, folder, seed, trouble, lambda _want: Script(work_s=1e9, ready_after_s=1.0, stop_s=0.5))
    world.owner, world.team = "ann", "vision"
    limit, ahead_s = chance.randint(15_500, 17_000), 30
    team = f"{{limit: {limit / 1e6:.6f} USD, ahead: {ahead_s}s, then: stop, team: vision}}"
    world.up(f"stack: limits\nbudgets: {{team: {team}}}\n")
    world.up(NODES)
    world.run(0.5)  # a pool adds nodes once the scheduler has heard of it
    vision, began = Reach("", (("team", "vision"),)), world.clock()
    for n in chance.sample(range(3), 3):
        world.up(EVERYTHING.format(n=n))
    begun: set[str] = set()
    while world.clock() < began + ahead_s - 2:
        world.run(2)
        seen = world.ledger.spend(vision, Every.MONTH, world.clock())
        assert seen.micros + seen.reserved_micros <= limit, f"after {world.clock() - began:.0f} s"
        things = [thing for parts in world.loop.world.things.values() for thing in parts.values()]
        begun |= {thing.id.ref.kind for thing in things if thing.capability in (Capability.TASKS, Capability.NODES)}
    assert begun == {"pool", "job", "service", "endpoint", "function", "dev"}
    held = [ref for n in range(3) for ref, phase in world.phases(f"s{n}").items() if phase == "held"]
    assert held, "there was money for all of it"
    rate = world.ledger.rate()
    world.stop_faults()

    def is_over() -> bool:
        return bool(world.loop.world.objects[Ref("limits", "budget", "team")].status.holds)

    assert world.run(limit / rate * HOUR_S + 60, until=is_over)
    world.run(LEAVES_S)
    assert spent(world, vision) <= limit + rate * (LOOK_AGAIN_S + LEAVES_S) / HOUR_S
    after = spent(world, vision)
    world.run(60)
    assert spent(world, vision) == after


POOL = """\
stack: infra
budgets: {nodes: {limit: 50 USD, ahead: 10m, then: stop}}
pools: {gpu: {cpu: 8, memory: 8GiB, accelerators: {H100: 4}, min: 1, max: 1, price: 36 USD}}
"""
ON_POOL = "{run: work, grace: 1s, time_limit: 1h, pool: 'infra:pool/gpu', resources: {cpu: 1, accelerators: 'H100:1'}}"


def test_what_runs_on_somebody_elses_pool_is_held_within_a_tick(folder: Path) -> None:
    """Its share of a node is on its own team's bill, though nothing is set aside for it: the node is paid for, used or
    not, and has its own part set aside in the budgets that cover the pool. A team's budget sees the shares as they are
    used, and stops them as it stops what nothing bounds; whose nodes they are spends what they were to cost anyway."""
    world = SimWorld(KINDS, folder, 1, Trouble(room=Room(2, 4 << 30)), lambda _want: Script(work_s=1e9, stop_s=0.5))
    world.owner, world.team = "bob", "infra"
    world.up(POOL)
    world.run(20)
    infra, vision = Reach("infra"), Reach("", (("team", "vision"),))
    hour = 36_000_000
    node = world.ledger.standing(infra, Every.MONTH, world.clock())
    assert abs(node.micros + node.reserved_micros - hour * 600 // HOUR_S) < hour * 25 // HOUR_S, "ten minutes of it"

    world.owner, world.team = "ann", "vision"
    limit = 300_000
    world.up(f"stack: limits\nbudgets: {{team: {{limit: {limit / 1e6} USD, then: stop, team: vision}}}}\n")
    world.up("stack: ml\njobs:\n" + "".join(f"  j{n}: {ON_POOL}\n" for n in range(4)))

    def is_over() -> bool:
        return bool(world.loop.world.objects[Ref("limits", "budget", "team")].status.holds)

    assert world.run(120, until=is_over)
    assert world.ledger.standing(vision, Every.MONTH, world.clock()).reserved_micros == 0
    world.run(LEAVES_S)
    assert limit <= spent(world, vision) <= limit + hour * (LOOK_AGAIN_S + LEAVES_S) / HOUR_S
    after = spent(world, vision)
    world.run(60)
    assert spent(world, vision) == after
    assert world.ledger.rate("infra") == hour, "the node is the pool's own again"


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


SLEEPY = (
    "stack: web\nbudgets: {{all: {{limit: {limit} USD, ahead: {ahead}, then: block}}}}\n"
    + """\
endpoints: {{chat: {{run: serve, ready: /, scale: {{min: 0, max: 1, idle_after: 10s}}, resources: {{cpu: 1}}}}}}
{more}
"""
)


@pytest.mark.parametrize("ahead", ["10m", "0s"])
def test_an_endpoint_that_there_is_no_money_to_wake_says_so_and_wakes_when_there_is(folder: Path, ahead: str) -> None:
    """Whether too little is left for it or nothing at all: who calls finds out why nobody answers, and nobody has to
    wake it by hand."""
    world = SimWorld(KINDS, folder, 1, Trouble(room=Room(8, 16 << 30)), lambda _want: Script(work_s=1e9))
    eater = "services: {eater: {run: serve, resources: {cpu: 4}}}" if ahead == "0s" else ""
    world.up(SLEEPY.format(limit="0.001", ahead=ahead, more=eater))
    chat = Ref("web", "endpoint", "chat")
    world.run(60)
    world.engine.routes.traffic = {"web/chat": Traffic.of(1, world.clock(), (Spell(600.0, 2.0),))}

    world.loop.world.wake([chat])
    world.run(1)
    world.loop.world.wake([chat])  # the plane rings for as long as somebody waits

    assert world.run(20, until=lambda: world.phases("web")["endpoint/chat"] == "held"), world.phases("web")
    world.run(1)
    said = world.loop.world.objects[chat].status.conditions[0].message
    assert "budget/all" in said
    assert "of 0.001 USD" in said or "0.001 USD in" in said

    world.up(SLEEPY.format(limit="5", ahead=ahead, more=eater))

    def answers() -> bool:
        return any(thing.capability is Capability.TASKS for thing in world.loop.world.things_of(chat).values())

    assert world.run(60, until=answers), world.loop.world.objects[chat].status


def test_at_the_limit_each_action_does_what_it_says(folder: Path) -> None:
    """Block lets what runs go on, floor keeps the fewest, drain and stop leave none; jobs end by themselves but for
    stop."""
    found = {}
    for then in ("block", "floor", "drain", "stop"):
        path = folder / then
        path.mkdir()
        world = SimWorld(KINDS, path, 3, Trouble(), lambda _want: Script(work_s=1e9, stop_s=0.5))
        world.up(
            f"stack: many\nbudgets:\n  all: {{limit: 0.002 USD, ahead: 0s, then: {then}}}\n"
            "jobs:\n  j: {run: work, grace: 1s}\n"
            "services:\n  s: {run: work, grace: 1s, replicas: 2}\n"
        )
        world.run(100)
        live = world.snapshot().live
        found[then] = tuple(sum(id.ref.kind == kind for id in live) for kind in ("job", "service"))
    assert found == {"block": (1, 2), "floor": (1, 2), "drain": (1, 0), "stop": (0, 0)}
