"""What does a session remember between two looks? Its one task, and how the last one ended."""

from dataclasses import dataclass, field

from weyr.core.replica_set import ReplicaSet


@dataclass(frozen=True, slots=True)
class DevMemory:
    """`outcome` is how the session of this generation ended, "" while it has not; `has_failed` whether that was bad."""

    held: ReplicaSet = field(default_factory=ReplicaSet)
    generation: int = 0
    outcome: str = ""
    has_failed: bool = False
    rate_micros_per_hour: int = 0
    """What it cost while it ran: what its end saves."""
    order: int = 0
    """The number of the last order that was carried out."""


def reborn(memory: DevMemory) -> DevMemory:
    """A session that is made anew counts its tasks on: no name is used twice, and no order either."""
    return DevMemory(ReplicaSet(last_number=memory.held.last_number), order=memory.order)
