"""Where do the known engines that run say how busy they are? Their metrics pages, and what things are called there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.kinds.ml.endpoint.engines import ENGINES, Gauges
from weyr.reconcile.world import World


@dataclass(frozen=True, slots=True)
class Page:
    """One replica's metrics: whose they are, where, and what they are called there."""

    endpoint: str
    replica: str
    engine: str
    port: int
    path: str
    gauges: Gauges

    @property
    def labels(self) -> tuple[str, str, str]:
        return self.endpoint, self.replica, self.engine


def pages_of(world: World) -> Iterator[Page]:
    """The pages of all replicas that run a known engine. Its caller holds the world's lock."""
    for ref, row in world.objects.items():
        if ref.kind != "endpoint" or '"engine"' not in (row.spec or ""):
            continue
        name = json.loads(row.spec or "{}").get("engine")
        engine = ENGINES.get(name or "")
        for part, thing in world.things_of(ref).items() if engine else ():
            match thing.seen:
                case Present(facts=TaskFacts(state=TaskState.RUNNING, ports=ports)) if engine and ports:
                    port = ports[min(engine.metrics_port, len(ports)) - 1]
                    yield Page(f"{ref.stack}/{ref.name}", part, str(name), port, engine.metrics, engine.gauges)
                case _:
                    continue
