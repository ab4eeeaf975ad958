"""What should happen to an endpoint next? Pure.

The steps of a look, in order: drop the replicas that ended, count how many there should be, start those that lack,
let go of those that are too many or serve an older version, tell the plane whom to send to, and stop a leaving
replica once the plane has let go of it. So a version is replaced without a failed request: the old replicas answer
until all the new ones are ready.
"""

from dataclasses import replace

from weyr.core.decision import Condition, ConditionType, Decision, Note, Scalar, View, Want
from weyr.core.kind import Estimate
from weyr.core.removal import removed
from weyr.core.task_usage import task_quantities
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.ml.endpoint import replicas, routing
from weyr.kinds.ml.endpoint.body import Target
from weyr.kinds.ml.endpoint.conclude import conclude
from weyr.kinds.ml.endpoint.look import ROUTE, Look, key_of
from weyr.kinds.ml.endpoint.memory import EndpointMemory
from weyr.kinds.ml.endpoint.spec import EndpointSpec


def decide(want: Want[EndpointSpec], view: View[EndpointMemory]) -> Decision[EndpointMemory]:
    """Keeps as many ready replicas as the load asks for behind the route, all of the wanted version."""
    if want.spec is None:
        return _remove(view)
    memory = view.memory or EndpointMemory()
    if want.generation > memory.generation:
        # Somebody applied a plan: whatever crashed before is tried again now, and counted anew.
        memory = replace(memory, generation=want.generation, crashes=0, retry_at=0.0)
    found = Target.of(want.ref, want.spec, view.needs)
    target = found or memory.target
    if target is None:
        return _without_version(want.spec, view, memory)
    memory = replace(memory, target=target)
    look = Look(want, want.spec, view, target, key_of(want.spec.resources, target))
    memory, ended = replicas.drop_ended(look, memory)
    for step in (replicas.count, replicas.start, replicas.let_go, routing.reroute):
        memory = step(look, memory)
    condition = conclude(look, memory)
    memory, serving = _noted_serving(look, memory, condition)
    memory = replace(memory, url=look.route.url if look.route and look.route.url else memory.url)
    stops = routing.stopped(look, memory)
    return Decision(
        actions=(*replicas.ensured(look, memory), routing.ensured_route(look, memory), *stops),
        conditions=(_with_doubt(want.spec, condition, is_known=found is not None),),
        outputs=_outputs(look, memory),
        memory=memory,
        notes=(*ended, *serving),
        again_s=1.0 if not stops and _is_still(look, memory) else 0.2,
    )


def estimate(spec: EndpointSpec) -> tuple[Estimate, ...]:
    """The replicas kept at rest, all month; an endpoint that sleeps is assumed awake a tenth of it."""
    hours, note = MONTH_S / HOUR_S, f"{spec.scale.min} always on"
    count = spec.scale.min
    if count == 0:
        hours, note, count = hours / 10, "awake a tenth of the time", 1
    lines = task_quantities(spec.resources.cpu, spec.resources.memory, is_spot=False)
    return tuple(Estimate(sku, quantity * count, hours, note) for sku, quantity in lines)


def _without_version(
    spec: EndpointSpec, view: View[EndpointMemory], memory: EndpointMemory
) -> Decision[EndpointMemory]:
    if view.hold:
        return Decision((), (Condition(ConditionType.HELD, True, "BudgetSpent", view.hold.reason),), memory=memory)
    text = f"waits for {spec.model}: no version has that alias yet"
    return Decision((), (Condition(ConditionType.WAITING, True, "NoVersion", text),), memory=memory)


def _noted_serving(look: Look, memory: EndpointMemory, condition: Condition) -> tuple[EndpointMemory, tuple[Note, ...]]:
    """Told once for each version, when it answers for the first time."""
    is_serving = condition.type is ConditionType.READY and condition.reason in ("Serving", "Asleep")
    if not is_serving or memory.served == look.key:
        return memory, ()
    memory = replace(memory, served=look.key, serving_since=look.now, crashes=0)
    return memory, (Note("endpoint.serving", f"version {look.target.version} answers"),)


def _with_doubt(spec: EndpointSpec, condition: Condition, is_known: bool) -> Condition:
    """What is served on although its model no longer names it is said to be so."""
    if is_known:
        return condition
    return replace(condition, message=f"{condition.message}; {spec.model} names no version now")


def _outputs(look: Look, memory: EndpointMemory) -> dict[str, Scalar]:
    return {"url": memory.url, "model": look.target.local_name, "version": look.target.version}


def _is_still(look: Look, memory: EndpointMemory) -> bool:
    """Whether nothing is on its way: every replica ready, none leaving, the plane up to date."""
    return (
        all(look.is_ready(replica) and look.is_current(replica) for replica in memory.replicas)
        and len(memory.replicas) == memory.desired
        and look.route is not None
        and look.route.waiting == 0
        and routing.has_applied(look, memory)
    )


def _remove(view: View[EndpointMemory]) -> Decision[EndpointMemory]:
    memory = view.memory or EndpointMemory()
    texts = ("its route is being removed", "its replicas are being stopped")
    return removed(view, memory.removing_since, lambda since: replace(memory, removing_since=since), {ROUTE}, texts)
