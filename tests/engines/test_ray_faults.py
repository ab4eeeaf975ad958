"""What goes wrong with a real Ray cluster, once for real: nodes, links, helper and head."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "conformance"))  # the suite's world is this one's too

from engines import Program, facts_of, task_id
from ray_cluster import RayCluster
from ray_world import RayWorld, end_shared_world, shared_world

from weyr.core.capability import Accelerators, Wanted
from weyr.core.pools import NodeBody
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, EndReason, Present, TaskState, Unknown

GANG = [task_id(part, "far") for part in ("1.0", "1.1")]
LATE = task_id("1", "late")
POOL = Ref("digits", "pool", "site")


@pytest.fixture(scope="module")
def world() -> Iterator[RayWorld]:
    """The one of this process's other tests, which come before these: what is done to it here, they could not bear."""
    yield shared_world()
    end_shared_world()


@pytest.fixture(scope="module")
def cluster(world: RayWorld) -> RayCluster:
    return world.cluster


def test_half_a_device_and_a_gang_too_big_for_now(world: RayWorld, cluster: RayCluster) -> None:
    """Two tasks share a device and see no other; a gang begins when there is room for all of it, and not before."""
    sharing = [task_id(part, "half") for part in "12"]
    body = world.shell('echo "sees $CUDA_VISIBLE_DEVICES"; sleep 1')
    body = replace(body, accelerators=Accelerators(share_milli=500), cpu=0.5)
    assert not world.provider.ensure([Wanted(id, 1, body) for id in sharing])
    runs = [world.ended(id) for id in sharing]
    assert [b"".join(world.provider.logs(id)) for id in sharing] == [b"sees 0\n"] * 2
    assert runs[0].started_at is not None
    assert runs[1].ended_at is not None
    assert runs[0].started_at < runs[1].ended_at, "one after the other"
    world.ensure_gang(GANG, Program(runs_s=60, tells_rank=True), cpu=2)
    assert all(facts_of(world.observe(id)).state is TaskState.STARTING for id in GANG)
    cluster.add_worker("b")
    where = [world.running(id) for id in GANG]
    assert len({facts.started_at for facts in where}) == 2
    assert [world.starts(id) for id in GANG] == [1, 1]


def test_a_node_lost_in_the_middle_of_a_gang(world: RayWorld, cluster: RayCluster) -> None:
    """The member on it is lost, and the other one is told of nothing: its kind says what is to become of it. The node
    leaves its pool, and what was to begin on it does not wait for it for ever."""
    lost = world.on_node(GANG, "b")
    site = world.host.site
    nodes = [ThingId(POOL, name) for name in site.offered(POOL.absolute, [])]
    assert not site.ensure([Wanted(id, 1, NodeBody(POOL.absolute, engine="ray")) for id in nodes])
    cluster.kill("b")
    end = world.ended(lost).end
    assert end is not None
    assert end.reason is EndReason.NODE_LOST
    other = next(id for id in GANG if id != lost)
    assert facts_of(world.observe(other)).state is TaskState.RUNNING
    seen = site.observe(nodes)
    assert [isinstance(each, Absent) for each in seen.values()].count(True) == 1
    (gone,) = [id for id, each in seen.items() if isinstance(each, Absent)]
    assert world.ensure(LATE, Program(), node=str(gone)) is None
    late = world.ended(LATE).end
    assert late is not None
    assert late.reason is EndReason.NODE_LOST
    site.release(nodes)
    for id in [*GANG, LATE]:
        world.clear(id)


def test_a_helper_killed_between_intent_and_effect(world: RayWorld) -> None:
    """What was said and never answered is said again, and nothing of it runs twice."""
    world.inventory()
    helper = world.host._helper
    assert helper is not None
    os.kill(helper.pid, signal.SIGSTOP)
    answer = world.provider.ensure([Wanted(task_id("9"), 1, world.body(Program(runs_s=1)))])
    assert isinstance(answer[task_id("9")], Unknown)
    os.kill(helper.pid, signal.SIGKILL)
    world.ensure(task_id("9"), Program(runs_s=1))
    end = world.ended(task_id("9")).end
    assert end is not None
    assert end.reason in (EndReason.SUCCEEDED, EndReason.LOST), "it began, or it is proved that it did not"
    assert world.starts(task_id("9")) == (1 if end.reason is EndReason.SUCCEEDED else 0)
    world.clear(task_id("9"))


def test_an_unreachable_task_ends_itself(world: RayWorld, cluster: RayCluster) -> None:
    """Behind a cut link it is neither dead nor alive to us; it ends before anybody could believe either for long."""
    cluster.add_worker("a")
    world.ensure(task_id("5"), Program(runs_s=60))
    world.running(task_id("5"))
    cluster.cut("a")
    world.until(task_id("5"), lambda seen: isinstance(seen, Unknown) or facts_of(seen).end is not None)
    end = world.ended(task_id("5")).end
    assert end is not None
    assert end.reason is EndReason.NODE_LOST
    world.until_no_process_of(task_id("5"))
    cluster.cut("a", is_cut=False)
    world.clear(task_id("5"))


def test_a_dead_head_proves_nothing(world: RayWorld, cluster: RayCluster) -> None:
    """While nobody answers nothing is known; a new head at the address knows nothing of the old one's tasks, and only
    when their lease is over are they called lost."""
    cluster.kill("a")
    cluster.add_worker("a")
    world.ensure(task_id("6"), Program(runs_s=120))
    world.running(task_id("6"))
    cluster.kill("head")
    seen = world.until(task_id("6"), lambda seen: not isinstance(seen, Present))
    assert isinstance(seen, Unknown)
    cluster.start_head()
    seen = world.until(task_id("6"), lambda seen: isinstance(seen, Absent | Present), within_s=90)
    assert isinstance(seen, Present), "it was never absent"
    end = facts_of(seen).end
    assert end is not None
    assert end.reason is EndReason.NODE_LOST
    world.until_no_process_of(task_id("6"))
    world.clear(task_id("6"))
