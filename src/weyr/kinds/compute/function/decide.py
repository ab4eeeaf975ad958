"""What should happen to a function next? Pure.

Its host is a task that stands while there is something to do, or while instances are to be kept warm; the functions
plane makes instances of it. A function without a host is asleep: the plane holds callers, keeps events, and rings.
"""

from dataclasses import dataclass, replace

from weyr.core import replica_set
from weyr.core.assumptions import HOURS_A_MONTH, SLEEPS, Assumed, Assumption, Past, awake_hours
from weyr.core.capability import Capability, TaskBody
from weyr.core.decision import (
    Condition,
    ConditionType,
    Decision,
    Ensure,
    Note,
    Phase,
    Release,
    Scalar,
    View,
    Want,
    allowed,
)
from weyr.core.demand import start_learnt, starts_kept, starts_seen
from weyr.core.kind import Estimate
from weyr.core.moment import is_awaited
from weyr.core.removal import removed
from weyr.core.replica_set import Replica, ReplicaSet, Sight
from weyr.core.route_usage import egress_assumed, egress_estimate
from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.seen import FunctionFacts, TaskState
from weyr.core.task_usage import planned_quantities, task_meters
from weyr.kinds.compute.function.body import function_body, host_body, key_of
from weyr.kinds.compute.function.conclude import DOOR, PLANE, conclude, facts_of, route_of
from weyr.kinds.compute.function.memory import FunctionMemory
from weyr.kinds.compute.function.spec import FunctionSpec

READY_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class _Look:
    want: Want[FunctionSpec]
    spec: FunctionSpec
    view: View[FunctionMemory]
    sight: Sight
    plane: FunctionFacts | None


def decide(want: Want[FunctionSpec], view: View[FunctionMemory]) -> Decision[FunctionMemory]:
    """Keeps the function known to the planes, and a host for it while there is something to do."""
    if want.spec is None:
        return _remove(view)
    memory = view.memory or FunctionMemory()
    if want.generation > memory.generation:
        fresh = replace(memory.held, crashes=0, retry_at=0.0)
        memory = replace(memory, generation=want.generation, held=fresh, used_at=view.now)
    # Whom letters go to has not to be there before: nothing is lost that waits for it.
    needs = {ref: need.phase for ref, need in view.needs.items() if ref.kind != "function"}
    blocked = sorted(f"{ref} ({phase})" for ref, phase in needs.items() if phase is not Phase.READY)
    if blocked and PLANE not in view.things:
        waiting = Condition(ConditionType.WAITING, True, "Needs", f"waits for {', '.join(blocked)}")
        return Decision((), (waiting,), memory=memory, again_s=5)
    look = _Look(
        want, want.spec, view, Sight(view.now, view.things, key_of(want.spec), view.begins), facts_of(view.things)
    )
    memory = _noted_start(look, _noted_use(look, memory))
    desired = _desired(look, memory)
    held, notes = _stepped(look, memory.held, desired)
    memory = _told(look, replace(memory, held=held))
    condition = conclude(view, look.sight, memory, desired)
    stops = _stopped(look, memory)
    is_still = condition.reason in ("Asleep", "Awake") and not stops
    return Decision(
        actions=(*_ensured(look, held), _function(look, memory), *_door(look, memory), *stops),
        conditions=(condition,),
        outputs=_outputs(look, memory),
        memory=memory,
        notes=notes,
        again_s=_again_s(look, memory, desired) if is_still else 0.1,
    )


def assumes(spec: FunctionSpec, past: Past) -> tuple[Assumption, ...]:
    """A function that keeps instances warm stands all month; one that sleeps is assumed awake a tenth of it. And what
    its answers take elsewhere."""
    return awake_hours(HOURS_A_MONTH if spec.scale.warm else HOURS_A_MONTH / SLEEPS, past), egress_assumed(past)


