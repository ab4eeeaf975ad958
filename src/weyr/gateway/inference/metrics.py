"""How does Prometheus see the plane? Plain counters written out when asked.

The counting itself is integer additions in `Endpoint`: a metrics library's locks would cost more than routing.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from weyr.core.routes import LATENCY_BUCKETS_S
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.plane import Plane


def metrics_text(plane: Plane) -> str:
    """The plane's metrics in Prometheus' text format."""
    endpoints = list(plane.table.seen().values())
    return "".join(f"{line}\n" for line in _lines(plane, endpoints))


def _lines(plane: Plane, endpoints: list[Endpoint]) -> Iterator[str]:
    yield from _head("weyr_inference_connections", "gauge", "Callers connected now.")
    yield f"weyr_inference_connections {len(plane.doors)}"
    yield from _head("weyr_inference_routes_generation", "gauge", "The routes in force.")
    yield f"weyr_inference_routes_generation {plane.table.generation}"
    yield from _head("weyr_inference_refusals_total", "counter", "Requests refused before they reached an endpoint.")
    for status, count in sorted(plane.refusals.items()):
        yield f'weyr_inference_refusals_total{{status="{status}"}} {count}'
    yield from _head("weyr_inference_requests_total", "counter", "Requests answered, by status.")
    for endpoint in endpoints:
        for status, count in sorted(endpoint.statuses.items()):
            yield f'weyr_inference_requests_total{{{_label(endpoint)},status="{status}"}} {count}'
    yield from _head("weyr_inference_inflight", "gauge", "Requests under way, held ones included.")
    yield from (f"weyr_inference_inflight{{{_label(endpoint)}}} {endpoint.inflight}" for endpoint in endpoints)
    yield from _head("weyr_inference_waiting", "gauge", "Requests held because no replica is ready.")
    yield from (f"weyr_inference_waiting{{{_label(endpoint)}}} {len(endpoint.waiting)}" for endpoint in endpoints)
    yield from _head("weyr_inference_replicas", "gauge", "Replicas that requests are sent to.")
    yield from (f"weyr_inference_replicas{{{_label(endpoint)}}} {len(endpoint.replicas)}" for endpoint in endpoints)
    yield from _head("weyr_inference_latency_seconds", "histogram", "From the whole head to the whole answer.")
    for endpoint in endpoints:
        yield from _histogram(endpoint)


def _histogram(endpoint: Endpoint) -> Iterator[str]:
    name, label = "weyr_inference_latency_seconds", _label(endpoint)
    counts = list(accumulate(endpoint.buckets))
    bounds: Iterable[str] = (*(f"{bound:g}" for bound in LATENCY_BUCKETS_S), "+Inf")
    for bound, count in zip(bounds, counts, strict=True):
        yield f'{name}_bucket{{{label},le="{bound}"}} {count}'
    yield f"{name}_sum{{{label}}} {endpoint.latency_sum_s:.6f}"
    yield f"{name}_count{{{label}}} {counts[-1]}"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _label(endpoint: Endpoint) -> str:
    # Names are [a-z0-9_-] and a slash, so nothing needs escaping.
    return f'endpoint="{endpoint.route.name}"'
