"""What does an endpoint remember between two looks? Its replicas, what they were started as, and what the plane was
told."""

from dataclasses import dataclass, field, replace

from weyr.core.replica_set import Replica, ReplicaSet
from weyr.kinds.ml.endpoint.revision import Revision


@dataclass(frozen=True, slots=True)
class Side:
    """One of the sets of replicas that stand side by side, each with a rolling update of its own.

    `revisions` are those that its replicas were started as; the last one is wanted now.
    """

    name: str
    desired: int = 0
    held: ReplicaSet = field(default_factory=ReplicaSet)
    revisions: tuple[Revision, ...] = ()

    @property
    def wanted(self) -> Revision:
        return self.revisions[-1]

    def revision(self, replica: Replica) -> Revision:
        return next(revision for revision in self.revisions if revision.key == replica.key)

    def towards(self, revision: Revision) -> "Side":
        """The same set with `revision` wanted, and those forgotten that no replica is of."""
        keys = {replica.key for replica in self.held.replicas} - {revision.key}
        return replace(self, revisions=(*(r for r in self.revisions if r.key in keys), revision))


@dataclass(frozen=True, slots=True)
class EndpointMemory:
    """`routed` is what routing `route_generation` said: (revision's key, replica, address) each.

    A revision is served on while its model says nothing. `url` is the last one known; `served` is the key of the
    revision that answered last, since `serving_since`. No replica's number is used twice, in whichever side it is.
    """

    sides: tuple[Side, ...] = ()
    last_number: int = 0
    route_generation: int = 0
    routed: tuple[tuple[str, str, str], ...] = ()
    served: str = ""
    serving_since: float = 0.0
    generation: int = 0
    url: str = ""
    removing_since: float = 0.0

    def side(self, name: str) -> Side:
        """The side of that name, empty where there was none yet."""
        return next((side for side in self.sides if side.name == name), Side(name))

    @property
    def replicas(self) -> tuple[Replica, ...]:
        return tuple(replica for side in self.sides for replica in side.held.replicas)


def reborn(memory: EndpointMemory) -> EndpointMemory:
    """An endpoint that is made anew counts its replicas and routings on: no name is used twice."""
    return EndpointMemory(last_number=memory.last_number, route_generation=memory.route_generation)
