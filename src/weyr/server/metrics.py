"""What may Prometheus scrape? Counts and money, taken from the world at the moment of asking."""

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from weyr.attempt import nvml
from weyr.compose.engine_pages import Page, pages_of
from weyr.core import serving_metrics as names
from weyr.core.seen import FunctionFacts, Present, TaskFacts, TaskState
from weyr.core.units import MICROS
from weyr.ledger.grouping import By
from weyr.ledger.ledger import Ledger
from weyr.reconcile.world import World
from weyr.server.engines import asked
from weyr.server.live import versions_of
from weyr.server.live_views import live_metrics
from weyr.server.service import Service

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of the text; Prometheus 3 goes by it. Our names need nothing of the later versions."""


class WeyrCollector(Collector):
    """Reads everything anew for each scrape; nothing is counted twice and nothing is forgotten by a restart."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        weyr = self._service.weyr
        with weyr.lock:
            yield from _objects(weyr.world)
            yield from _functions(weyr.world)
            yield devices_of_replicas(weyr.world)
            pages = list(pages_of(weyr.world))
        yield from _engines(pages)
        yield from _money(weyr.ledger, self._service.now())
        if self._service.live is not None:
            yield from live_metrics(self._service.live)
        yield from _devices()
        planes = GaugeMetricFamily("weyr_plane_up", "Whether a data plane's process runs", labels=["plane"])
        for name, plane in weyr.planes.items():
            planes.add_metric([name], 1.0 if plane.running() else 0.0)
        yield planes


def metrics_text(service: Service) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(WeyrCollector(service))
    return generate_latest(registry)


def _objects(world: World) -> Iterator[Metric]:
    phases = Counter((ref.stack, ref.kind, world.phase(ref).value) for ref in world.objects)
    objects = GaugeMetricFamily("weyr_objects", "Objects by phase", labels=["stack", "kind", "phase"])
    for labels, count in sorted(phases.items()):
        objects.add_metric(list(labels), count)
    yield objects
    seen = Counter(
        (thing.capability.value, thing.seen.seen) for parts in world.things.values() for thing in parts.values()
    )
    things = GaugeMetricFamily("weyr_things", "Things that engines hold, as last seen", labels=["capability", "seen"])
    for (capability, word), count in sorted(seen.items()):
        things.add_metric([capability, word], count)
    yield things


def _functions(world: World) -> Iterator[Metric]:
    """What functions did since their plane began, as it was seen last; the plane itself has histograms too."""
    seen = {
        f"{ref.stack}/{ref.name}": thing.seen.facts
        for ref, things in world.things.items()
        for thing in things.values()
        if isinstance(thing.seen, Present) and isinstance(thing.seen.facts, FunctionFacts)
    }
    counters = {
        "invocations": "Attempts that ended",
        "errors": "Attempts that failed",
        "cold_starts": "Attempts that waited for an instance",
    }
    for name, text in counters.items():
        counter = CounterMetricFamily(f"weyr_function_{name}", text, labels=["function"])
        for function, facts in seen.items():
            counter.add_metric([function], getattr(facts, name))
        yield counter
    gauges = {"instances": "Instances that run", "queued": "Events that wait", "dead": "Events that failed for good"}
    for name, text in gauges.items():
        gauge = GaugeMetricFamily(f"weyr_function_{name}", text, labels=["function"])
        for function, facts in seen.items():
            gauge.add_metric([function], getattr(facts, name))
        yield gauge
    times = GaugeMetricFamily("weyr_function_warm_seconds", "Of the last thousand", labels=["function", "quantile"])
    for function, facts in seen.items():
        times.add_metric([function, "0.5"], facts.p50_ms / 1000)
        times.add_metric([function, "0.99"], facts.p99_ms / 1000)
    yield times
    waits = GaugeMetricFamily("weyr_function_cold_seconds", "Of the last thousand", labels=["function", "quantile"])
    for function, facts in seen.items():
        waits.add_metric([function, "0.5"], facts.cold_p50_ms / 1000)
    yield waits


def _engines(pages: Sequence[Page]) -> Iterator[Metric]:
    """What known engines say of themselves, asked now."""
    said = asked(pages)
    up = GaugeMetricFamily(names.ENGINE_UP.name, names.ENGINE_UP.text, labels=names.ENGINE_UP.labels)
    for page, busy in said.items():
        up.add_metric(page.labels, busy is not None)
    yield up
    told = {
        names.ENGINE_RUNNING: "running",
        names.ENGINE_WAITING: "waiting",
        names.ENGINE_CACHE: "cache",
        names.ENGINE_TOKENS_IN: "tokens_in",
        names.ENGINE_TOKENS_OUT: "tokens_out",
    }
    for metric, word in told.items():
        family = CounterMetricFamily if metric.sort == "counter" else GaugeMetricFamily
        samples = family(metric.name, metric.text, labels=metric.labels)
        for page, busy in said.items():
            if busy is not None and (value := getattr(busy, word)) is not None:
                samples.add_metric(page.labels, value)
        yield samples


def _devices() -> Iterator[Metric]:
    """What the driver says of this machine's devices; nothing where there is no driver, or where it does not answer."""
    memory = GaugeMetricFamily(names.GPU_MEMORY.name, names.GPU_MEMORY.text, labels=names.GPU_MEMORY.labels)
    busy = GaugeMetricFamily(names.GPU_BUSY.name, names.GPU_BUSY.text, labels=names.GPU_BUSY.labels)
    try:
        loads = nvml.loads()
    except nvml.NvmlTrouble:
        loads = ()
    for load in loads:
        for state, size in (("used", load.used_bytes), ("free", load.free_bytes), ("total", load.total_bytes)):
            memory.add_metric([load.id, load.model, state], size)
        if load.busy is not None:
            busy.add_metric([load.id, load.model], load.busy)
    yield memory
    yield busy


def devices_of_replicas(world: World) -> Metric:
    """Whose a device is. NVML and DCGM know devices by the names that a replica's has been given."""
    whose = GaugeMetricFamily(names.GPU_OF.name, names.GPU_OF.text, labels=names.GPU_OF.labels)
    for ref, things in sorted(world.things.items()):
        versions = versions_of(things) if ref.kind == "endpoint" else {}
        for part, version in sorted(versions.items()):
            match things[part].seen if part in things else None:
                case Present(facts=TaskFacts(state=TaskState.RUNNING, devices=devices)):
                    for device in devices:
                        whose.add_metric([device, f"{ref.stack}/{ref.name}", version, part], 1)
                case _:
                    continue
    return whose


def _money(ledger: Ledger, now: float) -> Iterator[Metric]:
    cost = ledger.cost(None, By.STACK, now)
    spent = CounterMetricFamily("weyr_cost", "What a stack has cost, in the currency", labels=["stack", "currency"])
    rate = GaugeMetricFamily("weyr_cost_per_hour", "What a stack costs per hour now", labels=["stack", "currency"])
    for row in cost.rows:
        spent.add_metric([row.key, cost.currency], row.micros / MICROS)
        rate.add_metric([row.key, cost.currency], row.rate_micros_per_hour / MICROS)
    yield spent
    yield rate
    yield GaugeMetricFamily("weyr_meters_open", "Meters that run", value=len(ledger.open_meters()))
