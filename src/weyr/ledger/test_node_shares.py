"""A replica on a pool's node costs the part of the node that it takes: its requests are not free."""

import pytest

from weyr.core.capability import Accelerators, TaskBody
from weyr.core.metering import Meter, Price
from weyr.core.pools import NodeFacts, NodeState
from weyr.core.ref import ThingId
from weyr.core.seen import Present, TaskFacts, TaskState, Unknown
from weyr.ledger.node_shares import Hosted, hosted, left_of, milli_of, spent_hosted

GIB = 2**30
NODE = ThingId.parse("box:pool/gpu#n1")
FACTS = NodeFacts(NodeState.READY, cpu=8, memory_bytes=32 * GIB, devices=("a", "b"), device_memory_bytes=80 * GIB,
                  slices=(("m1", "1g.10gb"), ("m2", "1g.10gb"), ("m3", "3g.40gb")))  # fmt: skip
CASES = {
    "a quarter of the cores": (2.0, GIB, None, 250),
    "more of the memory than of the cores": (1.0, 16 * GIB, None, 500),
    "one of two devices": (1.0, GIB, Accelerators(count=1), 500),
    "both devices": (1.0, GIB, Accelerators(count=2), 1000),
    "half of one device": (0.5, GIB, Accelerators(share_milli=500), 250),
    "a device's memory": (0.5, GIB, Accelerators(memory_bytes=40 * GIB), 250),
    "one of two slices that are alike": (0.5, GIB, Accelerators(profile="1g.10gb"), 500),
    "more than there is": (99.0, GIB, None, 1000),
}


def body(cpu: float, memory: int, accelerators: Accelerators | None = None) -> TaskBody:
    return TaskBody(("serve",), "/", cpu=cpu, memory_bytes=memory, accelerators=accelerators, pool="box:pool/gpu")


def running(since: float, node: str) -> Present:
    return Present(TaskFacts(TaskState.RUNNING, started_at=since, node=node))


@pytest.mark.parametrize("case", CASES)
def test_a_task_takes_whichever_it_takes_most_of(case: str) -> None:
    """Who has all of a node's devices leaves nothing of worth, however few cores he uses."""
    cpu, memory, accelerators, milli = CASES[case]
    assert milli_of(body(cpu, memory, accelerators), FACTS) == milli


def test_nobody_is_charged_for_what_a_node_does_not_say() -> None:
    """A node of unknown size has no parts."""
    assert milli_of(body(2, GIB, Accelerators(count=1)), NodeFacts()) == 0


def test_a_share_of_the_nodes_meter_while_the_replica_runs() -> None:
    """Half of a node at 3.60 an hour, for the last ten of twenty seconds, is 0.005."""
    meter = Meter(NODE, "node.money", "pool", Price(1, 1, 3600), 0, quantity=3_600_000, run_since_ms=0)
    (task,) = hosted([("1", body(4, GIB), running(10.0, str(NODE))),
                      ("2", body(4, GIB), Unknown("silent")),
                      ("3", body(4, GIB), running(1.0, "this machine"))],
                     {NODE: FACTS})  # fmt: skip
    assert task == Hosted("1", NODE, 500, 10_000)
    assert spent_hosted([task], {NODE: [meter]}, 0, 20_000) == {"1": 5_000}
    assert spent_hosted([task], {}, 0, 20_000) == {"1": 0}


@pytest.mark.parametrize(
    ("quantity", "from_ms", "until_ms", "left"),
    [
        (600, 0, None, 400),
        (1000, 0, 1_000, 1000),
        (1000, 4_900, 5_100, 980),
        (1000, 9_000, None, 800),
        (1000, 10_000, None, 1000),
    ],
)
def test_who_overlaps_another_by_a_moment_has_not_had_nothing(
    quantity: int, from_ms: int, until_ms: int | None, left: int
) -> None:
    """A node's clock is set, or runs behind: two who had it in turn seem to have had it together."""
    share = Meter(NODE, "node.share", str(NODE), Price(1, 1, 3600), 0, quantity=quantity, run_since_ms=from_ms,
                  run_from_ms=from_ms, until_ms=until_ms)  # fmt: skip
    assert left_of([share], 5_000, 10_000) == left
    assert left_of([share, share], 5_000, 10_000) == max(0, 1000 - 2 * (1000 - left))
    assert left_of([], 5_000, 5_000) == 1000
