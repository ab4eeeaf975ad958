"""What should happen to an endpoint next? Pure.

The steps of a look, in order: count how many replicas there should be, drop those that ended, start those that lack,
let go of those that are too many or of an older revision, tell the plane whom to send to, and stop a leaving replica
once the plane has let go of it. So a version is replaced without a failed request: the old replicas answer until new
ones are ready.
"""

from dataclasses import replace

from weyr.core.decision import Condition, ConditionType, Decision, Note, Scalar, View, Want
from weyr.core.kind import Estimate
from weyr.core.ref import Ref
from weyr.core.removal import removed
from weyr.core.task_usage import planned_quantities
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.ml.endpoint import routing, sides
from weyr.kinds.ml.endpoint.conclude import conclude
from weyr.kinds.ml.endpoint.look import ROUTE, Look
from weyr.kinds.ml.endpoint.memory import EndpointMemory
from weyr.kinds.ml.endpoint.revision import Target, revision_of
from weyr.kinds.ml.endpoint.scale import desired_replicas
from weyr.kinds.ml.endpoint.spec import EndpointSpec


def decide(want: Want[EndpointSpec], view: View[EndpointMemory]) -> Decision[EndpointMemory]:
    """Keeps as many ready replicas as the load asks for behind the route, all of the wanted version."""
    if want.spec is None:
        return _remove(view)
    memory = _applied(want, view.memory or EndpointMemory())
    found = _target(want.ref, want.spec, view)
    side = memory.side("")
    if found is None and not side.revisions:
        return _without_version(want.spec, view, memory)
    look = Look(want, want.spec, view)
    if look.lacks and not memory.replicas:
        waiting = Condition(ConditionType.WAITING, True, "Needs", f"waits for {', '.join(look.lacks)}")
        return Decision((), (waiting,), memory=memory, again_s=5)
    side = side.towards(revision_of(want.spec, found or side.wanted.target))
    side = replace(side, desired=_desired(look, memory, side.desired))
    memory, ended = sides.moved(look, replace(memory, sides=(side,)))
    memory = routing.reroute(look, memory)
    condition = conclude(look, memory)
    memory, serving = _noted_serving(look, memory, condition)
    memory = replace(memory, url=look.route.url if look.route and look.route.url else memory.url)
    stops = routing.stopped(look, memory)
    return Decision(
        actions=(*sides.ensured(look, memory), routing.ensured_route(look, memory), *stops),
        conditions=(_with_doubt(want.spec, condition, is_known=found is not None),),
        outputs=_outputs(memory),
        memory=memory,
        notes=(*ended, *serving),
        again_s=1.0 if not stops and _is_still(look, memory) else 0.2,
    )


def _target(ref: Ref, spec: EndpointSpec, view: View[EndpointMemory]) -> Target | None:
    return Target.of(spec.model, ref.stack, view.needs) if spec.model else Target("", ref.name, 0, "")


def estimate(spec: EndpointSpec) -> tuple[Estimate, ...]:
    """The replicas kept at rest, all month; an endpoint that sleeps is assumed awake a tenth of it."""
    hours, note = MONTH_S / HOUR_S, f"{spec.scale.min} always on"
    count = spec.scale.min
    if count == 0:
        hours, note, count = hours / 10, "awake a tenth of the time", 1
    lines = planned_quantities(spec)
    return tuple(Estimate(sku, quantity * count, hours, note) for sku, quantity in lines)


def _applied(want: Want[EndpointSpec], memory: EndpointMemory) -> EndpointMemory:
    """Somebody applied a plan: whatever crashed before is tried again now, and counted anew."""
    if want.generation <= memory.generation:
        return memory
    anew = tuple(replace(side, held=replace(side.held, crashes=0, retry_at=0.0)) for side in memory.sides)
    return replace(memory, generation=want.generation, sides=anew)


def _desired(look: Look, memory: EndpointMemory, before: int) -> int:
    """How many there should be: none while the stack may not spend, else what the load asks for."""
    if look.view.hold:
        return 0
    return desired_replicas(look.spec.scale, look.now, before, look.route, memory.serving_since)


def _without_version(
    spec: EndpointSpec, view: View[EndpointMemory], memory: EndpointMemory
) -> Decision[EndpointMemory]:
    if view.hold:
        return Decision((), (Condition(ConditionType.HELD, True, "BudgetSpent", view.hold.reason),), memory=memory)
    text = f"waits for {spec.model}: no version has that alias yet"
    return Decision((), (Condition(ConditionType.WAITING, True, "NoVersion", text),), memory=memory)


def _noted_serving(look: Look, memory: EndpointMemory, condition: Condition) -> tuple[EndpointMemory, tuple[Note, ...]]:
    """Told once for each revision, when it answers for the first time."""
    side = memory.side("")
    is_serving = condition.type is ConditionType.READY and condition.reason in ("Serving", "Asleep")
    if not is_serving or memory.served == side.wanted.key:
        return memory, ()
    calm = tuple(replace(side, held=replace(side.held, crashes=0)) for side in memory.sides)
    memory = replace(memory, served=side.wanted.key, serving_since=look.now, sides=calm)
    return memory, (Note("endpoint.serving", f"{side.wanted.title} answers"),)


def _with_doubt(spec: EndpointSpec, condition: Condition, is_known: bool) -> Condition:
    """What is served on although its model no longer names it is said to be so."""
    if is_known:
        return condition
    return replace(condition, message=f"{condition.message}; {spec.model} names no version now")


def _outputs(memory: EndpointMemory) -> dict[str, Scalar]:
    target = memory.side("").wanted.target
    return {"url": memory.url, "model": target.local_name, "version": target.version}


def _is_still(look: Look, memory: EndpointMemory) -> bool:
    """Whether nothing is on its way: every replica ready, none leaving, the plane up to date."""
    is_settled = all(
        len(side.held.replicas) == side.desired
        and all(look.sight(side).is_ready(r) and look.sight(side).is_current(r) for r in side.held.replicas)
        for side in memory.sides
    )
    return is_settled and look.route is not None and look.route.waiting == 0 and routing.has_applied(look, memory)


def _remove(view: View[EndpointMemory]) -> Decision[EndpointMemory]:
    memory = view.memory or EndpointMemory()
    texts = ("its route is being removed", "its replicas are being stopped")
    return removed(view, memory.removing_since, lambda since: replace(memory, removing_since=since), {ROUTE}, texts)
