"""What should happen to a pool of nodes that are there without us? Those that its cluster has are taken into it. Pure.

Nothing is made and nothing ends here: a node that the cluster has no more, or that the pool does not want any more,
is let go once nothing of ours is on it. One that the cluster cannot reach stays, and takes nothing new.
"""

from typing import TypeVar

from weyr.core.capability import Capability
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, Scalar, Thing, View
from weyr.core.pools import NodeBody, NodeFacts, NodeState, PoolBody, PoolFacts
from weyr.core.seen import Present, Unknown
from weyr.kinds.compute.pool.usage import node_meters

M = TypeVar("M")

LOOK_S = 15.0
SETTLING_LOOK_S = 1.0
POLICY = ""


def follow(body: NodeBody, view: View[M]) -> Decision[M]:
    """Takes what its nodes are to be, and what is seen of them."""
    nodes = {part: thing for part, thing in view.things.items() if thing.capability is Capability.NODES}
    policy = view.things.get(POLICY)
    facts = _facts(policy)
    wanted = PoolBody(body)
    generation = 1 if policy is None else policy.generation + (policy.body != wanted)
    offered = None if facts is None else () if view.hold and view.hold.lets_go else facts.offered
    fresh = [name for name in offered or () if name not in nodes][: view.begins]
    gone = [part for part, thing in nodes.items() if thing.is_gone or (thing.refusal and not thing.is_released)]
    leaving = [part for part in nodes if _is_unwanted(nodes[part], part, offered)]
    still = [part for part, thing in nodes.items() if thing.is_released]
    going = list(dict.fromkeys([*gone, *leaving, *still]))
    notes = [Note("node.gone", f"{part} is gone") for part in gone if not nodes[part].is_released]
    return Decision(
        (
            Ensure(Capability.POOLS, POLICY, wanted, generation),
            *(Ensure(Capability.NODES, name, body, 1, node_meters(body)) for name in fresh),
            *(_same(thing) for part, thing in nodes.items() if part not in going),
            *(Release(part) for part in going),
        ),
        (_condition(nodes, facts),),
        _outputs(nodes),
        notes=tuple(notes),
        again_s=SETTLING_LOOK_S if fresh or going or _is_settling(nodes, facts) else LOOK_S,
    )


def _facts(policy: Thing | None) -> PoolFacts | None:
    match policy:
        case Thing(seen=Present(facts=PoolFacts() as facts)):
            return facts
        case _:
            return None


def _is_unwanted(thing: Thing, part: str, offered: tuple[str, ...] | None) -> bool:
    """Whether the cluster has it and this pool does not want it. What cannot be reached is offered all the same."""
    return offered is not None and part not in offered and not thing.is_released and isinstance(thing.seen, Present)


def _same(thing: Thing) -> Ensure:
    assert isinstance(thing.body, NodeBody), f"{thing.part} is no node"
    return Ensure(Capability.NODES, thing.part, thing.body, thing.generation, node_meters(thing.body))


def _is_settling(nodes: dict[str, Thing], facts: PoolFacts | None) -> bool:
    """Whether more is soon known: which nodes there are, whether one is ours, or what is left of one that takes tasks
    (a scheduler that has just begun knows of none yet)."""
    if facts is None or facts.offered is None:
        return True
    known = {use.node for use in facts.nodes if use.free}
    ready = {part for part, thing in nodes.items() if _state(thing) is NodeState.READY}
    return not ready <= known or any(not thing.is_accepted for thing in nodes.values())


def _condition(nodes: dict[str, Thing], facts: PoolFacts | None) -> Condition:
    if facts is not None and facts.offered is None and facts.trouble:
        return Condition(ConditionType.READY, None, "EngineSilent", facts.trouble)
    ready = sum(_state(thing) is NodeState.READY for thing in nodes.values())
    closed = sum(_state(thing) is NodeState.DRAINING for thing in nodes.values())
    lost = sum(isinstance(thing.seen, Unknown) and thing.is_accepted for thing in nodes.values())
    text = f"{ready} of {len(nodes)} nodes take tasks"
    text += f", {closed} drained or down" if closed else ""
    text += f", {lost} out of reach" if lost else ""
    if nodes or facts is None or facts.offered is None:
        return Condition(ConditionType.READY, facts is not None and facts.offered is not None, "Open", text)
    return Condition(ConditionType.READY, False, "NoNodes", "the cluster has no node for it")


def _outputs(nodes: dict[str, Thing]) -> dict[str, Scalar]:
    return {"nodes": sum(_state(thing) is NodeState.READY for thing in nodes.values()), "seen": len(nodes)}


def _state(thing: Thing) -> NodeState | None:
    match thing.seen:
        case Present(facts=NodeFacts(state=state)):
            return state
        case _:
            return None
