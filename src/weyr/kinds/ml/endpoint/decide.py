"""What should happen to an endpoint next? Pure.

The steps of a look, in order: count how many replicas there should be, drop those that ended, start those that lack,
let go of those that are too many or of an older revision, tell the plane whom to send to, and stop a leaving replica
once the plane has let go of it. So a version is replaced without a failed request: the old replicas answer until new
ones are ready.
"""

from dataclasses import replace

from weyr.core.decision import Condition, ConditionType, Decision, Note, Scalar, View, Want
from weyr.core.demand import calendar_begins_s, quota_of
from weyr.core.removal import removed
from weyr.core.unchanged import changed
from weyr.kinds.ml.endpoint import progress, routing, sides, sizes
from weyr.kinds.ml.endpoint.conclude import answering, conclude, is_short
from weyr.kinds.ml.endpoint.look import ROUTE, Look
from weyr.kinds.ml.endpoint.memory import MAIN, NEXT, SHADOW, EndpointMemory, Side
from weyr.kinds.ml.endpoint.runs import first_path
from weyr.kinds.ml.endpoint.spec import EndpointSpec
from weyr.kinds.ml.endpoint.wanted import looked

ASLEEP_LOOK_S = 300.0
"""The safety net under what is pushed: nobody waits for this look."""


def decide(want: Want[EndpointSpec], view: View[EndpointMemory]) -> Decision[EndpointMemory]:
    """Keeps as many ready replicas as the load asks for behind the route, of the versions that are wanted."""
    if want.spec is None:
        return _remove(view)
    memory = _applied(want, view.memory or EndpointMemory())
    look = looked(want, want.spec, view)
    if not look.found:
        return _without_version(look, memory)
    if look.lacks and not any(side.held.replicas for side in memory.sides):
        waiting = Condition(ConditionType.WAITING, True, "Needs", f"waits for {', '.join(look.lacks)}")
        return Decision((), (waiting,), memory=memory, again_s=5)
    memory, orders = progress.ordered(look, memory)
    memory, steps = _pursued(look, memory)
    memory = sizes.sized(look, memory)
    memory, ended = sides.moved(look, memory)
    memory = routing.reroute(look, memory)
    condition = conclude(look, memory)
    memory, serving = _noted_serving(look, memory, condition)
    heard = look.route.grpc if look.route and look.spec.grpc else ""
    url = look.route.url if look.route and look.route.url else memory.url
    memory = changed(memory, url=url, grpc=heard or (memory.grpc if look.spec.grpc else ""))
    stops = routing.stopped(look, memory)
    return Decision(
        actions=(*sides.ensured(look, memory), routing.ensured_route(look, memory), *stops),
        conditions=(_with_doubt(look, condition),),
        outputs=_outputs(look, memory),
        memory=memory,
        notes=(*orders, *steps, *_scaled(look, memory), *ended, *serving),
        again_s=_again_s(look, memory) if not stops and _is_still(look, memory) else 0.2,
    )


def _pursued(look: Look, memory: EndpointMemory) -> progress.Story:
    """Every side that the file names goes towards its revision: the endpoint's own by steps, the others in place."""
    notes: tuple[Note, ...] = ()
    for name, revision in look.found.items():
        if name == MAIN:
            memory, notes = progress.progressed(look, memory, revision)
        else:
            memory = memory.with_sides(memory.side(name).towards(revision))
    if MAIN not in look.found and memory.rollout:
        memory, notes = progress.withdrawn(look, memory, "the file names variants now")
    return memory, notes


def _applied(want: Want[EndpointSpec], memory: EndpointMemory) -> EndpointMemory:
    """Somebody applied a plan: whatever crashed or was taken back before is tried again now, and counted anew."""
    if want.generation <= memory.generation:
        return memory
    anew = tuple(replace(side, held=replace(side.held, crashes=0, retry_at=0.0)) for side in memory.sides)
    return replace(memory, generation=want.generation, sides=anew, refused=None)


def _without_version(look: Look, memory: EndpointMemory) -> Decision[EndpointMemory]:
    if look.view.hold:
        reason = look.view.hold.reason
        return Decision((), (Condition(ConditionType.HELD, True, "BudgetSpent", reason),), memory=memory)
    text = f"waits for {', '.join(dict.fromkeys(look.lacking.values()))}: no version has that alias yet"
    return Decision((), (Condition(ConditionType.WAITING, True, "NoVersion", text),), memory=memory)


