"""What does an endpoint remember between two looks? Its replicas, what they were started as, how far a new version
came, and what the plane was told."""

from dataclasses import dataclass, field, replace

from weyr.core.replica_set import Replica, ReplicaSet, Sight
from weyr.core.routes import RouteVersion
from weyr.core.unchanged import changed
from weyr.core.watch import Watch
from weyr.kinds.ml.endpoint.judge import Tally
from weyr.kinds.ml.endpoint.revision import Revision

MAIN, NEXT, SHADOW = "", "canary", "shadow"
"""The sides that are no variants: what answers, what is to answer instead of it, and what only gets copies."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the sets of replicas that stand side by side, each with a rolling update of its own.

    `revisions` are those that its replicas were started as; the last one is wanted now. `waiting_since` is when one of
    them was first seen to wait for room, 0 while none does.
    """

    name: str
    desired: int = 0
    held: ReplicaSet = field(default_factory=ReplicaSet)
    revisions: tuple[Revision, ...] = ()
    waiting_since: float = 0.0

    @property
    def wanted(self) -> Revision:
        return self.revisions[-1]

    def revision(self, replica: Replica) -> Revision:
        return next(revision for revision in self.revisions if revision.key == replica.key)

    def towards(self, revision: Revision) -> "Side":
        """The same set with `revision` wanted, and those forgotten that no replica is of."""
        keys = {replica.key for replica in self.held.replicas} - {revision.key}
        # One that is wanted again stays as it was begun: its name is in reports, and its body in its replicas.
        known = next((r for r in self.revisions if r.key == revision.key), revision)
        return changed(self, revisions=(*(r for r in self.revisions if r.key in keys), known))

    def joined(self, other: "Side", wanted: Revision) -> "Side":
        """Both sets as one of which `wanted` is wanted; the crashes are those of the side whose revision that is."""
        crashes = other.held if other.revisions and other.wanted.key == wanted.key else self.held
        held = replace(
            crashes,
            replicas=(*self.held.replicas, *other.held.replicas),
            routed=(*self.held.routed, *other.held.routed),
            route_generation=max(self.held.route_generation, other.held.route_generation),
        )
        revisions = {revision.key: revision for revision in (*other.revisions, *self.revisions)}
        return replace(self, held=held, revisions=tuple(revisions.values())).towards(wanted)

    def leaving(self, now: float) -> "Side":
        """The same set with every replica told to go."""
        gone = tuple(r if r.is_leaving else replace(r, is_leaving=True, left_at=now) for r in self.held.replicas)
        return replace(self, desired=0, held=replace(self.held, replicas=gone))

    def ready(self, sight: Sight) -> list[Replica]:
        """Those of the wanted revision that stay and are ready."""
        return [replica for replica in self.held.replicas if sight.is_current(replica) and sight.is_ready(replica)]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A revision (`key`) on its way, on the side NEXT. `step` is the share it is to have, `since` when it had that
    first, 0 before. `old` counts from the beginning, `new` from the step's."""

    key: str
    began_at: float
    step: int = 0
    since: float = 0.0
    old: Tally = field(default_factory=Tally)
    new: Tally = field(default_factory=Tally)
    is_paused: bool = False
    is_cramped: bool = False
    """There is no room beside the old replicas: an old one goes for each that comes."""
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A revision that was taken back, and why. It is not tried again until the file or the version changes."""

    key: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class EndpointMemory:
    """`told`, `watch` and `keyless` are what routing `route_generation` said; the last are secrets without a value,
    whose fallbacks were left out.

    A revision is served on while its model says nothing. `url` and `grpc` are the last ones known; `served` names the
    revisions that answered last. No replica's number is used twice, in whichever side it is.
    `order` is the number of the last order that was carried out. `start_s` is what a replica's start is taken to
    need, 0 before one was seen; `starts` are the latest ones.
    """

    sides: tuple[Side, ...] = ()
    desired: int = 0
    last_number: int = 0
    rollout: Rollout | None = None
    refused: Refused | None = None
    route_generation: int = 0
    told: tuple[RouteVersion, ...] = ()
    watch: Watch = field(default_factory=Watch)
    keyless: tuple[str, ...] = ()
    served: str = ""
    generation: int = 0
    order: int = 0
    url: str = ""
    grpc: str = ""
    removing_since: float = 0.0
    start_s: float = 0.0
    starts: tuple[float, ...] = ()

    def side(self, name: str) -> Side:
        """The side of that name, empty where there was none yet."""
        for side in self.sides:
            if side.name == name:
                return side
        return Side(name)

    def with_sides(self, *sides: Side) -> "EndpointMemory":
        """With these in the place of those of the same names, or beside the others."""
        fresh = {side.name: side for side in (*self.sides, *sides)}
        return changed(self, sides=tuple(fresh.values()))

    def without(self, name: str) -> "EndpointMemory":
        return replace(self, sides=tuple(side for side in self.sides if side.name != name))


def reborn(memory: EndpointMemory) -> EndpointMemory:
    """An endpoint that is made anew counts its replicas and routings on: no name is used twice, and no order either."""
    return EndpointMemory(
        last_number=memory.last_number,
        route_generation=memory.route_generation,
        order=memory.order,
        start_s=memory.start_s,
        starts=memory.starts,
    )
