"""What is to be said of an endpoint? One condition, from what its steps decided. Pure."""

from typing import assert_never

from weyr.core.decision import Condition, ConditionType
from weyr.core.demand import quota_of, shortage
from weyr.core.replica_set import Replica
from weyr.core.seen import Absent, Present, Unknown
from weyr.kinds.ml.endpoint.look import ROUTE, Look
from weyr.kinds.ml.endpoint.memory import MAIN, NEXT, EndpointMemory, Side
from weyr.kinds.ml.endpoint.progress import share_text
from weyr.kinds.ml.endpoint.routing import has_applied
from weyr.kinds.ml.endpoint.wanted import serving

CRASHES_BEFORE_FAILED = 3


def conclude(look: Look, memory: EndpointMemory) -> Condition:
    """Ready means that a request sent now is answered, or held until a sleeping replica is up."""
    route, sides = look.view.things.get(ROUTE), answering(look, memory)
    if look.view.hold and (look.view.hold.lets_go or not memory.desired):
        return Condition(ConditionType.HELD, True, "BudgetSpent", look.view.hold.reason)
    has_replicas = any(side.held.replicas for side in sides)
    if look.view.short and not has_replicas:
        return Condition(ConditionType.HELD, True, "BudgetSpent", look.view.short.reason)
    if route and route.refusal:
        return Condition(ConditionType.FAILED, True, "Refused", route.refusal)
    for side in sides:
        if side.held.crashes >= CRASHES_BEFORE_FAILED and not side.ready(look.sight(side)) and side.desired:
            return Condition(ConditionType.FAILED, True, "ReplicaCrashes", _crashes(look, memory, side))
    are_ready = all(_count(look, memory, side) >= side.desired for side in sides) and _has_doors(look)
    match route.seen if route else Absent():
        case Unknown(reason=reason) if route and route.is_accepted:
            return Condition(ConditionType.READY, None, "EngineSilent", reason)
        case Present() if has_applied(look, memory) and look.route and look.route.url and are_ready:
            return _serving(look, memory, sides)
        case Present() | Absent() | Unknown():
            return _starting(look, memory, sides)
        case other:
            assert_never(other)


def _has_doors(look: Look) -> bool:
    """Whether everybody finds a way in: over gRPC too, where the file says so."""
    return not look.spec.grpc or bool(look.route and look.route.grpc)


def answering(look: Look, memory: EndpointMemory) -> list[Side]:
    """The sides that answer: all that the file names and that have a version, but for the shadow."""
    return [side for name in serving(look.spec) if (side := memory.side(name)).revisions]


def _serving(look: Look, memory: EndpointMemory, sides: list[Side]) -> Condition:
    more = f"{_lacking(look)}{_keyless(memory)}{_on_its_way(look, memory)}"
    lacks = _lacks_quota(look, memory)
    if lacks and memory.desired == 0:
        return Condition(ConditionType.WAITING, True, "Quota", f"no replica: {lacks}{more}")
    more += f"; {lacks}" if lacks else ""
    if memory.desired == 0:
        titles = ", ".join(_title(side) for side in sides)
        return Condition(ConditionType.READY, True, "Asleep", f"{titles}, no replica until it is asked{more}")
    texts = [f"{_title(side)} on {_replicas(len(side.ready(look.sight(side))))}" for side in sides]
    reason = "RollingOut" if memory.rollout else "Serving"
    return Condition(ConditionType.READY, True, reason, ", ".join(texts) + more)


def is_short(look: Look, memory: EndpointMemory) -> bool:
    """Whether money is all that it lacks: every replica that it has answers."""
    held = [(side, replica) for side in memory.sides for replica in side.held.replicas]
    return look.view.short is not None and bool(held) and all(look.sight(s).is_ready(r) for s, r in held)


def _starting(look: Look, memory: EndpointMemory, sides: list[Side]) -> Condition:
    texts = [f"{_title(side)}: {_count(look, memory, side)} of {side.desired} replicas ready" for side in sides]
    text = ", ".join(texts) + (f"; {look.view.short.reason}" if look.view.short else "")
    if is_short(look, memory) and look.route and look.route.url:
        return Condition(ConditionType.READY, True, "TooLittleLeft", f"{text}{_on_its_way(look, memory)}")
    silent = [r for side in sides for r in side.held.replicas if _is_silent(look, side, r)]
    if silent:
        return Condition(ConditionType.READY, None, "EngineSilent", f"{text}, no news of {len(silent)}")
    if memory.served and any(version.replicas for version in memory.told):
        text = f"{text}{_still(memory, sides)}{_lacking(look)}{_on_its_way(look, memory)}"
        return Condition(ConditionType.READY, True, "Starting", text)
    return Condition(ConditionType.READY, False, "Starting", f"{text}{_lacking(look)}")


def _count(look: Look, memory: EndpointMemory, side: Side) -> int:
    """The ready replicas of a side's wanted revision."""
    return len(side.ready(look.sight(side)))


def _is_silent(look: Look, side: Side, replica: Replica) -> bool:
    sight = look.sight(side)
    return sight.is_current(replica) and sight.is_silent(replica)


def _crashes(look: Look, memory: EndpointMemory, side: Side) -> str:
    text = f"{side.held.last_end}; it is tried again and again{_still(memory, [side])}"
    return f"{text}. See: weyr logs '{look.want.ref}#{side.held.last_part}'"


def _still(memory: EndpointMemory, sides: list[Side]) -> str:
    """Which older revisions answer in the meantime."""
    titles: set[str] = set()
    for side in sides:
        routed = dict(side.held.routed)
        keys = {replica.key for replica in side.held.replicas if replica.part in routed}
        titles |= {revision.title for revision in side.revisions[:-1] if revision.key in keys}
    return "".join(f"; {title} still answers" for title in sorted(titles))


def _on_its_way(look: Look, memory: EndpointMemory) -> str:
    """How far a new version came, or why it was taken back."""
    rollout = memory.rollout
    if rollout:
        waits = f" ({rollout.waits})" if rollout.waits else ""
        return f"; {memory.side(NEXT).wanted.title} has {share_text(look, memory)} of the requests{waits}"
    if memory.refused and (found := look.found.get(MAIN)) and found.key == memory.refused.key:
        return f"; {memory.refused.title} was taken back {memory.refused.why}"
    return ""


def _lacking(look: Look) -> str:
    return "".join(
        f"; {name} waits for {models}: no version has that alias" for name, models in look.lacking.items() if name
    )


def _keyless(memory: EndpointMemory) -> str:
    return "".join(f"; the fallback with {secret} is left out, for that has no value" for secret in memory.keyless)


def _lacks_quota(look: Look, memory: EndpointMemory) -> str:
    """What its queue keeps it from having."""
    quota = quota_of(look.spec.queue, look.want.ref.stack, look.view.needs)
    return shortage(look.spec.scale, quota, memory.desired, look.route.waiting if look.route else 0, look.now)


def _title(side: Side) -> str:
    return f"{side.name} (version {side.wanted.name})" if side.name else side.wanted.title


def _replicas(count: int) -> str:
    return f"{count} replica{'s' if count > 1 else ''}"
