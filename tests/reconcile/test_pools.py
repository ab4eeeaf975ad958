"""Pools, queues and gangs as a whole: a stack file, the loop, the scheduler, and a simulated engine's nodes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import Capability, TaskBody
from weyr.core.pools import NodeFacts
from weyr.core.ref import ThingId
from weyr.core.seen import Present, TaskFacts, TaskState, Unknown
from weyr.reconcile.scheduler import Room
from weyr.sim.scripts import Script
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

TROUBLE = Trouble(room=Room(2, 2**30))
GPU = "pools: {gpu: {cpu: 8, memory: 8GiB, accelerators: {H100: 4}, max: 2, idle_after: 20s, price: 3.60 USD}}"


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    return SimWorld(KINDS, tmp_path, trouble=TROUBLE, scripts=lambda _: Script(work_s=60.0))


def running(world: SimWorld) -> dict[str, TaskBody]:
    """What runs now, with its node and devices."""
    live = set(world.engine.tasks.live())
    found = {str(ran.id): ran.body for ran in world.engine.tasks.ran() if ran.id in live}
    return {id.removeprefix("box:job/"): body for id, body in found.items()}


def waits(world: SimWorld, ref: str) -> str:
    row = next(row for each, row in world.loop.world.objects.items() if str(each) == ref)
    return row.status.conditions[0].message


def nodes(world: SimWorld) -> Iterator[ThingId]:
    return iter(world.engine.pool_nodes.held())


def test_a_pool_grows_for_what_waits_and_shrinks_when_nothing_runs(world: SimWorld) -> None:
    """From nothing to two nodes and back to nothing, without a hand."""
    job = "{run: x, resources: {accelerators: 'H100:3'}}"
    world.up(f"stack: box\n{GPU}\njobs: {{a: {job}, b: {job}, c: {job}}}")
    world.run(15)
    where = {id: (body.node, len(body.devices)) for id, body in running(world).items()}
    assert sorted(where.values()) == [("box:pool/gpu#n1", 3), ("box:pool/gpu#n2", 3)]
    assert waits(world, "job/c") == "it waits for 1 CPU and H100:3 in a pool"
    world.run(150, until=lambda: set(world.phases("box").values()) == {"done", "ready"})
    world.run(60)
    assert list(nodes(world)) == []
    assert len({line.thing.part for line in world.ledger.lines("box") if line.sku == "node.money"}) == 2


def test_a_node_is_not_let_go_under_a_task(world: SimWorld) -> None:
    """Whoever decided that it is idle did so before the task was sent there."""
    world.up(f"stack: box\n{GPU}\njobs: {{a: {{run: x, resources: {{accelerators: 1}}}}}}")
    world.run(15)
    (node,) = nodes(world)
    answers = world.loop.effects.providers[Capability.NODES].release([node])
    assert isinstance(answers[node], Unknown)
    assert list(nodes(world)) == [node]
    assert list(running(world)) == ["a#1"]


def test_no_device_has_two_owners_and_a_task_sees_only_its_own(world: SimWorld) -> None:
    """Halves share a device, whole ones do not, and the names that tasks are given say so."""
    half, two = "{run: x, resources: {accelerators: 0.5}}", "{run: x, resources: {accelerators: 2}}"
    world.up(f"stack: box\n{GPU}\njobs: {{a: {half}, b: {half}, c: {two}}}")
    world.run(15)
    bodies = running(world)
    assert {body.node for body in bodies.values()} == {"box:pool/gpu#n1"}
    assert bodies["a#1"].devices == bodies["b#1"].devices
    assert not set(bodies["a#1"].devices) & set(bodies["c#1"].devices)


def test_a_gang_is_let_in_whole_or_not_at_all(world: SimWorld) -> None:
    """Half of a gang would hold four devices and wait for ever."""
    world.up(
        f"stack: box\n{GPU}\njobs:\n  a: {{run: x, resources: {{accelerators: 'H100:1'}}}}\n"
        "  g: {run: x, replicas: 2, resources: {accelerators: 'H100:4'}}\n"
    )
    world.run(20)
    assert {id.partition("#")[0] for id in running(world)} in ({"a"}, {"g"})
    world.run(200, until=lambda: world.phases("box")["job/g"] == "done")
    assert world.phases("box")["job/g"] == "done"


def test_a_quota_is_not_passed_and_says_what_it_lacks(world: SimWorld) -> None:
    """Two devices are the team's, however many are free."""
    job = "{run: x, queue: team, resources: {accelerators: 'H100:1'}}"
    world.up(f"stack: box\n{GPU}\nqueues: {{team: {{quota: {{H100: 2}}}}}}\njobs: {{a: {job}, b: {job}, c: {job}}}")
    world.run(45)
    assert sorted(running(world)) == ["a#1", "b#1"]
    assert waits(world, "job/c") == "box:queue/team has no more gpu/H100 to give; it needs 1 CPU and H100:1"
    assert len(list(nodes(world))) == 1, "nodes that the quota would not let it use are not asked for"


