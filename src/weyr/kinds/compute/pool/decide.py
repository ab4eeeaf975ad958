"""What should happen to a pool next? As many nodes as what waits would fill, within its bounds. Pure.

A node goes only when nothing has run on it for a while, or when the pool is to have fewer: then it takes nothing new,
and goes when what is on it has ended. One that is gone by itself is followed by another if it is still needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from weyr.core.capability import Capability
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, Thing, View, Want, allowed
from weyr.core.engine import LOCAL
from weyr.core.moment import is_awaited
from weyr.core.pools import NodeBody, NodeFacts, NodeState, PoolBody, PoolFacts
from weyr.core.ref import Ref
from weyr.core.seen import Present
from weyr.kinds.compute.pool.seen_nodes import follow
from weyr.kinds.compute.pool.spec import PoolSpec
from weyr.kinds.compute.pool.usage import node_meters

LOOK_S = 15.0
STARTING_LOOK_S = 1.0
POLICY = ""
"""The part under which the scheduler hears of the pool; its nodes are `n1`, `n2`, ..."""


@dataclass(frozen=True, slots=True)
class PoolMemory:
    """How many nodes it ever had, by which they are named, and when their number last changed by need."""

    named: int = 0
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _State:
    """A pool's nodes as they are. `usable`: there or coming, and not told to go."""

    nodes: Mapping[str, Thing]
    facts: PoolFacts | None
    usable: tuple[str, ...]
    starting: int


def decide(want: Want[PoolSpec], view: View[PoolMemory]) -> Decision[PoolMemory]:
    """Adds what is lacking, removes what is idle, and follows what is seen of each node."""
    memory = view.memory or PoolMemory()
    if want.spec is None:
        return _remove(view, memory)
    spec, state = want.spec, _state(view.things)
    ceiling = _ceiling(spec, view)
    body = node_body(want.ref, spec)
    if body.engine:
        return replace(follow(body, view), memory=memory)
    policy = Ensure(
        Capability.POOLS, POLICY, PoolBody(body, ceiling), generation=_policy_generation(view, ceiling, body)
    )
    gone = [part for part, thing in state.nodes.items() if thing.is_gone or _is_refused(thing)]
    leaving = [] if state.facts is None else list(_leaving(spec, view, state, ceiling))
    more = 0 if state.facts is None else _more(spec, view, state, ceiling, memory)
    more = more if view.begins is None else min(more, view.begins)
    names = [f"n{memory.named + number}" for number in range(1, more + 1)]
    if more or leaving:
        memory = replace(memory, named=memory.named + more, changed_at=view.now)
    notes = [Note("pool.grows", f"{len(names)} more: {', '.join(names)}")] if names else []
    notes += [Note("pool.shrinks", f"{', '.join(leaving)} go")] if leaving else []
    still = [part for part, thing in state.nodes.items() if thing.is_released]
    return Decision(
        (
            policy,
            *(Ensure(Capability.NODES, name, body, 1, node_meters(body)) for name in names),
            *(_same(thing) for part, thing in state.nodes.items() if part in state.usable and part not in leaving),
            *(Release(part) for part in dict.fromkeys([*gone, *leaving, *still])),
        ),
        (_condition(spec, state, ceiling, view),),
        {"nodes": len(state.usable) - state.starting, "max": spec.max},
        memory,
        notes=tuple(notes),
        again_s=STARTING_LOOK_S if names or state.starting or state.facts is None or still else LOOK_S,
    )


def reborn(memory: PoolMemory) -> PoolMemory:
    """Made anew, it goes on with the numbers: a node's name is used once."""
    return PoolMemory(memory.named)


def node_body(ref: Ref, spec: PoolSpec) -> NodeBody:
    """A node as an engine is to make it."""
    ((model, devices),) = spec.accelerators.items() or (("", 0),)
    return NodeBody(
        ref.absolute,
        spec.cpu or 0.0,
        spec.memory or 0,
        model,
        devices,
        spec.accelerator_memory or 0,
        tuple(sorted(spec.mig.items())),
        spec.detect,
        tuple(sorted(spec.labels.items())),
        spec.taints,
        spec.market,
        spec.price.micros if spec.price else None,
        "" if spec.on == LOCAL else spec.on,
    )


def declared(ref: Ref, spec: PoolSpec) -> PoolBody:
    """The pool at its largest."""
    return PoolBody(node_body(ref, spec), _most(spec))


def _ceiling(spec: PoolSpec, view: View[PoolMemory]) -> int:
    """The most nodes at this moment: none while the calendar is closed or the pool may not spend."""
    if spec.calendar and not spec.calendar.is_open(view.now):
        return 0
    there = sum(thing.capability is Capability.NODES and _is_usable(thing) for thing in view.things.values())
    return allowed(view.hold, _most(spec), there, spec.min)


