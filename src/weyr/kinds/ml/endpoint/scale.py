"""How many replicas should an endpoint have? Pure: load, limits and clock in, a count out."""

from weyr.core.moment import is_awaited
from weyr.core.seen import RouteFacts
from weyr.kinds.ml.endpoint.fields.scale import Scale


def desired_replicas(scale: Scale, now: float, current: int, route: RouteFacts | None, started_at: float) -> int:
    """The count for this moment.

    Grows at once with what is in flight and waiting. Shrinks only when nothing was asked for
    `idle_after`, and then to `min`: a replica that is let go too early costs a cold start.
    Without news of the route the count stays.

    Takes: `current`, the count decided last; `started_at`, when the endpoint was last without load.
    """
    floor, top = scale.min, max(scale.max, scale.min, 1)
    if route is None:
        return min(max(current, floor), top)
    load = sum(count for _, count in route.replicas) + route.waiting
    needed = -(-load // scale.target_inflight)
    idle_at = max(route.last_request_at or 0.0, started_at) + scale.idle_after
    is_idle = load == 0 and not is_awaited(idle_at, now, scale.idle_after)
    if is_idle:
        return floor
    return min(max(needed, current, floor), top)
