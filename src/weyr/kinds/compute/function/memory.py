"""What does a function remember between two looks? Its hosts, and what the plane was told of them."""

from dataclasses import dataclass, field

from weyr.core.replica_set import ReplicaSet


@dataclass(frozen=True, slots=True)
class FunctionMemory:
    """`told` are the (host, address) pairs of number `told_number`, and `door` the address of number `door_number`:
    what functions plane and inference plane were told; numbers only go up. `used_at` is when it was last busy, and
    `start_s` what its host is taken to need until it answers, 0 where none was seen; `starts` are the latest."""

    held: ReplicaSet = field(default_factory=ReplicaSet)
    generation: int = 0
    told: tuple[tuple[str, str], ...] = ()
    told_number: int = 0
    door: str = ""
    door_number: int = 0
    used_at: float = 0.0
    start_s: float = 0.0
    starts: tuple[float, ...] = ()
    url: str = ""
    removing_since: float = 0.0


def reborn(memory: FunctionMemory) -> FunctionMemory:
    """A function that is made anew counts its hosts on: no name is used twice."""
    held = ReplicaSet(last_number=memory.held.last_number)
    return FunctionMemory(
        held,
        told_number=memory.told_number,
        door_number=memory.door_number,
        start_s=memory.start_s,
        starts=memory.starts,
    )
