"""What should happen to a service next? Pure.

The steps of a look: drop the replicas that ended, give up on those that are ill, start those that lack, let go of those
that are too many or of an older version, tell the plane whom to send to, and stop a leaving replica once the plane has
let go of it. How many may start and leave at once is the rollout's; a version that never gets ready takes nobody down.
"""

from dataclasses import dataclass, replace

from weyr.core import replica_set
from weyr.core.assumptions import HOURS_A_MONTH, Assumed, Assumption, Past, kept_at_rest, whole_parts
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
from weyr.core.demand import count_of, floor_of, quota_of, shortage, slots_of, start_learnt, starts_kept, starts_seen
from weyr.core.kind import Begins, Estimate
from weyr.core.removal import removed
from weyr.core.replica_set import Replica, ReplicaSet, Sight
from weyr.core.route_usage import egress_assumed, egress_estimate
from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.seen import EndReason, RouteFacts, TaskEnd
from weyr.core.task_usage import kept_counts, planned_quantities, replica_on, task_meters
from weyr.kinds.compute.service import closing
from weyr.kinds.compute.service.body import key_of, replica_body
from weyr.kinds.compute.service.conclude import ROUTE, closed_condition, conclude, route_of
from weyr.kinds.compute.service.demand import staying
from weyr.kinds.compute.service.memory import ServiceMemory
from weyr.kinds.compute.service.spec import ServiceSpec

PATIENCE_MIN_S = 10.0
"""A busy machine answers an engine's own question late for seconds on end; nobody may be replaced for that."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One look: what is wanted and seen, and how many replicas there should be."""

    want: Want[ServiceSpec]
    spec: ServiceSpec
    view: View[ServiceMemory]
    sight: Sight
    desired: int


def decide(want: Want[ServiceSpec], view: View[ServiceMemory]) -> Decision[ServiceMemory]:
    """Keeps so many well replicas of the wanted version, behind a route where it listens."""
    if want.spec is None:
        return _remove(view)
    memory = view.memory or ServiceMemory()
    if want.generation > memory.generation:
        # Somebody applied a plan: whatever crashed before is tried again now, and counted anew.
        fresh = replace(memory.held, crashes=0, retry_at=0.0, ended=0)
        memory = replace(memory, generation=want.generation, held=fresh)
    blocked = sorted(f"{ref} ({need.phase})" for ref, need in view.needs.items() if need.phase is not Phase.READY)
    if blocked and not memory.held.replicas:
        waiting = Condition(ConditionType.WAITING, True, "Needs", f"waits for {', '.join(blocked)}")
        return Decision((), (waiting,), memory=memory, again_s=5)
    sight = Sight(view.now, view.things, key_of(want.spec), view.begins)
    memory, turned = closing.noted(want.ref, want.spec, view, closing.woken(want.spec, view, memory))
    memory, scaled = _scaled(want, want.spec, view, memory, sight)
    look = _Look(want, want.spec, view, sight, _desired(want.spec, view, memory, sight.key))
    held, notes = _stepped(look, memory, is_blocked=bool(blocked))
    memory = replace(memory, held=held)
    if memory.is_closed and not view.hold:
        condition = closed_condition(want.ref, want.spec, view)
    else:
        short = _shortage(want, want.spec, view, look.desired)
        condition = conclude(want.spec, view, sight, held, look.desired, short)
    memory, serving = _noted_serving(look, memory, condition)
    route = route_of(view.things)
    memory = replace(memory, url=route.url if route and route.url else memory.url)
    stops = _stopped(look, held, route)
    is_still = (
        not stops
        and condition.reason in ("Serving", "Asleep", "Running", "Ended", "Closed", "TooLittleLeft")
        and not _is_rolling(look, held)
    )
    return Decision(
        actions=(*_ensured(look, held), *_ensured_route(look, held), *stops),
        conditions=(condition,),
        outputs=_outputs(look, memory),
        memory=memory,
        notes=(*turned, *scaled, *notes, *serving),
        again_s=min(1.0, want.spec.health.every) if is_still else 0.2,
    )


def assumes(spec: ServiceSpec, past: Past) -> tuple[Assumption, ...]:
    """The replicas kept at rest, while its calendar is open; one that may sleep is assumed awake a tenth of that. And
    what its answers take elsewhere, where it is asked."""
    egress = (egress_assumed(past),) if spec.listens else ()
    open_hours = spec.calendar.hours_per_month if spec.calendar else HOURS_A_MONTH
    if spec.scale is None:
        return (*kept_at_rest(spec.replicas, spec.replicas, past, open_hours), *egress)
    return (*kept_at_rest(spec.scale.min, spec.scale.max, past, open_hours), *egress)


