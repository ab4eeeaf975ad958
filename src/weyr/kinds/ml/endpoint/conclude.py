"""What is to be said of an endpoint? One condition, from what its steps decided. Pure."""

from typing import assert_never

from weyr.core.decision import Condition, ConditionType
from weyr.core.replica_set import Replica
from weyr.core.seen import Absent, Present, Unknown
from weyr.kinds.ml.endpoint.look import ROUTE, Look
from weyr.kinds.ml.endpoint.memory import EndpointMemory, Side
from weyr.kinds.ml.endpoint.routing import has_applied

CRASHES_BEFORE_FAILED = 3


def conclude(look: Look, memory: EndpointMemory) -> Condition:
    """Ready means that a request sent now is answered, or held until a sleeping replica is up."""
    route, side = look.view.things.get(ROUTE), memory.side("")
    sight = look.sight(side)
    ready = [replica for replica in side.held.replicas if sight.is_current(replica) and sight.is_ready(replica)]
    if look.view.hold:
        return Condition(ConditionType.HELD, True, "BudgetSpent", look.view.hold.reason)
    if route and route.refusal:
        return Condition(ConditionType.FAILED, True, "Refused", route.refusal)
    if side.held.crashes >= CRASHES_BEFORE_FAILED and not ready and side.desired:
        return Condition(ConditionType.FAILED, True, "ReplicaCrashes", _crashes(look, memory, side))
    match route.seen if route else Absent():
        case Unknown(reason=reason) if route and route.is_accepted:
            return Condition(ConditionType.READY, None, "EngineSilent", reason)
        case Present() if has_applied(look, memory) and look.route and look.route.url and len(ready) >= side.desired:
            return _serving(side, ready)
        case Present() | Absent() | Unknown():
            return _starting(look, memory, side, ready)
        case other:
            assert_never(other)


def _serving(side: Side, ready: list[Replica]) -> Condition:
    if side.desired == 0:
        return Condition(ConditionType.READY, True, "Asleep", f"{side.wanted.title}, no replica until it is asked")
    text = f"{side.wanted.title} on {len(ready)} replica{'s' if len(ready) > 1 else ''}"
    return Condition(ConditionType.READY, True, "Serving", text)


def _starting(look: Look, memory: EndpointMemory, side: Side, ready: list[Replica]) -> Condition:
    sight = look.sight(side)
    silent = [replica for replica in side.held.replicas if sight.is_current(replica) and sight.is_silent(replica)]
    text = f"{side.wanted.title}: {len(ready)} of {side.desired} replicas ready"
    if silent:
        return Condition(ConditionType.READY, None, "EngineSilent", f"{text}, no news of {len(silent)}")
    if memory.served and memory.routed:
        return Condition(ConditionType.READY, True, "Starting", f"{text}{_still(memory, side)}")
    return Condition(ConditionType.READY, False, "Starting", text)


def _crashes(look: Look, memory: EndpointMemory, side: Side) -> str:
    text = f"{side.held.last_end}; tried {side.held.crashes} times{_still(memory, side)}"
    return f"{text}. See: weyr logs {look.want.ref}"


def _still(memory: EndpointMemory, side: Side) -> str:
    """Who answers in the meantime."""
    routed = {key for key, _part, _address in memory.routed}
    titles = {r.title for r in side.revisions if r.key in routed and r.key != side.wanted.key}
    return "".join(f"; {title} still answers" for title in sorted(titles))
