"""What does one look at an endpoint see? The values that every step of its decision reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from weyr.core.decision import Phase, Thing, View, Want
from weyr.core.replica_set import Sight
from weyr.core.routes import VersionCounts
from weyr.core.seen import Present, RouteFacts
from weyr.kinds.ml.endpoint.memory import EndpointMemory, Side
from weyr.kinds.ml.endpoint.revision import Revision
from weyr.kinds.ml.endpoint.spec import EndpointSpec

ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Look:
    """What is wanted and what is seen. `spec` is the want's, which is there; `found` are the revisions that are wanted,
    by side, and `lacking` the sides whose model has no version, each with what it waits for."""

    want: Want[EndpointSpec]
    spec: EndpointSpec
    view: View[EndpointMemory]
    found: Mapping[str, Revision] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What replicas cannot begin without and is not ready: buckets, secrets, a queue. Of a model they need only a
        version, and of whoever answers instead of this one nothing: neither the endpoint nor a server's key."""
        stack, spec = self.want.ref.stack, self.spec
        own = {secret.ref(stack) for secret in (*spec.secrets.values(), *spec.secret_files.values())}
        keys = {item.secret.ref(stack) for item in spec.fallback if item.secret} - own
        needs = {
            ref: need.phase
            for ref, need in self.view.needs.items()
            if ref.kind not in ("model", "endpoint") and ref not in keys
        }
        return tuple(sorted(f"{ref} ({phase})" for ref, phase in needs.items() if phase is not Phase.READY))

    @property
    def now(self) -> float:
        return self.view.now

    def sight(self, side: Side) -> Sight:
        return Sight(self.view.now, self.view.things, side.wanted.key)

    @property
    def route(self) -> RouteFacts | None:
        match self.view.things.get(ROUTE):
            case Thing(seen=Present(facts=RouteFacts() as facts)):
                return facts
            case _:
                return None

    def counts(self, name: str) -> VersionCounts | None:
        """What the plane counted of a version, None while it says nothing of it."""
        route = self.route
        return next((counts for counts in route.versions if counts.name == name), None) if route else None
