"""What was asked of a route, as what is metered? The same answer for every kind that has one."""

from collections.abc import Iterator, Mapping

from weyr.core.assumptions import Assumed, Assumption, Measure, Origin, Past
from weyr.core.decision import Thing
from weyr.core.kind import Estimate, Usage
from weyr.core.seen import Absent, Present, RouteFacts, RouteUse
from weyr.core.units import HOUR_S

SERVED, TOKENS_IN, TOKENS_OUT, OUTSIDE = "requests.served", "tokens.in", "tokens.out", "outside.money"
EGRESS_LOCAL, EGRESS_FAR = "egress.local", "egress.far"


EGRESS = "egress"


def egress_assumed(past: Past) -> Assumption:
    """The bytes that a month's answers take elsewhere: as many as there were, nothing where nobody says."""
    if not past.tells_rates:
        return Assumption.sure(EGRESS, Measure.SIZE, 0.0)
    far = past.monthly(past.counts.get(EGRESS_FAR, 0))
    return Assumption.sure(EGRESS, Measure.SIZE, far, Origin.MEASURED, past.said)


def egress_estimate(assumed: Assumed) -> tuple[Estimate, ...]:
    """What they are in a month's use. A counter's unit counts as if it were used for a second."""
    far = round(assumed[EGRESS])
    return (Estimate(EGRESS_FAR, far, 1 / HOUR_S),) if far else ()


def route_usage(things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    """Of each route what was counted since it is there; what nobody asked for has no meter.

    One that is gone leaves its last reading, so that what was asked between the look before and its end is not lost.
    """
    return tuple(usage for thing in things.values() for usage in _usage_of(thing))


def _usage_of(thing: Thing) -> Iterator[Usage]:
    match thing.seen:
        case Present(facts=RouteFacts(use=RouteUse() as use)) | Absent(last=RouteFacts(use=RouteUse() as use)):
            counts = (
                (SERVED, use.requests),
                (TOKENS_IN, use.tokens_in),
                (TOKENS_OUT, use.tokens_out),
                (OUTSIDE, use.outside_micros),
                (EGRESS_LOCAL, use.local_bytes),
                (EGRESS_FAR, use.far_bytes),
            )
            yield from (Usage(thing.part, sku, count, use.since) for sku, count in counts if count)
        case _:
            return
