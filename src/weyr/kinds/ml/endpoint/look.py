"""What does one look at an endpoint see? The values that every step of its decision reads."""

import hashlib
from dataclasses import dataclass

from weyr.core.decision import Thing, View, Want
from weyr.core.schema import to_json
from weyr.core.seen import Present, RouteFacts, TaskFacts, TaskState, Unknown
from weyr.kinds.ml.endpoint.body import Target
from weyr.kinds.ml.endpoint.memory import EndpointMemory, Replica
from weyr.kinds.ml.endpoint.spec import EndpointSpec, Resources

ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Look:
    """`key` names what a replica has to be started with: version, files and resources."""

    want: Want[EndpointSpec]
    spec: EndpointSpec
    view: View[EndpointMemory]
    target: Target
    key: str

    @property
    def now(self) -> float:
        return self.view.now

    def thing(self, replica: Replica) -> Thing | None:
        return self.view.things.get(replica.part)

    def facts(self, replica: Replica) -> TaskFacts | None:
        match self.thing(replica):
            case Thing(seen=Present(facts=TaskFacts() as facts)):
                return facts
            case _:
                return None

    def is_running(self, replica: Replica) -> bool:
        facts = self.facts(replica)
        return facts is not None and facts.state is TaskState.RUNNING

    def is_ready(self, replica: Replica) -> bool:
        facts = self.facts(replica)
        return facts is not None and facts.state is TaskState.RUNNING and facts.is_ready

    def is_silent(self, replica: Replica) -> bool:
        """Whether nothing is known just now of a replica that its engine took on."""
        thing = self.thing(replica)
        return thing is not None and thing.is_accepted and isinstance(thing.seen, Unknown)

    def is_current(self, replica: Replica) -> bool:
        """Whether it serves what is wanted, and stays."""
        return replica.key == self.key and not replica.is_leaving

    @property
    def route(self) -> RouteFacts | None:
        match self.view.things.get(ROUTE):
            case Thing(seen=Present(facts=RouteFacts() as facts)):
                return facts
            case _:
                return None


def key_of(resources: Resources, target: Target) -> str:
    text = f"{to_json(Resources, resources)} {target.version} {target.source}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]
