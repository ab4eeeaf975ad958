"""What does a service remember between two looks? Its replicas, and which version answered last."""

from dataclasses import dataclass, field

from weyr.core.replica_set import ReplicaSet


@dataclass(frozen=True, slots=True)
class ServiceMemory:
    """`served` is the version that answered last, `url` the address known last. Where it scales, `desired` is how many
    there should be, and `start_s` what a start is taken to need, 0 before one was seen; `starts` are the latest ones.
    `is_closed`: its calendar was closed at the last look; `woken_at` is when somebody opened it nevertheless, by the
    order of number `order`, 0 for never."""

    held: ReplicaSet = field(default_factory=ReplicaSet)
    generation: int = 0
    served: str = ""
    url: str = ""
    removing_since: float = 0.0
    desired: int = 0
    start_s: float = 0.0
    starts: tuple[float, ...] = ()
    is_closed: bool = False
    woken_at: float = 0.0
    order: int = 0


def reborn(memory: ServiceMemory) -> ServiceMemory:
    """A service that is made anew counts its replicas and routings on: no name is used twice, and no order either."""
    held = memory.held
    fresh = ReplicaSet(last_number=held.last_number, route_generation=held.route_generation)
    return ServiceMemory(fresh, start_s=memory.start_s, starts=memory.starts, order=memory.order)