def _noted_serving(look: Look, memory: EndpointMemory, condition: Condition) -> tuple[EndpointMemory, tuple[Note, ...]]:
    """Told once for each revision, when it answers for the first time."""
    now = answering(look, memory)
    served = ",".join(side.wanted.key for side in now)
    is_serving = condition.type is ConditionType.READY and condition.reason in ("Serving", "RollingOut", "Asleep")
    if not is_serving or memory.served == served:
        return memory, ()
    fresh = [side for side in now if side.wanted.key not in memory.served.split(",")]
    names = {side.name for side in now}
    calm = (replace(s, held=replace(s.held, crashes=0)) if s.name in names else s for s in memory.sides)
    memory = replace(memory, served=served, sides=tuple(calm))
    return memory, tuple(Note("endpoint.serving", f"{side.wanted.title} answers") for side in fresh)


def _scaled(look: Look, memory: EndpointMemory) -> tuple[Note, ...]:
    """Told once for each change that scheduling advised, with its reason: so the story says why there are so many."""
    before = look.view.memory.desired if look.view.memory else 0
    advice = look.view.advice
    if advice is None or memory.desired == before or look.view.hold:
        return ()
    return (Note("endpoint.scaled", f"{memory.desired} replicas instead of {before}: {advice.why}"),)


def _with_doubt(look: Look, condition: Condition) -> Condition:
    """What is served on although its model no longer names it is said to be so."""
    models = look.lacking.get(MAIN)
    if models is None:
        return condition
    return replace(condition, message=f"{condition.message}; {models} names no version now")


def _outputs(look: Look, memory: EndpointMemory) -> dict[str, Scalar]:
    outputs: dict[str, Scalar] = {"url": memory.url}
    if memory.grpc:
        outputs["grpc"] = memory.grpc
    for side in answering(look, memory):
        prefix = f"{side.name}." if side.name else ""
        outputs |= {f"{prefix}model": side.wanted.model, f"{prefix}version": _version(side)}
    if path := first_path(look.spec, look.want.ref.name):
        outputs["path"] = path
    shadow = memory.side(SHADOW)
    if shadow.held.replicas:
        # What a shadow costs is on the bill replica by replica: this says which are its.
        parts = ", ".join(replica.part for replica in shadow.held.replicas)
        outputs["shadow"] = f"{shadow.wanted.title} on replica {parts}"
    if memory.rollout:
        outputs["rollout"] = f"{memory.side(NEXT).wanted.title} at {progress.share_text(look, memory)}"
    return outputs


def _version(side: Side) -> Scalar:
    targets = side.wanted.targets
    return targets[0].version if len(targets) == 1 else side.wanted.name


def _is_still(look: Look, memory: EndpointMemory) -> bool:
    """Whether nothing is on its way: every replica ready, none leaving, the plane up to date."""
    is_settled = all(
        len(side.held.replicas) == side.desired
        and all(look.sight(side).is_ready(r) and look.sight(side).is_current(r) for r in side.held.replicas)
        for side in memory.sides
    )
    is_settled = is_settled or is_short(look, memory)
    return is_settled and look.route is not None and look.route.waiting == 0 and routing.has_applied(look, memory)


def _again_s(look: Look, memory: EndpointMemory) -> float:
    """When one that is still is looked at next. The plane wakes one that sleeps, and rings until somebody came: looking
    would cost a thousand of them half a core."""
    if memory.desired or memory.rollout or any(side.held.replicas for side in memory.sides):
        return 1.0
    if quota_of(look.spec.queue, look.want.ref.stack, look.view.needs) is not None:
        return 1.0  # what it has depends on what others are asked
    return min(ASLEEP_LOOK_S, calendar_begins_s(look.spec.scale, look.now))


def _remove(view: View[EndpointMemory]) -> Decision[EndpointMemory]:
    memory = view.memory or EndpointMemory()
    texts = ("its route is being removed", "its replicas are being stopped")
    return removed(view, memory.removing_since, lambda since: replace(memory, removing_since=since), {ROUTE}, texts)
