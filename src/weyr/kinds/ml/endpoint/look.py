"""What does one look at an endpoint see? The values that every step of its decision reads."""

from dataclasses import dataclass

from weyr.core.decision import Thing, View, Want
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
