"""What is to be said of an endpoint? One condition, from what its steps decided. Pure."""

from typing import assert_never

from weyr.core.decision import Condition, ConditionType
from weyr.core.seen import Absent, Present, Unknown
from weyr.kinds.ml.endpoint.look import ROUTE, Look
from weyr.kinds.ml.endpoint.memory import EndpointMemory, Replica
from weyr.kinds.ml.endpoint.routing import has_applied

CRASHES_BEFORE_FAILED = 3


def conclude(look: Look, memory: EndpointMemory) -> Condition:
    """Ready means that a request sent now is answered, or held until a sleeping replica is up."""
    ready = [replica for replica in memory.replicas if look.is_current(replica) and look.is_ready(replica)]
    route = look.view.things.get(ROUTE)
    if look.view.hold:
        return Condition(ConditionType.HELD, True, "BudgetSpent", look.view.hold.reason)
    if route and route.refusal:
        return Condition(ConditionType.FAILED, True, "Refused", route.refusal)
    if memory.crashes >= CRASHES_BEFORE_FAILED and not ready and memory.desired:
        return Condition(ConditionType.FAILED, True, "ReplicaCrashes", _crashes(look, memory))
    match route.seen if route else Absent():
        case Unknown(reason=reason) if route and route.is_accepted:
            return Condition(ConditionType.READY, None, "EngineSilent", reason)
        case Present() if has_applied(look, memory) and look.route and look.route.url and len(ready) >= memory.desired:
            return _serving(look, memory, ready)
        case Present() | Absent() | Unknown():
            return _starting(look, memory, ready)
        case other:
            assert_never(other)


def _serving(look: Look, memory: EndpointMemory, ready: list[Replica]) -> Condition:
    version = f"version {look.target.version}"
    if memory.desired == 0:
        return Condition(ConditionType.READY, True, "Asleep", f"{version}, no replica until it is asked")
    text = f"{version} on {len(ready)} replica{'s' if len(ready) > 1 else ''}"
    return Condition(ConditionType.READY, True, "Serving", text)


def _starting(look: Look, memory: EndpointMemory, ready: list[Replica]) -> Condition:
    silent = [replica for replica in memory.replicas if look.is_current(replica) and look.is_silent(replica)]
    text = f"version {look.target.version}: {len(ready)} of {memory.desired} replicas ready"
    if silent:
        return Condition(ConditionType.READY, None, "EngineSilent", f"{text}, no news of {len(silent)}")
    if memory.served and memory.routed:
        return Condition(ConditionType.READY, True, "Starting", f"{text}{_still(look, memory)}")
    return Condition(ConditionType.READY, False, "Starting", text)


def _crashes(look: Look, memory: EndpointMemory) -> str:
    text = f"{memory.last_end}; tried {memory.crashes} times{_still(look, memory)}"
    return f"{text}. See: weyr logs {look.want.ref}"


def _still(look: Look, memory: EndpointMemory) -> str:
    """Who answers in the meantime."""
    routed = dict(memory.routed)
    versions = {r.version for r in memory.replicas if r.part in routed and r.key != look.key}
    return "".join(f"; version {version} still answers" for version in sorted(versions))
