"""A pool that leaves what its nodes have to the machine: it grows all the same, for what the machine has."""

from pathlib import Path

import pytest

from weyr.attempt.nvml import Device, Found
from weyr.core.capability import Accelerators, TaskBody, Wanted
from weyr.core.pools import NodeBody, PoolBody, PoolFacts
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present
from weyr.engines.local.nodes import LocalNodes
from weyr.reconcile.scheduler import Room, Scheduler
from weyr.sim import SimEngine, VirtualClock

POOL = Ref("box", "pool", "gpu")
DECLARED, TASK = ThingId(POOL, "pool"), ThingId(Ref("box", "job", "a"), "1")
H100 = Device("GPU-1", "H100", "NVIDIA H100 80GB HBM3", 80 << 30)
DETECTED = NodeBody(POOL.absolute, cpu=2, memory_bytes=2**30, detects=True)
WHOLE = NodeBody(POOL.absolute)


def lacking(folder: Path, node: NodeBody, task: TaskBody, *devices: Device) -> int:
    """How many nodes a pool that has none is to have for one task."""
    clock = VirtualClock()
    nodes = LocalNodes(folder / "nodes", 8, 2**34, lambda: Found(devices), clock)
    scheduler = Scheduler(SimEngine(clock).tasks, Room(8, 2**34), clock, nodes=nodes, fresh=nodes.fresh)
    assert scheduler.pools.ensure([Wanted(DECLARED, 1, PoolBody(node, 1))]) == {}
    assert scheduler.tasks.ensure([Wanted(TASK, 1, task)]) == {}
    seen = scheduler.pools.observe([DECLARED])[DECLARED]
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, PoolFacts)
    return seen.facts.lacking


def asking(accelerators: Accelerators | None = None) -> TaskBody:
    return TaskBody(("x",), "/", cpu=1, memory_bytes=2**29, accelerators=accelerators, pool=POOL.absolute)


@pytest.mark.parametrize(
    ("devices", "wanted", "more"),
    [
        ([H100], Accelerators("H100", 1), 1),
        ([H100], Accelerators("", share_milli=500), 1),
        ([H100], Accelerators("H100", memory_bytes=20 << 30), 1),
        ([H100], Accelerators("A100", 1), 0),
        ([H100], Accelerators("H100", 2), 0),
        ([], Accelerators("", 1), 0),
    ],
)
def test_devices_that_are_to_be_detected_count_before_there_is_a_node(
    tmp_path: Path, devices: list[Device], wanted: Accelerators, more: int
) -> None:
    """With `detect: true` nothing is declared; a job that asks for what the driver has waited for ever."""
    assert lacking(tmp_path, DETECTED, asking(wanted), *devices) == more


def test_a_pool_of_the_whole_machine_grows(tmp_path: Path) -> None:
    """Where no CPU and no memory are written, a node has all that the machine has, and not nothing."""
    assert lacking(tmp_path, WHOLE, asking()) == 1


def test_what_others_have_of_the_machine_is_not_counted_twice(tmp_path: Path) -> None:
    """A second node would have what the first left: nothing."""
    nodes = LocalNodes(tmp_path / "nodes", 8, 2**34, lambda: Found((H100,)), VirtualClock())
    assert nodes.fresh(DETECTED).devices == 1
    assert nodes.ensure([Wanted(ThingId(POOL, "n1"), 1, DETECTED)]) == {}
    assert nodes.fresh(DETECTED) == DETECTED
