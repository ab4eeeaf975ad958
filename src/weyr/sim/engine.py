"""A whole engine that exists only in memory: every capability, nodes, virtual time, seeded faults.

    clock = VirtualClock()
    engine = SimEngine(clock, seed=8841, rates=FaultRates(loses_replies=0.2))
    engine.providers[Capability.TASKS].ensure([...]); clock.advance(10)

It keeps the promises of `weyr.core.capability` under the same conformance suite as the real ones, so what is
decided against it is decided as in production.
"""

from collections.abc import Callable, Mapping

from weyr.core.capability import Capability, Provider, TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.sim.clock import VirtualClock
from weyr.sim.faults import FaultRates, Faults
from weyr.sim.functions import SimFunctions
from weyr.sim.nodes import NodeRates, SimNodes
from weyr.sim.pool_nodes import SimPoolNodes
from weyr.sim.scripts import Script
from weyr.sim.services import SimBuckets, SimModels, SimNotices, SimRoutes, SimSecrets
from weyr.sim.tasks import SimTasks, default_script


class SimEngine:
    """Takes a clock, a seed, rates of faults per call, what each task does, and how its nodes fare.

    `tasks`, `buckets`, `models`, `routes`, `functions`, `secrets`, `notices`, `pool_nodes` are the capabilities, with
    what a simulation may do to them (reclaim a task, fill a bucket, load a route); `providers` is what a loop is given.
    """

    def __init__(
        self,
        clock: VirtualClock,
        seed: int = 0,
        rates: FaultRates | None = None,
        scripts: Callable[[Wanted], Script] = default_script,
        nodes: NodeRates | None = None,
    ) -> None:
        self.clock = clock
        self.faults = Faults(clock, seed, rates or FaultRates())
        self.nodes = SimNodes(clock, seed, nodes or NodeRates())
        self.tasks = SimTasks(clock, self.faults, scripts, self._register, self.nodes)
        self.buckets = SimBuckets(clock, self.faults)
        self.models = SimModels(clock, self.faults)
        self.routes = SimRoutes(clock, self.faults)
        self.functions = SimFunctions(clock, self.faults)
        self.secrets = SimSecrets(clock, self.faults)
        self.notices = SimNotices(clock, self.faults)
        self.pool_nodes = SimPoolNodes(clock, self.faults, self.tasks.lose_all_on)
        self.tasks.has_node, self.tasks.silent_until = self.pool_nodes.has, self.pool_nodes.silent_until
        self.shelves = (
            self.tasks, self.buckets, self.models, self.routes, self.functions, self.secrets, self.notices,
            self.pool_nodes,
        )  # fmt: skip
        self.providers: Mapping[Capability, Provider] = {shelf.capability: shelf for shelf in self.shelves}

    def stop_faults(self) -> None:
        """From now on every call is answered truly, and every node is there; what was delayed still comes."""
        self.faults.stop()
        self.nodes.stop()
        self.pool_nodes.stop()

    def _register(self, id: ThingId, body: TaskBody, script: Script) -> None:
        """A task that succeeds has registered the version that it produces."""
        if body.model:
            self.models.register(body.model, f"s3://sim/{id}/model", script.metrics)
