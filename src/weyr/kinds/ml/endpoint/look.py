"""What does one look at an endpoint see? The values that every step of its decision reads."""

from dataclasses import dataclass

from weyr.core.decision import Phase, Thing, View, Want
from weyr.core.replica_set import Sight
from weyr.core.seen import Present, RouteFacts
from weyr.kinds.ml.endpoint.memory import EndpointMemory, Side
from weyr.kinds.ml.endpoint.spec import EndpointSpec

ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Look:
    """What is wanted and what is seen. `spec` is the want's, which is there."""

    want: Want[EndpointSpec]
    spec: EndpointSpec
    view: View[EndpointMemory]

    @property
    def lacks(self) -> tuple[str, ...]:
        """What replicas cannot begin without and is not ready: buckets, secrets, a queue. Of a model they need only a
        version."""
        needs = {ref: need.phase for ref, need in self.view.needs.items() if ref.kind != "model"}
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
