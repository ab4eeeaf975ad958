"""What does an endpoint remember between two looks? Which replicas it has, and what it told the plane."""

from dataclasses import dataclass

from weyr.kinds.ml.endpoint.body import Target


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica: its number for life, and what it was started to serve (`key`)."""

    number: int
    key: str
    version: int
    is_leaving: bool = False
    left_at: float = 0.0

    @property
    def part(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class EndpointMemory:
    """`routed` are (replica, address) pairs of routing `route_generation`; both only move forward together.

    `target` is what was served last: it is served on while its model says nothing. `url` is the last one known.
    """

    replicas: tuple[Replica, ...] = ()
    last_number: int = 0
    desired: int = 0
    route_generation: int = 0
    routed: tuple[tuple[str, str], ...] = ()
    served: str = ""
    serving_since: float = 0.0
    crashes: int = 0
    crashed_at: float = 0.0
    retry_at: float = 0.0
    last_end: str = ""
    generation: int = 0
    target: Target | None = None
    url: str = ""
    removing_since: float = 0.0


def reborn(memory: EndpointMemory) -> EndpointMemory:
    """An endpoint that is made anew counts its replicas and routings on: no name is used twice."""
    return EndpointMemory(last_number=memory.last_number, route_generation=memory.route_generation)