def test_what_was_borrowed_is_given_back_and_begins_again(world: SimWorld) -> None:
    """Whoever lends must be able to rely on it; who borrowed goes on from its checkpoint."""
    text = (
        f"stack: box\n{GPU.replace('max: 2', 'max: 1')}\nbuckets: {{lake: {{}}}}\nqueues:\n"
        "  ours: {quota: {H100: 4}}\n  theirs: {quota: {H100: 0}, borrow: {H100: 4}}\njobs:\n"
        "  b: {run: x, queue: theirs, resources: {accelerators: 'H100:4'}, checkpoint: {bucket: lake, every: 1s}}\n"
    )
    world.up(text)
    world.run(20)
    assert list(running(world)) == ["b#1"]
    world.up(text + "  a: {run: x, queue: ours, resources: {accelerators: 'H100:4'}}\n")
    world.run(20)
    assert list(running(world)) == ["a#1"]
    assert any("it made room for box:job/a" in event.message for event in world.story("box"))
    world.run(300, until=lambda: world.phases("box")["job/b"] == "done")
    resumed = [event.message for event in world.story("box") if event.event == "attempt.resumed"]
    assert len(resumed) == 1


def test_a_restart_knows_who_has_which_device(world: SimWorld) -> None:
    """Devices are written down nowhere but with the tasks that have them."""
    job = "{run: x, resources: {accelerators: 'H100:3'}}"
    world.up(f"stack: box\n{GPU.replace('max: 2', 'max: 1')}\njobs: {{a: {job}, b: {job}}}")
    world.run(10)
    before = running(world)
    for _ in range(3):
        world.crash()
        world.run(5)
    assert running(world) == before
    world.run(200, until=lambda: world.phases("box")["job/b"] == "done")
    assert world.phases("box")["job/b"] == "done"


def test_a_reclaimed_node_takes_nothing_new_and_its_tasks_begin_again(world: SimWorld) -> None:
    """Notice, grace, gone: another node comes, for the work is still there."""
    world.up(f"stack: box\n{GPU}\njobs: {{a: {{run: x, resources: {{accelerators: 1}}}}}}")
    world.run(10)
    (node,) = nodes(world)
    world.engine.pool_nodes.reclaim(node, 5.0)
    world.engine.tasks.reclaim_all_on(str(node), 5.0)
    world.run(40)
    assert {body.node for body in running(world).values()} == {"box:pool/gpu#n2"}


def test_a_lost_node_loses_its_tasks_and_nothing_else(world: SimWorld) -> None:
    """Its meter ends, and what ran there runs elsewhere."""
    world.up(f"stack: box\n{GPU}\njobs: {{a: {{run: x, resources: {{accelerators: 1}}}}}}")
    world.run(10)
    (node,) = nodes(world)
    world.engine.pool_nodes.lose(node)
    world.run(60)
    assert {body.node for body in running(world).values()} == {"box:pool/gpu#n2"}
    assert {id.part for id in (m.thing for m in world.ledger.open_meters("box")) if id.ref.kind == "pool"} == {"n2"}


def test_a_stack_with_pools_goes_without_a_trace(world: SimWorld) -> None:
    """The nodes go when nothing is on them, and then the pool."""
    world.up(f"stack: box\n{GPU}\njobs: {{a: {{run: x, resources: {{accelerators: 1}}}}}}")
    world.run(10)
    world.down("box")
    assert world.run(120, until=world.is_empty), world.phases("box")


def test_facts_of_nodes_reach_the_scheduler(world: SimWorld) -> None:
    """What `weyr describe` shows of a node is what was decided on."""
    world.up(f"stack: box\n{GPU.replace('max: 2', 'min: 1, max: 2')}\njobs: {{a: {{run: x}}}}")
    world.run(10)
    things = world.loop.world.things
    seen = [row.seen for each in things.values() for row in each.values() if row.capability is Capability.NODES]
    assert [type(each.facts) for each in seen if isinstance(each, Present)] == [NodeFacts]
    ran = [row.seen for each in things.values() for row in each.values() if row.capability is Capability.TASKS]
    states = [each.facts.state for each in ran if isinstance(each, Present) and isinstance(each.facts, TaskFacts)]
    assert states == [TaskState.RUNNING]
