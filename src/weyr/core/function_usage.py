"""What was asked of a function, as what is metered? Its invocations, and what left through its address."""

from collections.abc import Iterator, Mapping

from weyr.core.decision import Thing
from weyr.core.kind import Usage
from weyr.core.route_usage import EGRESS_FAR, EGRESS_LOCAL, route_usage
from weyr.core.seen import Absent, FunctionFacts, FunctionUse, Present

INVOKED = "requests.invoked"


def function_usage(things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    """What was counted since it is there; what nobody called has no meter. One that is gone leaves its last reading.

    Of its address only the bytes count: what callers were answered is among the invocations already.
    """
    left = (usage for usage in route_usage(things) if usage.sku in (EGRESS_LOCAL, EGRESS_FAR))
    return (*(usage for thing in things.values() for usage in _invoked(thing)), *left)


def _invoked(thing: Thing) -> Iterator[Usage]:
    match thing.seen:
        case Present(facts=FunctionFacts(use=FunctionUse(since=since, invocations=count))) if count:
            yield Usage(thing.part, INVOKED, count, since)
        case Absent(last=FunctionFacts(use=FunctionUse(since=since, invocations=count))) if count:
            yield Usage(thing.part, INVOKED, count, since)
        case _:
            return
