"""What is to be said of a function? One condition, from what its steps decided. Pure."""

from collections.abc import Mapping

from weyr.core.decision import Condition, ConditionType, Thing, View
from weyr.core.replica_set import Sight
from weyr.core.seen import FunctionFacts, Present, RouteFacts, Unknown
from weyr.kinds.compute.function.memory import FunctionMemory

PLANE = "plane"
DOOR = "route"
CRASHES_BEFORE_FAILED = 3


def facts_of(things: Mapping[str, Thing]) -> FunctionFacts | None:
    """What the functions plane says of it, None while it says nothing."""
    match things.get(PLANE):
        case Thing(seen=Present(facts=FunctionFacts() as facts)):
            return facts
        case _:
            return None


def route_of(things: Mapping[str, Thing]) -> RouteFacts | None:
    """What the inference plane says of its address, None while it says nothing."""
    match things.get(DOOR):
        case Thing(seen=Present(facts=RouteFacts() as facts)):
            return facts
        case _:
            return None


def conclude(view: View[FunctionMemory], sight: Sight, memory: FunctionMemory, desired: int) -> Condition:
    """Ready means that a call made now is answered: at once, or as soon as its host is up."""
    if view.hold and not desired:
        return Condition(ConditionType.HELD, True, "BudgetSpent", view.hold.reason)
    if view.short and not memory.held.replicas:
        return Condition(ConditionType.HELD, True, "BudgetSpent", view.short.reason)
    for part in (PLANE, DOOR):
        thing = view.things.get(part)
        if thing and thing.refusal:
            return Condition(ConditionType.FAILED, True, "Refused", thing.refusal)
        if thing and thing.is_accepted and isinstance(thing.seen, Unknown):
            return Condition(ConditionType.READY, None, "EngineSilent", thing.seen.reason)
    held = memory.held
    ready = [replica for replica in held.replicas if sight.is_current(replica) and sight.is_ready(replica)]
    if held.crashes >= CRASHES_BEFORE_FAILED and desired and not ready:
        wait_s = max(0.0, held.retry_at - view.now)
        text = f"its host failed {held.crashes} times in a row, the last: {held.last_end}"
        return Condition(ConditionType.FAILED, True, "HostCrashes", f"{text}; the next try is in {wait_s:.0f} s")
    plane = facts_of(view.things)
    if plane is None or not plane.address or not (route := route_of(view.things)) or not route.generation:
        return Condition(ConditionType.READY, False, "Starting", "its planes are being told of it")
    if not desired:
        return Condition(ConditionType.READY, True, "Asleep", "no host until something happens")
    if ready:
        return Condition(ConditionType.READY, True, "Awake", "its host makes instances as they are needed")
    waits = next((f.waits for r in held.replicas if (f := sight.facts(r)) and f.waits), "")
    crash = f"; {held.last_end}" if held.crashes else ""
    # Callers are held meanwhile, so a function that wakes up is as good as ready; a queue for room is not.
    if waits:
        return Condition(ConditionType.WAITING, True, "Queued", waits)
    return Condition(ConditionType.READY, not held.crashes, "Waking", f"its host is being started{crash}")
