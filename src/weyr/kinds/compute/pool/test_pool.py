"""How many nodes a pool has, and when they go."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from weyr.core.capability import Capability
from weyr.core.decision import Decision, Ensure, Hold, Release, Thing, View, Want
from weyr.core.opening import hours_of, is_open
from weyr.core.opening_fields import Calendar
from weyr.core.pools import NodeFacts, NodeState, NodeUse, PoolBody, PoolFacts
from weyr.core.ref import Ref
from weyr.core.seen import Absent, Present
from weyr.core.units import Money
from weyr.kinds.compute.pool.decide import PoolMemory, decide, node_body
from weyr.kinds.compute.pool.spec import PoolSpec

REF = Ref("box", "pool", "gpu")
NOW = 1_764_151_200.0
"""Wednesday, 2025-11-26, 10:00 UTC."""
SPEC = PoolSpec(cpu=8, memory=2**30, accelerators={"H100": 4}, max=4, idle_after=60.0, cool_down=10.0)


def node(state: NodeState = NodeState.READY, spec: PoolSpec = SPEC, released: bool = False) -> Thing:
    facts = Present(NodeFacts(state, NOW - 500), 1)
    return Thing("", Capability.NODES, 1, facts, node_body(REF, spec), is_accepted=True, is_released=released)


def view(
    facts: PoolFacts | None, nodes: Mapping[str, Thing] | None = None, memory: PoolMemory | None = None
) -> View[PoolMemory]:
    things = {name: replace(each, part=name) for name, each in (nodes or {}).items()}
    if facts is not None:
        policy = PoolBody(node_body(REF, SPEC), SPEC.max)
        things[""] = Thing("", Capability.POOLS, 1, Present(facts, 1), policy, is_accepted=True)
    return View(NOW, things, memory=memory or PoolMemory(len(things)))


def added(decision: Decision[PoolMemory], seen: View[PoolMemory]) -> list[str]:
    nodes = [a.part for a in decision.actions if isinstance(a, Ensure) and a.capability is Capability.NODES]
    return [part for part in nodes if part not in seen.things]


def removed(decision: Decision[PoolMemory]) -> list[str]:
    return [action.part for action in decision.actions if isinstance(action, Release)]


def look(seen: View[PoolMemory], spec: PoolSpec = SPEC) -> tuple[int, list[str]]:
    """How many it adds, and which it lets go."""
    decision = decide(Want(REF, spec, 1), seen)
    return len(added(decision, seen)), removed(decision)


def idle(part: str, for_s: float) -> NodeUse:
    return NodeUse(part, 0, NOW - for_s)


TWO = {"n1": node(), "n2": node()}
LOOKS: dict[str, tuple[View[PoolMemory], PoolSpec, tuple[int, list[str]]]] = {
    "what is lacking is added": (view(PoolFacts(lacking=3)), SPEC, (3, [])),
    "never more than the most": (view(PoolFacts(lacking=9), TWO), SPEC, (2, [])),
    "those that are starting are counted": (
        view(PoolFacts(lacking=2), {"n1": node(NodeState.STARTING)}), SPEC, (1, [])
    ),
    "who knows nothing of what waits changes nothing": (view(None), SPEC, (0, [])),
    "what it keeps is there without need": (view(PoolFacts()), SPEC.model_copy(update={"min": 2}), (2, [])),
    "one change after another": (view(PoolFacts(lacking=1), memory=PoolMemory(0, NOW - 5)), SPEC, (0, [])),
    "and then the next": (view(PoolFacts(lacking=1), memory=PoolMemory(0, NOW - 15)), SPEC, (1, [])),
    "a node that was idle for long goes": (
        view(PoolFacts(nodes=(idle("n1", 61), idle("n2", 30))), TWO), SPEC, (0, ["n1"])
    ),
    "but not below what it keeps": (
        view(PoolFacts(nodes=(idle("n1", 99), idle("n2", 99))), TWO), SPEC.model_copy(update={"min": 2}), (0, [])
    ),
    "never one that is used": (view(PoolFacts(nodes=(NodeUse("n1", 1), NodeUse("n2", 1))), TWO), SPEC, (0, [])),
    "what has notice is no longer counted on": (
        view(PoolFacts(lacking=1), {"n1": node(NodeState.DRAINING)}), SPEC, (1, [])
    ),
    "the budget per hour bounds it": (
        view(PoolFacts(lacking=4)),
        SPEC.model_copy(update={"price": Money(3_000_000), "budget": Money(7_000_000)}),
        (2, []),
    ),
    "closed at this hour: none, the idle ones at once": (
        view(PoolFacts(lacking=1, nodes=(idle("n1", 1), NodeUse("n2", 1))), TWO),
        SPEC.model_copy(update={"calendar": Calendar(open=("sat-sun 08:00-20:00",))}),
        (0, ["n1", "n2"]),
    ),
    "open at this hour": (
        view(PoolFacts(lacking=1)),
        SPEC.model_copy(update={"calendar": Calendar(open=("wed 11:00-12:00",), zone="Europe/Berlin")}),
        (1, []),
    ),
    "a stack that may not spend has no nodes": (
        replace(view(PoolFacts(lacking=1)), hold=Hold(REF, "spent")), SPEC, (0, [])
    ),
    "one that is gone by itself is forgotten": (
        view(PoolFacts(), {"n1": replace(node(), seen=Absent())}), SPEC, (0, ["n1"])
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKS)
def test_a_pool_has_as_many_nodes_as_it_should(name: str) -> None:
    """Neither a job that waits for a node that nobody asks for, nor a node that is paid for nothing."""
    seen, spec, expected = LOOKS[name]
    assert look(seen, spec) == expected


def test_an_idle_pool_does_not_flap() -> None:
    """A node that was just added is not taken away before it was idle for its time, and is not added twice."""
    seen = view(PoolFacts(nodes=(idle("n1", 5),)), {"n1": node()}, PoolMemory(1, NOW - 20))
    for _ in range(3):
        decision = decide(Want(REF, SPEC, 1), seen)
        assert (added(decision, seen), removed(decision)) == ([], [])


def test_every_node_has_a_name_of_its_own() -> None:
    """A name that comes again would find what the one before left behind."""
    seen = view(PoolFacts(lacking=2), {"n7": node()}, PoolMemory(7))
    assert added(decide(Want(REF, SPEC, 1), seen), seen) == ["n8", "n9"]


def test_a_pool_that_goes_lets_its_nodes_go_first() -> None:
    """Until then the scheduler has to know whose they are."""
    seen = view(PoolFacts(), TWO)
    gone: Want[PoolSpec] = Want(REF, None, 2)
    assert removed(decide(gone, seen)) == ["n1", "n2"]


@pytest.mark.parametrize("text", ["mon-fri", "mon-fri 20:00-08:00", "someday 08:00-09:00", "mon 25:00-26:00"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    """A pool that never opens would be found out on Monday."""
    with pytest.raises(ValueError, match=r"hours|days"):
        hours_of(text)


def test_hours_follow_the_clock_on_the_wall() -> None:
    """Summer time is Berlin's affair: eight in the morning is eight in the morning."""
    summer, winter = 1_752_217_200.0, 1_764_140_400.0  # 09:00 and 08:00 in Berlin, 07:00 UTC both
    assert is_open(["mon-sun 08:30-10:00"], "Europe/Berlin", summer)
    assert not is_open(["mon-sun 08:30-10:00"], "Europe/Berlin", winter)