def estimate(spec: FunctionSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    host = (Estimate(sku, quantity, assumed["hours"]) for sku, quantity in planned_quantities(spec))
    return (*host, *egress_estimate(assumed))


def _noted_use(look: _Look, memory: FunctionMemory) -> FunctionMemory:
    plane = look.plane
    if plane is None:
        return memory
    is_busy = bool(plane.waiting or plane.pending or any(count for _, count in plane.hosts))
    used_at = look.view.now if is_busy else max(memory.used_at, min(plane.last_used_at or 0.0, look.view.now))
    url = route.url if (route := route_of(look.view.things)) and route.url else memory.url
    # To the second: what is written at every look is written for nothing.
    return replace(memory, used_at=float(round(used_at)), url=url)


def _noted_start(look: _Look, memory: FunctionMemory) -> FunctionMemory:
    staying = [(look.sight, replica) for replica in memory.held.replicas if not replica.is_leaving]
    if not (seen := starts_seen(staying, look.view.now)):
        return memory
    return replace(memory, start_s=start_learnt(memory.start_s, seen), starts=starts_kept(memory.starts, seen))


def _desired(look: _Look, memory: FunctionMemory) -> int:
    """One host while it is wanted; without news of the plane what stands stays."""
    spec = look.spec
    stands = any(not replica.is_leaving for replica in memory.held.replicas)
    return allowed(look.view.hold, _asked(look, memory, stands), int(stands), min(1, spec.scale.warm))


def _asked(look: _Look, memory: FunctionMemory, stands: bool) -> int:
    spec, now = look.spec, look.view.now
    if spec.scale.warm:
        return 1
    if look.plane is None:
        return min(1, len(memory.held.replicas))
    if look.plane.waiting or look.plane.pending or any(count for _, count in look.plane.hosts):
        return 1
    return int(stands and is_awaited(memory.used_at + spec.scale.idle_after, now, spec.scale.idle_after + 1))


def _stepped(look: _Look, held: ReplicaSet, desired: int) -> tuple[ReplicaSet, tuple[Note, ...]]:
    sight = look.sight
    held, ended = replica_set.drop_ended(sight, held)
    held, ill = replica_set.give_up_on(sight, held, READY_WITHIN_S, READY_WITHIN_S)
    held = replica_set.start(sight, held, desired, surge=1)
    return replica_set.let_go(sight, held, desired, unavailable=0), (*ended, *ill)


def _told(look: _Look, memory: FunctionMemory) -> FunctionMemory:
    """What the planes should know, under a new number where it differs from what they were told.

    A host is named before it begins, without an address: an engine that knows where it will listen tells the plane, and
    that tries until it does. Nobody has to wait for another look.
    """
    hosts = tuple(
        (replica.part, address)
        for replica in reversed(memory.held.replicas)
        if not replica.is_leaving and (address := _address(look, replica, memory)) is not None
    )
    if hosts != memory.told or not memory.told_number:
        memory = replace(memory, told=hosts, told_number=memory.told_number + 1)
    door = look.plane.address if look.plane and look.plane.address else memory.door
    if door != memory.door:
        memory = replace(memory, door=door, door_number=memory.door_number + 1)
    return memory


def _address(look: _Look, replica: Replica, memory: FunctionMemory) -> str | None:
    """Where it listens, "" while nobody has said so, None once it is over."""
    facts = look.sight.facts(replica)
    if facts is not None:
        return facts.address if facts.state is not TaskState.ENDED else None
    return dict(memory.told).get(replica.part, "")


def _ensured(look: _Look, held: ReplicaSet) -> tuple[Ensure, ...]:
    return tuple(_ensure(look, replica) for replica in held.replicas if not replica.is_leaving)


def _ensure(look: _Look, replica: Replica) -> Ensure:
    thing = look.view.things.get(replica.part)
    if thing and isinstance(thing.body, TaskBody):
        body = thing.body
    else:
        body = host_body(look.want.ref, look.spec, look.view.needs, look.want.folder)
    generation = thing.generation if thing else look.want.generation
    return Ensure(Capability.TASKS, replica.part, body, generation, task_meters(body))


def _function(look: _Look, memory: FunctionMemory) -> Ensure:
    body = function_body(look.want.ref, look.spec, look.view.needs, memory.told)
    thing = look.view.things.get(PLANE)
    generation = look.want.generation * 1_000_000 + memory.told_number
    return Ensure(Capability.FUNCTIONS, PLANE, body, generation, again=bool(thing and thing.refusal))


def _door(look: _Look, memory: FunctionMemory) -> tuple[Ensure, ...]:
    """The inference plane sends callers to the function's own door in the functions plane, which is always there."""
    if not memory.door:
        return ()
    name, thing = f"{look.want.ref.stack}/{look.want.ref.name}", look.view.things.get(DOOR)
    version = RouteVersion(replicas=(("functions", memory.door),))
    body = RouteBody(name, (version,), look.spec.hold)
    generation = look.want.generation * 1_000_000 + memory.door_number
    return (Ensure(Capability.TRAFFIC, DOOR, body, generation, again=bool(thing and thing.refusal)),)


def _stopped(look: _Look, memory: FunctionMemory) -> tuple[Release, ...]:
    """Hosts that are over, and leaving ones that the plane has let go of."""
    number = look.want.generation * 1_000_000 + memory.told_number
    busy = dict(look.plane.hosts) if look.plane and look.plane.generation >= number else None
    known = {replica.part: replica for replica in memory.held.replicas}
    grace_s = look.spec.time_limit + look.spec.grace
    parts = [
        part
        for part in look.view.things
        if part not in (PLANE, DOOR)
        and (part not in known or replica_set.may_stop(look.sight, known[part], busy, grace_s))
    ]
    return tuple(Release(part) for part in parts)


def _again_s(look: _Look, memory: FunctionMemory, desired: int) -> float | None:
    """An awake function is looked at when it may fall asleep; one that sleeps is woken by the plane."""
    if not desired and not memory.held.replicas:
        return None
    idle_s = memory.used_at + look.spec.scale.idle_after - look.view.now
    return min(max(idle_s, 0.5), 5.0)


def _outputs(look: _Look, memory: FunctionMemory) -> dict[str, Scalar]:
    plane = look.plane or FunctionFacts()
    return {
        "url": memory.url,
        "instances": plane.instances,
        "invocations": plane.invocations,
        "errors": plane.errors,
        "cold_starts": plane.cold_starts,
        "warm_p50_ms": plane.p50_ms,
        "warm_p99_ms": plane.p99_ms,
        "cold_p50_ms": plane.cold_p50_ms,
        "queued": plane.queued,
        "dead": plane.dead,
    }


def _remove(view: View[FunctionMemory]) -> Decision[FunctionMemory]:
    memory = view.memory or FunctionMemory()
    texts = ("its address and triggers are being removed", "its host is being stopped")
    return removed(
        view, memory.removing_since, lambda since: replace(memory, removing_since=since), {PLANE, DOOR}, texts
    )
