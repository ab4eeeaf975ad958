"""What a route tells is told so that scheduling sees a load, and not a line."""

from weyr.core.demand import demand_of
from weyr.core.scale_fields import Scale
from weyr.core.seen import RouteFacts

ROUTE = RouteFacts(replicas=(("1", 11), ("2", 3)), waiting=2)


def told(**scale: object) -> tuple[int, int]:
    demand = demand_of(Scale.model_validate(scale), ROUTE, (), 0.0, None, 2, 0.0)
    return demand.queued, demand.in_flight


def test_what_a_replica_has_beyond_its_slots_waits() -> None:
    """One that works on four and has eleven has seven waiting, wherever they stand: they are no reason to think that
    each request takes longer than it does."""
    assert told(max=4, target_inflight=4) == (2 + 7, 4 + 3)


def test_where_something_else_says_what_a_replica_can_do_nothing_is_known_to_wait() -> None:
    """With a rate the number of requests in flight is nobody's limit."""
    assert told(max=4, target_rate=50) == (2, 14)
