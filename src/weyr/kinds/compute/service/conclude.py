"""What is to be said of a service? One condition, from what its steps decided. Pure."""

from collections.abc import Mapping

from weyr.core.decision import Condition, ConditionType, Thing, View
from weyr.core.ref import Ref
from weyr.core.replica_set import Replica, ReplicaSet, Sight
from weyr.core.seen import Present, RouteFacts, Unknown
from weyr.kinds.compute.service.closing import closed_text
from weyr.kinds.compute.service.memory import ServiceMemory
from weyr.kinds.compute.service.spec import ServiceSpec

ROUTE = "route"
CRASHES_BEFORE_FAILED = 3


def route_of(things: Mapping[str, Thing]) -> RouteFacts | None:
    """What the plane says of the route, None while it says nothing."""
    match things.get(ROUTE):
        case Thing(seen=Present(facts=RouteFacts() as facts)):
            return facts
        case _:
            return None


def conclude(
    spec: ServiceSpec, view: View[ServiceMemory], sight: Sight, held: ReplicaSet, desired: int, shortage: str = ""
) -> Condition:
    """Ready means that a request sent now is answered: by the wanted version, or by the one before while that is
    coming; a version that keeps failing is said to have failed though the old one answers on. `shortage` is what a
    quota keeps it from having."""
    route = view.things.get(ROUTE)
    ready = [replica for replica in held.replicas if sight.is_current(replica) and sight.is_ready(replica)]
    old = [replica for replica in held.replicas if replica.key != sight.key and sight.is_ready(replica)]
    if view.hold and (view.hold.lets_go or desired == 0):
        return Condition(ConditionType.HELD, True, "BudgetSpent", view.hold.reason)
    if view.short and not held.replicas:
        return Condition(ConditionType.HELD, True, "BudgetSpent", view.short.reason)
    if spec.listens and route and route.refusal:
        return Condition(ConditionType.FAILED, True, "Refused", route.refusal)
    if held.crashes >= CRASHES_BEFORE_FAILED and len(ready) < desired:
        return Condition(ConditionType.FAILED, True, "ReplicaCrashes", _crashes(sight, held, old))
    if spec.listens and route and route.is_accepted and isinstance(route.seen, Unknown):
        return Condition(ConditionType.READY, None, "EngineSilent", route.seen.reason)
    silent = [replica for replica in held.replicas if sight.is_silent(replica)]
    if silent and len(ready) + len(silent) >= desired > len(ready):
        return Condition(ConditionType.READY, None, "EngineSilent", f"no news of replica {silent[0].part}")
    ended = held.ended if held.ended_key == sight.key else 0
    if ended and desired == 0:
        return Condition(ConditionType.FAILED if "failed" in held.last_end else ConditionType.COMPLETE, True, "Ended",
                         held.last_end)  # fmt: skip
    if desired == 0 and shortage:
        return Condition(ConditionType.WAITING, True, "Quota", f"no replica: {shortage}")
    if desired == 0 and spec.scale is not None and route_of(view.things) is not None:
        return Condition(ConditionType.READY, True, "Asleep", "no replica until it is asked")
    if len(ready) >= desired and (not spec.listens or route_of(view.things) is not None):
        return Condition(ConditionType.READY, True, "Serving" if spec.listens else "Running",
                         _count(len(ready)) + (f"; {shortage}" if shortage else ""))  # fmt: skip
    if view.short and ready and len(ready) == len(held.replicas):
        text = f"{len(ready)} of {desired} replicas are ready; {view.short.reason}"
        return Condition(ConditionType.READY, True, "TooLittleLeft", text)
    waits = next((f.waits for r in held.replicas if (f := sight.facts(r)) and f.waits), "")
    if waits and not old and not ready:
        return Condition(ConditionType.WAITING, True, "Queued", waits)
    beside = f"; {_count(len(old))} of the version before answer" if old else ""
    crash = f"; {held.last_end}" if held.crashes else ""
    short = f"; {view.short.reason}" if view.short else ""
    text = f"{len(ready)} of {desired} replicas are ready{beside}{crash}{short}"
    return Condition(ConditionType.READY, False, "Starting", text)


def closed_condition(ref: Ref, spec: ServiceSpec, view: View[ServiceMemory]) -> Condition:
    """It is as it should be, with nothing running: said with when it opens, and what opens it before."""
    assert spec.calendar is not None, "only a calendar closes it"
    return Condition(ConditionType.READY, True, "Closed", closed_text(ref, spec.calendar, view.now))


def _count(count: int) -> str:
    return f"{count} replica{'s' if count != 1 else ''}"


def _crashes(sight: Sight, held: ReplicaSet, old: list[Replica]) -> str:
    beside = "; the version before goes on answering" if old else ""
    wait_s = max(0.0, held.retry_at - sight.now)
    return (
        f"{held.crashes} replicas in a row failed, the last: {held.last_end}{beside}; the next try is in {wait_s:.0f} s"
    )
