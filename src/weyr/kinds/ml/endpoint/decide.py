"""What should happen to an endpoint next? Pure.

The steps of a look, in order: drop the replicas that ended, count how many there should be,
start those that lack, let go of those that are too many or serve an older version, tell the
plane whom to send to, and stop a leaving replica once the plane has let go of it. So a version is replaced without a
failed request: the old replicas answer until all the new ones are ready.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import assert_never

from weyr.core.capability import Capability, RouteBody, TaskBody
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, Scalar, Thing, View, Want
from weyr.core.kind import Estimate
from weyr.core.schema import to_json
from weyr.core.seen import Absent, Present, RouteFacts, TaskFacts, TaskState, Unknown
from weyr.core.task_usage import task_meters, task_quantities
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.ml.endpoint.body import Target, replica_body
from weyr.kinds.ml.endpoint.memory import EndpointMemory, Replica
from weyr.kinds.ml.endpoint.scale import desired_replicas
from weyr.kinds.ml.endpoint.spec import EndpointSpec, Resources

ROUTE = "route"
BACKOFF_MAX_S = 60.0
CRASHES_BEFORE_FAILED = 3


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at an endpoint: what every step below needs."""

    want: Want[EndpointSpec]
    spec: EndpointSpec
    view: View[EndpointMemory]
    target: Target
    key: str

    def facts(self, replica: Replica) -> TaskFacts | None:
        match self.view.things.get(replica.part):
            case Thing(seen=Present(facts=TaskFacts() as facts)):
                return facts
            case _:
                return None

    def is_ready(self, replica: Replica) -> bool:
        facts = self.facts(replica)
        return facts is not None and facts.state is TaskState.RUNNING and facts.is_ready

    @property
    def route(self) -> RouteFacts | None:
        match self.view.things.get(ROUTE):
            case Thing(seen=Present(facts=RouteFacts() as facts)):
                return facts
            case _:
                return None


def decide(want: Want[EndpointSpec], view: View[EndpointMemory]) -> Decision[EndpointMemory]:
    """Keeps as many ready replicas as the load asks for behind the route, all of the wanted version."""
    if want.spec is None:
        return _remove(view)
    memory = view.memory or EndpointMemory()
    target = Target.of(want.ref, want.spec, view.needs)
    if target is None:
        text = f"waits for {want.spec.model}: no version has that alias yet"
        waiting = Condition(ConditionType.WAITING, True, "NoVersion", text)
        return Decision((), (waiting,), memory=memory, again_s=None)
    look = _Look(want, want.spec, view, target, _key(want.spec.resources, target))
    memory, ended = _drop_ended(look, memory)
    memory = _count(look, memory)
    memory = _start(look, memory)
    memory = _let_go(look, memory)
    memory = _reroute(look, memory)
    starts = tuple(_ensure_replica(look, replica) for replica in memory.replicas if not replica.is_leaving)
    stops = tuple(Release(part) for part in _stoppable(look, memory))
    conditions, notes = _conclude(look, memory)
    if conditions[0].type is ConditionType.READY and conditions[0].status and memory.served != look.key:
        notes = (*notes, Note("endpoint.serving", f"version {target.version} answers"))
        memory = replace(memory, served=look.key, serving_since=view.now, crashes=0)
    url = look.route.url if look.route else ""
    outputs: dict[str, Scalar] = {"url": url, "model": target.local_name, "version": target.version}
    is_moving = bool(starts or stops or look.route is None) and not _is_still(look, memory)
    return Decision(
        actions=(*starts, _ensure_route(look, memory), *stops),
        conditions=conditions,
        outputs=outputs,
        memory=memory,
        notes=(*ended, *notes),
        again_s=0.2 if is_moving else 1.0,
    )