def estimate(spec: ServiceSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    steady = spec.scale.steady if spec.scale else None
    replicas = (
        Estimate(sku, quantity * count, assumed["hours"] * part, f"{count} on spot" if is_spot else "")
        for kept, part in whole_parts(assumed["replicas"])
        for count, is_spot in kept_counts(kept, steady)
        for sku, quantity in planned_quantities(spec, is_spot)
    )
    return (*replicas, *(egress_estimate(assumed) if spec.listens else ()))


def begins(spec: ServiceSpec) -> Begins | None:
    """One of the replicas that are always kept."""
    is_kept = spec.calendar is None and (spec.scale.min if spec.scale else spec.replicas)
    return Begins(planned_quantities(spec)) if is_kept else None


def on_markets(spec: ServiceSpec) -> dict[str, ServiceSpec]:
    """The same one with and without spot; one that does not scale is always on demand."""
    scale = spec.scale
    if scale is None:
        return {"on demand": spec}
    scales = {word: scale.model_copy(update={"spot": word == "spot"}) for word in ("spot", "on demand")}
    return {word: spec.model_copy(update={"scale": other}) for word, other in scales.items()}


def _scaled(
    want: Want[ServiceSpec], spec: ServiceSpec, view: View[ServiceMemory], memory: ServiceMemory, sight: Sight
) -> tuple[ServiceMemory, tuple[Note, ...]]:
    """How many replicas scheduling advises, and what a start takes; told once for each change, with its reason."""
    if spec.scale is None:
        return replace(memory, desired=allowed(view.hold, spec.replicas, memory.desired, spec.replicas)), ()
    quota = quota_of(spec.queue, want.ref.stack, view.needs)
    desired = count_of(spec.scale, quota, view.advice, memory.desired, view.now)
    if view.hold and not view.hold.lets_go:
        # One that lets go of all leaves what was desired alone: it is there again when the hold ends.
        desired = allowed(view.hold, desired, memory.desired, floor_of(spec.scale, view.now))
    if seen := starts_seen(staying(sight, memory.held), view.now):
        start_s, starts = start_learnt(memory.start_s, seen), starts_kept(memory.starts, seen)
        memory = replace(memory, start_s=start_s, starts=starts)
    is_told = view.advice is not None and desired != memory.desired and not view.hold and not memory.is_closed
    why = view.advice.why if view.advice else ""
    notes = (Note("service.scaled", f"{desired} replicas instead of {memory.desired}: {why}"),) if is_told else ()
    return replace(memory, desired=desired), notes


def _shortage(want: Want[ServiceSpec], spec: ServiceSpec, view: View[ServiceMemory], desired: int) -> str:
    """What its queue keeps it from having."""
    if spec.scale is None:
        return ""
    route = route_of(view.things)
    quota = quota_of(spec.queue, want.ref.stack, view.needs)
    return shortage(spec.scale, quota, desired, route.waiting if route else 0, view.now)


def _desired(spec: ServiceSpec, view: View[ServiceMemory], memory: ServiceMemory, key: str) -> int:
    """How many there should be: none while it may not spend or its calendar is closed, and none instead of those
    that ended for good."""
    if (view.hold and view.hold.lets_go) or memory.is_closed:
        return 0
    if spec.scale is not None:
        return memory.desired
    return max(0, memory.desired - (memory.held.ended if memory.held.ended_key == key else 0))


def _stepped(look: _Look, memory: ServiceMemory, is_blocked: bool) -> tuple[ReplicaSet, tuple[Note, ...]]:
    spec, sight = look.spec, look.sight
    held, ended = replica_set.drop_ended(sight, memory.held, lambda end: _restarts(spec, end))
    desired = _desired(spec, look.view, replace(memory, held=held), sight.key)
    patience_s = max(spec.health.every * spec.health.failures, PATIENCE_MIN_S)
    held, ill = replica_set.give_up_on(sight, held, patience_s, spec.health.ready_within)
    steady = spec.scale.steady if spec.scale else None
    if not is_blocked:
        held = replica_set.start(sight, held, desired, spec.rollout.max_surge, steady)
    held = replica_set.let_go(sight, held, desired, spec.rollout.max_unavailable, steady)
    return replica_set.reroute(sight, held, lambda facts: f"127.0.0.1:{facts.ports[0]}" if facts.ports else ""), (
        *ended,
        *ill,
    )


def _restarts(spec: ServiceSpec, end: TaskEnd | None) -> bool:
    """Whether an ended replica is replaced. What was interrupted from outside always is: it did not end by itself."""
    reason = end.reason if end else EndReason.LOST
    match reason:
        case EndReason.SUCCEEDED:
            return spec.restart == "always"
        case EndReason.FAILED | EndReason.OUT_OF_MEMORY | EndReason.TIMED_OUT:
            return spec.restart != "never"
        case _:
            return True


def _ensured(look: _Look, held: ReplicaSet) -> tuple[Ensure, ...]:
    """The replicas that should stand. Each stays as it was started: a task is never changed under way."""
    return tuple(_ensure(look, replica) for replica in held.replicas if not replica.is_leaving)


def _ensure(look: _Look, replica: Replica) -> Ensure:
    thing = look.view.things.get(replica.part)
    old = thing.body if thing else None
    if isinstance(old, TaskBody):
        body = old
    else:
        body = replica_body(look.want.ref, look.spec, look.view.needs, look.want.folder)
        body = replica_on(body, replica.is_spot, look.spec.scale is not None and look.spec.scale.spot)
    generation = thing.generation if thing else look.want.generation
    return Ensure(Capability.TASKS, replica.part, body, generation, task_meters(body))


def _ensured_route(look: _Look, held: ReplicaSet) -> tuple[Ensure, ...]:
    """The route as a thing. A refused one is asked for again: its name may have become free."""
    if not look.spec.listens:
        return ()
    thing = look.view.things.get(ROUTE)
    name = f"{look.want.ref.stack}/{look.want.ref.name}"
    slots = slots_of(look.spec.scale) if look.spec.scale else 0
    body = RouteBody(name, (RouteVersion(replicas=held.routed),), look.spec.hold, slots=slots)
    generation = _route_generation(look, held)
    return (Ensure(Capability.TRAFFIC, ROUTE, body, generation, again=bool(thing and thing.refusal)),)


def _route_generation(look: _Look, held: ReplicaSet) -> int:
    # Counts the spec's changes and the routing's; each only goes up, and so does their sum.
    return look.want.generation * 1_000_000 + held.route_generation


def _stopped(look: _Look, held: ReplicaSet, route: RouteFacts | None) -> tuple[Release, ...]:
    """Replicas that are over, leaving ones that the plane has let go of, and the route of what listens no more."""
    busy: dict[str, int] | None = {}
    if look.spec.listens:
        has_applied = route is not None and route.generation >= _route_generation(look, held)
        busy = dict(route.replicas) if route is not None and has_applied else None
    known = {replica.part: replica for replica in held.replicas}
    grace_s = look.spec.grace
    parts = [
        part
        for part in look.view.things
        if part != ROUTE and (part not in known or replica_set.may_stop(look.sight, known[part], busy, grace_s))
    ]
    if ROUTE in look.view.things and not look.spec.listens:
        parts.append(ROUTE)
    return tuple(Release(part) for part in parts)


def _is_rolling(look: _Look, held: ReplicaSet) -> bool:
    return any(not look.sight.is_current(replica) for replica in held.replicas)


def _noted_serving(look: _Look, memory: ServiceMemory, condition: Condition) -> tuple[ServiceMemory, tuple[Note, ...]]:
    """Told once for each version, when all of it answers for the first time."""
    is_serving = condition.type is ConditionType.READY and condition.status and not _is_rolling(look, memory.held)
    if not is_serving or memory.served == look.sight.key:
        return memory, ()
    memory = replace(memory, served=look.sight.key, held=replace(memory.held, crashes=0))
    return memory, (Note("service.serving", condition.message),)


def _outputs(look: _Look, memory: ServiceMemory) -> dict[str, Scalar]:
    addresses = ",".join(address for _, address in memory.held.routed if address)
    return {"url": memory.url if look.spec.listens else "", "addresses": addresses}


def _remove(view: View[ServiceMemory]) -> Decision[ServiceMemory]:
    memory = view.memory or ServiceMemory()
    texts = ("its route is being removed", "its replicas are being stopped")
    return removed(view, memory.removing_since, lambda since: replace(memory, removing_since=since), {ROUTE}, texts)
