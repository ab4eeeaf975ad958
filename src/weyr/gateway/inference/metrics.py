"""How does Prometheus see the plane? Plain counters taken together when asked, under the names of one table.

The counting itself is integer additions: a metrics library's locks would cost more than routing. A version that nobody
asked for anything is left out, so that a thousand idle endpoints are a thousand short lines and not a million.
"""

import asyncio
import json
import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from weyr.core import serving_metrics as names
from weyr.core.routes import LATENCY_BUCKETS_S
from weyr.core.serving_metrics import Metric
from weyr.gateway.inference.bequest import SUFFIX, Before, Bequest
from weyr.gateway.inference.counts import Counts
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.figures import Amount, Figures, Labels, Samples, added, of_endpoints, text_of
from weyr.gateway.inference.measure import Histogram, Tally
from weyr.gateway.inference.plane import Plane
from weyr.wire.ask import NoAnswer, asked

WRITE_EVERY_S = 0.25
_COARSE = (*(bisect_left(names.LATENCY_BUCKETS_S, bound) for bound in LATENCY_BUCKETS_S), len(names.LATENCY_BUCKETS_S))
"""Where among the bounds that are told each of those that are counted by falls."""


class Teller:
    """Tells what this process counted, together with those whose place it took. `name` is the process' own, such as
    inference-1; the others of the plane have their control sockets beside `control`."""

    def __init__(self, plane: Plane, control: Path, info: Path) -> None:
        self.name, self.control = control.stem, control
        self._plane = plane
        self._before = Before()
        self._bequest = Bequest(info.with_name(f"{info.stem}.{os.getpid()}{SUFFIX}"), self._before, self._own)
        self._info = info

    def metrics(self) -> str:
        """All of it in Prometheus' text format."""
        before = self._before.figures()
        whole = added(self._own(), before)
        shown = text_of(of_endpoints(whole, self._plane.table.seen().keys()) if before else whole)
        self._bequest.write()
        return shown

    def bequeath(self) -> Path:
        """From now on what this process counts is written down for its successor. Where."""
        return self._bequest.begin()

    async def inherit(self) -> None:
        """Asks who has this place now for its counts. One that does not answer leaves none."""
        try:
            _, text = await asked(self.control, "POST", "/bequest")
            self._before.open.append(Path(json.loads(text)["file"]))
        except (NoAnswer, ValueError, KeyError, TypeError):
            return

    def forget(self) -> None:
        """Nobody had this place: counting begins at 0."""
        for left in self._info.parent.glob(f"{self._info.stem}.*{SUFFIX}"):
            left.unlink(missing_ok=True)

    async def keep_telling(self) -> None:
        """Writes down what is still counted while callers leave, until cancelled."""
        while True:
            self._bequest.write()
            await asyncio.sleep(WRITE_EVERY_S)

    def close(self, is_followed: bool) -> None:
        """Writes down the last of it, or takes back what nobody will read."""
        self._bequest.close(is_followed)

    def _own(self) -> Figures:
        return figures_of(self._plane)


def figures_of(plane: Plane) -> Figures:
    """What this process counted since it began."""
    endpoints = list(plane.table.seen().values())
    versions = [
        (endpoint.route.name, counts)
        for endpoint in endpoints
        for counts in (*endpoint.counts.values(), endpoint.nobody)
        if counts.requests
    ]
    parts = (_of_plane(plane), _of_endpoints(endpoints), _of_callers(versions), _of_versions(versions))
    return {metric.name: samples for part in parts for metric, samples in part}


Told = Iterator[tuple[Metric, Samples]]


def _of_plane(plane: Plane) -> Told:
    exporters = plane.exporters.values()
    yield names.CONNECTIONS, {(): len(plane.doors)}
    yield names.GENERATION, {(): plane.table.generation}
    yield names.REFUSALS, {(status,): count for status, count in sorted(plane.refusals.items())}
    yield names.SPANS, {(): sum(exporter.sent for exporter in exporters)}
    yield names.SPANS_DROPPED, {(): sum(exporter.dropped for exporter in exporters)}
    yield names.LOGGED, {(name,): count for name, count in sorted(plane.payloads.logged.items())}
    yield names.UNLOGGED, dict(sorted(plane.payloads.dropped.items()))