def estimate(spec: EndpointSpec) -> tuple[Estimate, ...]:
    """The replicas kept at rest, all month; an endpoint that sleeps is assumed awake a tenth of it."""
    hours, note = MONTH_S / HOUR_S, f"{spec.scale.min} always on"
    count = spec.scale.min
    if count == 0:
        hours, note, count = hours / 10, "awake a tenth of the time", 1
    lines = task_quantities(spec.resources.cpu, spec.resources.memory, is_spot=False)
    return tuple(Estimate(sku, quantity * count, hours, note) for sku, quantity in lines)


def _key(resources: Resources, target: Target) -> str:
    text = f"{to_json(Resources, resources)} {target.version} {target.source}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _drop_ended(look: _Look, memory: EndpointMemory) -> tuple[EndpointMemory, tuple[Note, ...]]:
    kept: list[Replica] = []
    notes: list[Note] = []
    for replica in memory.replicas:
        thing = look.view.things.get(replica.part)
        facts = look.facts(replica)
        is_gone = thing is not None and thing.is_accepted and isinstance(thing.seen, Absent)
        has_ended = facts is not None and facts.state is TaskState.ENDED
        refusal = thing.refusal if thing else ""
        if not (is_gone or has_ended or refusal):
            kept.append(replica)
        elif not replica.is_leaving:
            end = facts.end if facts else None
            why = refusal or (f"{end.reason} {end.detail}".strip() if end else "it is gone")
            notes.append(Note("replica.ended", f"replica {replica.part} ended: {why}"))
            wait_s = min(2.0**memory.crashes, BACKOFF_MAX_S) if memory.crashes else 0.0
            memory = replace(
                memory, crashes=memory.crashes + 1, retry_at=look.view.now + wait_s, last_end=notes[-1].message
            )
    return replace(memory, replicas=tuple(kept)), tuple(notes)


def _count(look: _Look, memory: EndpointMemory) -> EndpointMemory:
    if look.view.hold:
        return replace(memory, desired=0)
    desired = desired_replicas(look.spec.scale, look.view.now, memory.desired, look.route, memory.serving_since)
    return replace(memory, desired=desired)


def _start(look: _Look, memory: EndpointMemory) -> EndpointMemory:
    current = [replica for replica in memory.replicas if replica.key == look.key and not replica.is_leaving]
    lacking = memory.desired - len(current)
    if lacking <= 0 or look.view.now < memory.retry_at:
        return memory
    first = memory.last_number + 1
    fresh = tuple(Replica(first + i, look.key, look.target.version) for i in range(lacking))
    return replace(memory, replicas=(*memory.replicas, *fresh), last_number=memory.last_number + lacking)


def _let_go(look: _Look, memory: EndpointMemory) -> EndpointMemory:
    """Older versions leave when every wanted replica of the new one is ready; then what is too many."""
    current = [replica for replica in memory.replicas if replica.key == look.key and not replica.is_leaving]
    ready = [replica for replica in current if look.is_ready(replica)]
    too_many = {
        replica.number for replica in sorted(current, key=look.is_ready)[: max(0, len(current) - memory.desired)]
    }
    is_replaced = len(ready) >= memory.desired

    def leaves(replica: Replica) -> bool:
        return replica.is_leaving or replica.number in too_many or (replica.key != look.key and is_replaced)

    return replace(memory, replicas=tuple(replace(r, is_leaving=leaves(r)) for r in memory.replicas))


def _reroute(look: _Look, memory: EndpointMemory) -> EndpointMemory:
    ready = [replica for replica in memory.replicas if look.is_ready(replica) and not replica.is_leaving]
    addresses = {replica: facts.address for replica in ready if (facts := look.facts(replica))}
    routed = tuple((replica.part, address) for replica, address in addresses.items())
    if routed == memory.routed and memory.route_generation:
        return memory
    return replace(memory, routed=routed, route_generation=memory.route_generation + 1)