def _most(spec: PoolSpec) -> int:
    """The most nodes at any time, as far as its budget goes."""
    if spec.budget is not None and spec.price is not None and spec.price.micros:
        return min(spec.max, spec.budget.micros // spec.price.micros)
    return spec.max


def _state(things: Mapping[str, Thing]) -> _State:
    nodes = {part: thing for part, thing in things.items() if thing.capability is Capability.NODES}
    usable = [part for part, thing in nodes.items() if _is_usable(thing)]
    starting = sum(not _is_ready(nodes[part]) for part in usable)
    match things.get(POLICY):
        case Thing(seen=Present(facts=PoolFacts() as facts)):
            return _State(nodes, facts, tuple(usable), starting)
        case _:
            return _State(nodes, None, tuple(usable), starting)


def _more(spec: PoolSpec, view: View[PoolMemory], state: _State, ceiling: int, memory: PoolMemory) -> int:
    """How many to add. What it is to keep is added at once, what is lacking one cool-down after another."""
    assert state.facts is not None, "who knows nothing of a pool adds nothing to it"
    room = max(ceiling - len(state.nodes), 0)
    kept = min(spec.min, ceiling) - len(state.usable)
    lacking = state.facts.lacking - state.starting
    if is_awaited(memory.changed_at + spec.cool_down, view.now, spec.cool_down):
        lacking = 0
    return max(min(max(kept, lacking), room), 0)


def _leaving(spec: PoolSpec, view: View[PoolMemory], state: _State, ceiling: int) -> Iterator[str]:
    """Those that are too many, the idle ones first, and those that have been idle for long enough."""
    assert state.facts is not None, "who knows nothing of a pool takes nothing from it"
    idle_since = {use.node: use.idle_since for use in state.facts.nodes if use.idle_since is not None}
    floor, count = min(spec.min, ceiling), len(state.usable)
    idle_first = sorted(state.usable, key=lambda part: (part not in idle_since, idle_since.get(part, 0.0), part))
    for part in idle_first:
        is_long_idle = part in idle_since and view.now - idle_since[part] >= spec.idle_after
        is_needed = state.facts.lacking > 0 and not _is_ready(state.nodes[part])
        if count > ceiling or (count > floor and is_long_idle and not is_needed):
            count -= 1
            yield part


def _is_usable(thing: Thing) -> bool:
    match thing.seen:
        case Present(facts=NodeFacts(state=NodeState.DRAINING)):
            return False
        case _:
            return not (thing.is_released or thing.is_gone or _is_refused(thing))


def _is_ready(thing: Thing) -> bool:
    match thing.seen:
        case Present(facts=NodeFacts(state=NodeState.READY)):
            return True
        case _:
            return False


def _is_refused(thing: Thing) -> bool:
    return bool(thing.refusal) and not thing.is_released


def _same(thing: Thing) -> Ensure:
    assert isinstance(thing.body, NodeBody), f"{thing.part} is no node"
    return Ensure(Capability.NODES, thing.part, thing.body, thing.generation, node_meters(thing.body))


def _policy_generation(view: View[PoolMemory], ceiling: int, body: NodeBody) -> int:
    """One more whenever the scheduler has to hear something else."""
    thing = view.things.get(POLICY)
    if thing is None:
        return 1
    return thing.generation + (thing.body != PoolBody(body, ceiling))


def _condition(spec: PoolSpec, state: _State, ceiling: int, view: View[PoolMemory]) -> Condition:
    refused = next((thing.refusal for thing in state.nodes.values() if _is_refused(thing)), "")
    if refused:
        return Condition(ConditionType.READY, False, "Refused", refused)
    ready, bound = len(state.usable) - state.starting, f"of at most {spec.max} nodes"
    text = f"{ready} {bound}" + (f", {state.starting} starting" if state.starting else "")
    if ceiling == 0:
        why = view.hold.reason if view.hold else "it is closed at this hour"
        return Condition(ConditionType.READY, True, "Closed", f"{text}; {why}")
    return Condition(ConditionType.READY, True, "Open", f"{text}; no more: {view.short.reason}" if view.short else text)


def _remove(view: View[PoolMemory], memory: PoolMemory) -> Decision[PoolMemory]:
    if all(thing.is_gone for thing in view.things.values()):
        return Decision(forget=True)
    nodes = [part for part, thing in view.things.items() if thing.capability is Capability.NODES]
    # The nodes first: until they are gone the scheduler has to know whose they are.
    parts = nodes or list(view.things)
    closing = Condition(ConditionType.READY, False, "Removing", f"{len(nodes)} nodes go when nothing is on them")
    return Decision(tuple(Release(part) for part in parts), (closing,), memory=memory, again_s=0.5)
