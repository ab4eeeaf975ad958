"""What was asked of a route, as what is metered? The same answer for every kind that has one."""

from collections.abc import Iterator, Mapping

from weyr.core.decision import Thing
from weyr.core.kind import Usage
from weyr.core.seen import Present, RouteFacts, RouteUse

SERVED, TOKENS_IN, TOKENS_OUT, OUTSIDE = "requests.served", "tokens.in", "tokens.out", "outside.money"


def route_usage(things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    """Of each route what was counted since it is there; what nobody asked for has no meter."""
    return tuple(usage for thing in things.values() for usage in _usage_of(thing))


def _usage_of(thing: Thing) -> Iterator[Usage]:
    match thing.seen:
        case Present(facts=RouteFacts(use=RouteUse() as use)):
            counts = (
                (SERVED, use.requests),
                (TOKENS_IN, use.tokens_in),
                (TOKENS_OUT, use.tokens_out),
                (OUTSIDE, use.outside_micros),
            )
            yield from (Usage(thing.part, sku, count, use.since) for sku, count in counts if count)
        case _:
            return
