"""Spot nodes are reclaimed under an endpoint and a service that are asked all the while, in virtual time."""

from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import TaskBody
from weyr.core.ref import Ref, ThingId
from weyr.core.routes import RouteBody
from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.reconcile.scheduler import Room
from weyr.sim.scripts import Script
from weyr.sim.traffic import Spell, Traffic
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

TEXT = """
stack: web
endpoints:
  chat: {run: serve, ready: /, scale: {min: 4, max: 6, spot: true, on_demand: 1}, resources: {cpu: 0.1}}
services:
  shop: {run: serve, scale: {min: 4, max: 6, spot: true, on_demand: 1}, resources: {cpu: 0.1}}
"""
NOTICE_S, READY_AFTER_S = 30.0, 5.0


@pytest.mark.parametrize("kind", ["endpoint", "service"])
def test_reclaimed_under_load_as_many_answer_as_before(folder: Path, kind: str) -> None:
    """All of spot goes away at once, three times over: the floor stays, nobody waits for long, and the rest is back
    within its start, well before the notice is over. The bill has both markets."""
    ref = Ref("web", "endpoint", "chat") if kind == "endpoint" else Ref("web", "service", "shop")
    world = SimWorld(
        KINDS, folder, 0, Trouble(room=Room(8, 16 << 30)), lambda _want: Script(work_s=1e9, ready_after_s=READY_AFTER_S)
    )
    world.up(TEXT)
    assert world.run(60, until=lambda: set(world.phases("web").values()) == {"ready"}), world.phases("web")
    traffic = Traffic.of(0, world.clock(), (Spell(float("inf"), 20.0),))
    world.engine.routes.traffic = {f"web/{ref.name}": traffic}
    world.run(20)

    for _ in range(3):
        standing = running(world, ref)
        assert sorted(standing.values()) == [False, True, True, True]
        for id, is_spot in standing.items():
            if is_spot:
                assert world.engine.tasks.reclaim(id, NOTICE_S)
        for second in range(int(NOTICE_S) + 10):
            world.run(1)
            assert False in running(world, ref).values(), "the floor stays"
            assert routed(world, ref) >= (4 if second > READY_AFTER_S + 5 else 1), second
            assert traffic.waiting < 20 * NOTICE_S / 10, "nobody waits for as long as the notice"
    assert sorted(running(world, ref).values()) == [False, True, True, True]
    skus = {line.sku for line in world.ledger.lines("web") if line.thing.ref == ref}
    assert {"task.cpu", "task.cpu.spot"} <= skus
    world.down("web")
    assert world.run(400, until=world.is_empty)


def routed(world: SimWorld, ref: Ref) -> int:
    """How many replicas the plane is told to send to."""
    body = world.loop.world.things[ref]["route"].body
    assert isinstance(body, RouteBody)
    return len(body.replicas)


def running(world: SimWorld, ref: Ref) -> dict[ThingId, bool]:
    """The replicas that run, and whether each is on spot."""
    found: dict[ThingId, bool] = {}
    for row in world.loop.world.things.get(ref, {}).values():
        match row.seen, row.body:
            case Present(facts=TaskFacts(state=TaskState.RUNNING)), TaskBody(is_spot=is_spot):
                found[row.id] = is_spot
    return found