def _of_endpoints(endpoints: Sequence[Endpoint]) -> Told:
    yield names.INFLIGHT, {(e.route.name,): e.inflight for e in endpoints}
    yield names.WAITING, {(e.route.name,): len(e.waiting) for e in endpoints}
    yield names.REPLICAS, {(e.route.name, v.name): len(v.replicas) for e in endpoints for v in e.route.body.versions}
    yield names.FALLBACKS, {(e.route.name, step.told.name): step.taken for e in endpoints for step in e.chain}
    copies: dict[Labels, Amount] = {
        (e.route.name, counts.name, outcome): count
        for e in endpoints
        for counts in e.counts.values()
        for outcome, count in _copies(counts)
        if count
    }
    yield names.SHADOWS, copies


def _copies(counts: Counts) -> tuple[tuple[str, int], ...]:
    return (
        ("alike", counts.shadow_compared - counts.shadow_differed),
        ("differed", counts.shadow_differed),
        ("failed", counts.shadow_failed),
        ("dropped", counts.shadow_dropped),
    )


def _of_callers(versions: Sequence[tuple[str, Counts]]) -> Told:
    tallies: dict[Labels, Tally] = {
        (name, counts.name, caller): tally
        for name, counts in versions
        for caller, tally in counts.measure.callers.items()
    }
    statuses: dict[Labels, Amount] = {
        (*who, status): count for who, tally in tallies.items() for status, count in sorted(tally.statuses.items())
    }
    yield names.REQUESTS, statuses
    yield names.REQUEST_BYTES, {who: tally.request_bytes for who, tally in tallies.items()}
    yield names.RESPONSE_BYTES, {who: tally.response_bytes for who, tally in tallies.items()}
    yield names.DISCONNECTS, {who: tally.disconnects for who, tally in tallies.items()}
    speaking = {who: tally for who, tally in tallies.items() if tally.prompt_tokens or tally.generation_tokens}
    yield names.PROMPT_TOKENS, {who: tally.prompt_tokens for who, tally in speaking.items()}
    yield names.GENERATION_TOKENS, {who: tally.generation_tokens for who, tally in speaking.items()}


def _of_versions(versions: Sequence[tuple[str, Counts]]) -> Told:
    yield names.PREDICTIONS, {(name, c.name): c.predictions for name, c in versions}
    yield names.DURATION, {(name, c.name): (_coarse(c.buckets), c.latency_sum_s) for name, c in versions}
    yield names.QUEUE, dict(_shown(name, c, c.measure.queue) for name, c in versions)
    yield names.COLD_START, _used(dict(_shown(name, c, c.measure.cold) for name, c in versions))
    yield names.FIRST_TOKEN, _used(dict(_shown(name, c, c.measure.first_token) for name, c in versions))
    yield names.INTER_TOKEN, _used(dict(_shown(name, c, c.measure.inter_token) for name, c in versions))


def _coarse(buckets: Sequence[int]) -> list[int]:
    """A latency histogram by the few bounds that Prometheus is told; each of them is one of the many as well."""
    counts = [0] * (len(names.LATENCY_BUCKETS_S) + 1)
    for at, count in zip(_COARSE, buckets, strict=True):
        counts[at] += count
    return counts


def _shown(name: str, counts: Counts, histogram: Histogram) -> tuple[Labels, tuple[Sequence[int], float]]:
    return (name, counts.name), (histogram.counts, histogram.sum_s)


def _used(shown: Mapping[Labels, tuple[Sequence[int], float]]) -> dict[Labels, Amount]:
    return {labels: histogram for labels, histogram in shown.items() if any(histogram[0])}
