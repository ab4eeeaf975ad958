"""How does Prometheus see the plane? Plain counters written out when asked, under the names of one table.

The counting itself is integer additions: a metrics library's locks would cost more than routing. A version that nobody
asked for anything is left out, so that a thousand idle endpoints are a thousand short lines and not a million.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from weyr.core import serving_metrics as names
from weyr.core.serving_metrics import Metric
from weyr.gateway.inference.counts import Counts
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.measure import Histogram, Tally
from weyr.gateway.inference.plane import Plane

Sample = tuple[tuple[object, ...], float]
"""The values of a metric's labels, in the table's order, and what it shows."""


def metrics_text(plane: Plane) -> str:
    """The plane's metrics in Prometheus' text format."""
    endpoints = list(plane.table.seen().values())
    versions = [
        (endpoint.route.name, counts)
        for endpoint in endpoints
        for counts in (*endpoint.counts.values(), endpoint.nobody)
        if counts.requests
    ]
    parts = [*_of_plane(plane), *_of_endpoints(plane, endpoints), *_of_callers(versions), *_of_versions(versions)]
    return "".join(parts)


def _of_plane(plane: Plane) -> Iterator[str]:
    yield _plain(names.CONNECTIONS, [((), len(plane.doors))])
    yield _plain(names.GENERATION, [((), plane.table.generation)])
    yield _plain(names.REFUSALS, [((status,), count) for status, count in sorted(plane.refusals.items())])
    yield _plain(names.SPANS, [((), sum(exporter.sent for exporter in plane.exporters.values()))])
    yield _plain(names.SPANS_DROPPED, [((), sum(exporter.dropped for exporter in plane.exporters.values()))])
    yield _plain(names.LOGGED, [((name,), count) for name, count in sorted(plane.payloads.logged.items())])
    yield _plain(names.UNLOGGED, sorted(plane.payloads.dropped.items()))


def _of_endpoints(plane: Plane, endpoints: Sequence[Endpoint]) -> Iterator[str]:
    yield _plain(names.INFLIGHT, [((e.route.name,), e.inflight) for e in endpoints])
    yield _plain(names.WAITING, [((e.route.name,), len(e.waiting)) for e in endpoints])
    replicas = [((e.route.name, told.name), len(told.replicas)) for e in endpoints for told in e.route.body.versions]
    yield _plain(names.REPLICAS, replicas)
    steps = [((e.route.name, step.told.name), step.taken) for e in endpoints for step in e.chain]
    yield _plain(names.FALLBACKS, steps)
    copies = [
        ((e.route.name, counts.name, outcome), count)
        for e in endpoints
        for counts in e.counts.values()
        for outcome, count in _copies(counts)
        if count
    ]
    yield _plain(names.SHADOWS, copies)


def _copies(counts: Counts) -> tuple[tuple[str, int], ...]:
    return (
        ("alike", counts.shadow_compared - counts.shadow_differed),
        ("differed", counts.shadow_differed),
        ("failed", counts.shadow_failed),
        ("dropped", counts.shadow_dropped),
    )


def _of_callers(versions: Sequence[tuple[str, Counts]]) -> Iterator[str]:
    tallies: list[tuple[tuple[object, ...], Tally]] = [
        ((name, counts.name, caller), tally)
        for name, counts in versions
        for caller, tally in counts.measure.callers.items()
    ]
    statuses = [
        ((*labels, status), count) for labels, tally in tallies for status, count in sorted(tally.statuses.items())
    ]
    yield _plain(names.REQUESTS, statuses)
    yield _plain(names.REQUEST_BYTES, [(labels, tally.request_bytes) for labels, tally in tallies])
    yield _plain(names.RESPONSE_BYTES, [(labels, tally.response_bytes) for labels, tally in tallies])
    yield _plain(names.DISCONNECTS, [(labels, tally.disconnects) for labels, tally in tallies])
    speaking = [(labels, tally) for labels, tally in tallies if tally.prompt_tokens or tally.generation_tokens]
    yield _plain(names.PROMPT_TOKENS, [(labels, tally.prompt_tokens) for labels, tally in speaking])
    yield _plain(names.GENERATION_TOKENS, [(labels, tally.generation_tokens) for labels, tally in speaking])


def _of_versions(versions: Sequence[tuple[str, Counts]]) -> Iterator[str]:
    durations = [((name, c.name), c.buckets, c.latency_sum_s) for name, c in versions]
    yield _histogram(names.DURATION, durations)
    yield _histogram(names.QUEUE, [_shown(name, c, c.measure.queue) for name, c in versions])
    yield _histogram(names.COLD_START, _used([_shown(name, c, c.measure.cold) for name, c in versions]))
    yield _histogram(names.FIRST_TOKEN, _used([_shown(name, c, c.measure.first_token) for name, c in versions]))
    yield _histogram(names.INTER_TOKEN, _used([_shown(name, c, c.measure.inter_token) for name, c in versions]))


Shown = tuple[tuple[object, ...], Sequence[int], float]
"""The values of a histogram's labels, its counts by bucket, and its sum."""


def _shown(name: str, counts: Counts, histogram: Histogram) -> Shown:
    return (name, counts.name), histogram.counts, histogram.sum_s


def _used(shown: Sequence[Shown]) -> list[Shown]:
    return [each for each in shown if any(each[1])]


def _plain(metric: Metric, samples: Sequence[Sample]) -> str:
    lines = [f"{metric.sample()}{_labels(metric, values)} {value}\n" for values, value in samples]
    return metric.head() + "".join(lines)


def _histogram(metric: Metric, shown: Sequence[Shown]) -> str:
    bounds = (*(f"{bound:g}" for bound in metric.buckets), "+Inf")
    lines = [metric.head()]
    for values, counts, sum_s in shown:
        cumulated = list(accumulate(counts))
        labels = _labels(metric, values)
        inside = labels[:-1]
        bucket = metric.sample("_bucket")
        lines += [f'{bucket}{inside},le="{bound}"}} {count}\n' for bound, count in zip(bounds, cumulated, strict=True)]
        lines.append(
            f"{metric.sample('_sum')}{labels} {sum_s:.6f}\n{metric.sample('_count')}{labels} {cumulated[-1]}\n"
        )
    return "".join(lines)


def _labels(metric: Metric, values: Sequence[object]) -> str:
    if not metric.labels:
        return ""
    return "{" + ",".join(f'{key}="{_text(value)}"' for key, value in zip(metric.labels, values, strict=True)) + "}"


def _text(value: object) -> str:
    """A label's value. Names of callers are made by people."""
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
