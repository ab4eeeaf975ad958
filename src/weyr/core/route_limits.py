"""How much may be asked of a route, how long does it wait, and whom is it not sent to? 0 stands for no limit."""

from dataclasses import dataclass

from weyr.core.limits import FREE, NO_LIMITS, Limits, Price


@dataclass(frozen=True, slots=True)
class QueueRule:
    """A replica has `per_replica` requests at once; `waiting_max` more wait in the plane, and the rest is refused."""

    per_replica: int = 0
    waiting_max: int = 1000


@dataclass(frozen=True, slots=True)
class Timeouts:
    """For a connection to a replica, the first byte of its answer, more of it, and the whole request, in seconds."""

    connect_s: float = 2.0
    first_byte_s: float = 0.0
    between_s: float = 0.0
    whole_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Retries:
    """A request that may be sent twice is sent again `max` times; retries are at most a share of `budget` of all
    requests. What may be: what changes nothing, and with `is_safe` everything. A request that no replica has got any
    of is no retry, and goes on until its time is up."""

    max: int = 2
    budget: float = 0.2
    is_safe: bool = False


@dataclass(frozen=True, slots=True)
class Ejection:
    """A replica with `errors` failures in a row, or `slow` times as slow as the median, gets nothing `for_s`, twice
    that the next time and so on; never more than a `share` of the replicas. 0 errors or slow: that rule is off."""

    errors: int = 5
    for_s: float = 10.0
    share: float = 0.5
    slow: float = 0.0


@dataclass(frozen=True, slots=True)
class RouteLimits:
    """`per_caller` holds for each caller by itself, `total` for all together; both beside what a caller's key says."""

    queue: QueueRule = QueueRule()
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    ejection: Ejection = Ejection()
    per_caller: Limits = NO_LIMITS
    total: Limits = NO_LIMITS
    price: Price = FREE


UNLIMITED = RouteLimits()
