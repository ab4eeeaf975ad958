"""Endpoints and services are scaled in virtual time, by seeded requests, through the loop that runs in production."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import Wanted
from weyr.core.ref import Ref
from weyr.reconcile.scheduler import Room
from weyr.sim.faults import FaultRates
from weyr.sim.scripts import Script
from weyr.sim.traffic import Spell, Traffic, drawn_spells
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

QUOTA, STEP_S, END_S = 6, 2.0, 300.0
ASKED_S = 90.0
"""Advice follows requests of `idle_after` ago, and an engine that is silent for half a minute delays it."""
SCALE = "scale: {min: %d, max: 4, target_inflight: 4, idle_after: 30s}, queue: serving, resources: {cpu: 0.1}"
TEXT = f"""
stack: web
queues: {{serving: {{replicas: {QUOTA}}}}}
endpoints:
  kept: {{run: serve, ready: /, {SCALE % 1}}}
  sleepy: {{run: serve, ready: /, {SCALE % 0}}}
services:
  shop: {{run: serve, {SCALE % 1}}}
"""
ROUTES = {"kept": "endpoint", "sleepy": "endpoint", "shop": "service"}
FAULTS = FaultRates(loses_replies=0.05, delays=0.02, crashes=0.002)

ROOM = Room(8, 16 << 30)


def serving(_want: Wanted) -> Script:
    return Script(work_s=1e9, starts_after_s=0.5, ready_after_s=1.5)


def desired(world: SimWorld, name: str) -> int:
    row = world.loop.world.objects[Ref("web", ROUTES[name], name)]
    return int(json.loads(row.memory)["desired"]) if row.memory else 0


def watched(world: SimWorld, traffic: dict[str, Traffic]) -> dict[str, list[int]]:
    """Lets the traffic pass. Holds at every step: never above the quota or the limits, never fewer than are kept, and
    no more replicas than before where nobody asked."""
    counts: dict[str, list[int]] = {name: [desired(world, name)] for name in ROUTES}
    end = world.clock() + END_S
    while world.clock() < end:
        world.run(STEP_S)
        now = {name: desired(world, name) for name in ROUTES}
        assert sum(now.values()) <= QUOTA, (world.seed, now)
        for name, count in now.items():
            assert int(name != "sleepy") <= count <= 4, (world.seed, now)
            asked = traffic[name].asked_since(world.clock() - ASKED_S, world.clock()) or traffic[name].waiting
            assert count <= counts[name][-1] or asked, f"seed {world.seed}: {name} grew and nobody asked"
            counts[name].append(count)
    return counts


@pytest.mark.parametrize("seed", range(2))
def test_whatever_goes_wrong_replicas_follow_the_requests_and_nothing_else(folder: Path, seed: int) -> None:
    """Lost replies, silent engines, killed servers: limits hold at each step, and in silence what may sleep does."""
    world = SimWorld(KINDS, folder, seed, Trouble(FAULTS, dies=0.002, room=ROOM), serving)
    world.up(TEXT)
    assert world.run(60, until=lambda: set(world.phases("web").values()) == {"ready"}), world.phases("web")
    traffic = {
        name: Traffic.of(10 * seed + turn, world.clock(), drawn_spells(10 * seed + turn, END_S - 100))
        for turn, name in enumerate(ROUTES)
    }
    world.engine.routes.traffic = {f"web/{name}": each for name, each in traffic.items()}
    watched(world, traffic)

    world.stop_faults()
    world.run(150)
    assert {name: desired(world, name) for name in ROUTES} == {"kept": 1, "sleepy": 0, "shop": 1}
    assert world.phases("web")["endpoint/sleepy"] == "ready"
    served = sum(each.arrived for each in traffic.values())
    assert served > 100, "the worlds had something to do"
    world.down("web")
    assert world.run(400, until=world.is_empty)


def test_a_steady_load_does_not_flap_and_nobody_waits_for_long(folder: Path) -> None:
    """Who lets a replica go pays for its start, here 20 s, when it is wanted again."""
    world = SimWorld(KINDS, folder, 0, Trouble(room=ROOM), lambda _want: Script(work_s=1e9, ready_after_s=20.0))
    world.up(TEXT)
    world.run(60)
    spells = {"kept": (Spell(1e9, 12.0),), "sleepy": (Spell(1e9, 0.0),), "shop": (Spell(1e9, 6.0),)}
    traffic = {name: Traffic.of(7, world.clock(), each) for name, each in spells.items()}
    world.engine.routes.traffic = {f"web/{name}": each for name, each in traffic.items()}
    counts = watched(world, traffic)
    for name in ("kept", "shop"):
        steady = counts[name][60:]
        assert sum(one != other for one, other in pairwise(steady)) <= 12, (name, steady)
        assert traffic[name].waited_max_s < 5.0
    assert set(counts["sleepy"]) == {0}


def test_a_server_that_is_killed_under_load_goes_on_with_what_it_knew(folder: Path) -> None:
    """What was learnt is in the store: the count does not fall and rise because of a restart."""
    world = SimWorld(KINDS, folder, 0, Trouble(room=ROOM), serving)
    world.up(TEXT)
    world.run(20)
    traffic = Traffic.of(3, world.clock(), (Spell(1e9, 30.0),))
    world.engine.routes.traffic = {"web/kept": traffic}
    world.run(120)
    before = desired(world, "kept")
    assert before >= 2
    world.crash()
    counts = [before]
    for _ in range(15):
        world.run(2)
        counts.append(desired(world, "kept"))
    assert min(counts) >= 2, "what the load takes"
    told = world.loop.scaling.given(Ref("web", "endpoint", "kept"))
    assert told is not None
    assert "requests/s now" in told.why