def _stoppable(look: _Look, memory: EndpointMemory) -> tuple[str, ...]:
    """Things to stop: replicas that ended, and leaving ones that the plane has let go of."""
    known = {replica.part: replica for replica in memory.replicas}
    busy = dict(look.route.replicas) if look.route else {}
    has_applied = look.route is not None and look.route.generation >= _route_generation(look, memory)
    parts = [part for part, thing in look.view.things.items() if part != ROUTE and not isinstance(thing.seen, Absent)]
    return tuple(
        part
        for part in parts
        if part not in known or (known[part].is_leaving and has_applied and busy.get(part, 0) == 0)
    )


def _ensure_replica(look: _Look, replica: Replica) -> Ensure:
    thing = look.view.things.get(replica.part)
    old = thing.body if thing else None
    body = old if isinstance(old, TaskBody) else replica_body(look.want.ref, look.spec, look.target, look.want.folder)
    generation = thing.generation if thing else look.want.generation
    return Ensure(Capability.TASKS, replica.part, body, generation, task_meters(body))


def _ensure_route(look: _Look, memory: EndpointMemory) -> Ensure:
    route = f"{look.want.ref.stack}/{look.want.ref.name}"
    body = RouteBody(route, look.target.local_name, memory.routed, look.spec.hold)
    return Ensure(Capability.TRAFFIC, ROUTE, body, _route_generation(look, memory))


def _route_generation(look: _Look, memory: EndpointMemory) -> int:
    # Counts the spec's changes and the routing's; each only goes up, and so does their sum.
    return look.want.generation * 1_000_000 + memory.route_generation


def _conclude(look: _Look, memory: EndpointMemory) -> tuple[tuple[Condition, ...], tuple[Note, ...]]:
    ready = [r for r in memory.replicas if r.key == look.key and look.is_ready(r) and not r.is_leaving]
    version = f"version {look.target.version}"
    if look.view.hold:
        return (Condition(ConditionType.HELD, True, "BudgetSpent", look.view.hold.reason),), ()
    if memory.crashes >= CRASHES_BEFORE_FAILED and not ready:
        text = f"{memory.last_end}; tried {memory.crashes} times. See: weyr logs {look.want.ref}"
        return (Condition(ConditionType.FAILED, True, "ReplicaCrashes", text),), ()
    match look.view.things[ROUTE].seen if ROUTE in look.view.things else Absent():
        case Unknown(reason=reason) if look.view.things[ROUTE].is_accepted:
            return (Condition(ConditionType.READY, None, "EngineSilent", reason),), ()
        case Present() if memory.desired == 0 and look.route and look.route.url:
            return (Condition(ConditionType.READY, True, "Asleep", f"{version}, no replica until it is asked"),), ()
        case Present() if ready and len(ready) >= memory.desired and look.route and look.route.url:
            text = f"{version} on {len(ready)} replica{'s' if len(ready) > 1 else ''}"
            return (Condition(ConditionType.READY, True, "Serving", text),), ()
        case Present() | Absent() | Unknown():
            text = f"{version}: {len(ready)} of {memory.desired} replicas ready"
            return (Condition(ConditionType.READY, bool(memory.served and memory.routed), "Starting", text),), ()
        case other:
            assert_never(other)


def _is_still(look: _Look, memory: EndpointMemory) -> bool:
    """Whether nothing is on its way: every replica ready, none leaving, the plane up to date."""
    route = look.route
    return (
        all(look.is_ready(replica) and not replica.is_leaving for replica in memory.replicas)
        and len(memory.replicas) == memory.desired
        and route is not None
        and route.waiting == 0
    )


def _remove(view: View[EndpointMemory]) -> Decision[EndpointMemory]:
    """First the route, so that nobody is sent to a replica that stops; then the replicas."""
    live = [part for part, thing in view.things.items() if not isinstance(thing.seen, Absent)]
    if not live:
        return Decision(forget=True)
    parts = [ROUTE] if ROUTE in live else live
    text = "its route is being removed" if ROUTE in live else "its replicas are being stopped"
    removing = Condition(ConditionType.READY, False, "Removing", text)
    return Decision(tuple(Release(part) for part in parts), (removing,), memory=view.memory, again_s=0.2)
