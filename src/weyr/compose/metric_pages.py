"""Which replicas are to be asked for a metric of their own, and where? Those that are ready, of what scales by one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from weyr.core.ref import Ref
from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.kinds.ml.endpoint.engines import ENGINES
from weyr.reconcile.world import World

PATH = "/metrics"


@dataclass(frozen=True, slots=True)
class MetricPage:
    """One replica's page: its address is HOST:PORT, or the path of a socket; `metric` is what to look for."""

    ref: Ref
    part: str
    address: str
    path: str
    metric: str


def metric_pages(world: World) -> Iterator[MetricPage]:
    """The pages to be read now. Its caller holds the world's lock."""
    for ref, row in world.objects.items():
        if not row.spec or '"target_metric":{' not in row.spec:
            continue
        plain = json.loads(row.spec)
        target = plain["scale"]["target_metric"]
        engine = ENGINES.get(plain.get("engine") or "")
        path, port = (engine.metrics, engine.metrics_port) if engine else (target.get("path") or PATH, 1)
        for part, thing in world.things_of(ref).items():
            match thing.seen:
                case Present(facts=TaskFacts(state=TaskState.RUNNING, is_ready=True, ports=ports, address=address)):
                    # What has ports answers the engine's own question at the address, and its callers at a port.
                    where = f"127.0.0.1:{ports[min(port, len(ports)) - 1]}" if ports else address
                    if where:
                        yield MetricPage(ref, part, where, path, target["name"])
                case _:
                    continue
