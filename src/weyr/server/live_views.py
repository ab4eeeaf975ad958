"""How does what is watched of endpoints look, as JSON and as metrics? Rates of the last minute, costs of an hour."""

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from weyr.core import serving_metrics as names
from weyr.core.ref import Ref
from weyr.core.routes import LATENCY_BUCKETS_S
from weyr.core.serving_metrics import Metric
from weyr.core.units import MICROS
from weyr.ledger.prices import CURRENCY
from weyr.ledger.unit_costs import UnitCost, together, unit_cost
from weyr.server.live import Line, Live, Watched


def live_json(live: Live, stack: str, name: str) -> dict[str, Any]:
    """Each endpoint with its versions. Of requests nobody made there is no latency and no price: null."""
    with live.reading:
        found = [
            _endpoint(ref, watched)
            for ref, watched in sorted(live.endpoints.items())
            if (not stack or ref.stack == stack) and (not name or ref.name == name)
        ]
    return {"endpoints": found, "currency": CURRENCY}


def unit_costs(live: Live) -> dict[Ref, dict[str, Any]]:
    """What each endpoint's requests cost over the last hour, its shadows left away."""
    with live.reading:
        return {ref: _cost_json(_costs(_answering(watched))) for ref, watched in live.endpoints.items()}


def live_metrics(live: Live) -> Iterator[Family]:
    """Money by version, in the currency."""
    spent = CounterMetricFamily(names.COST.name, names.COST.text, labels=names.COST.labels)
    thousand = _gauge(names.COST_PER_1000)
    million = _gauge(names.COST_PER_MILLION)
    with live.reading:
        for ref, watched in sorted(live.endpoints.items()):
            for version, line in sorted(watched.lines.items()):
                labels = [f"{ref.stack}/{ref.name}", version, CURRENCY]
                spent.add_metric(labels, line.now.micros / MICROS)
                cost = _cost(line)
                for family, micros in ((thousand, cost.per_thousand_requests), (million, cost.per_million_tokens)):
                    if micros is not None:
                        family.add_metric(labels, micros / MICROS)
    yield from (spent, thousand, million)


def _gauge(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.text, labels=metric.labels)


def _endpoint(ref: Ref, watched: Watched) -> dict[str, Any]:
    copies = [line for version, line in watched.lines.items() if version in watched.shadows]
    return {
        "ref": str(ref),
        "stack": ref.stack,
        "name": ref.name,
        "inflight": watched.inflight,
        "waiting": watched.waiting,
        "cost": _cost_json(_costs(_answering(watched))),
        "shadow_cost": _cost_json(_costs(copies)),
        "versions": [
            {"version": version, "is_shadow": version in watched.shadows, **_line(line)}
            for version, line in sorted(watched.lines.items())
        ],
    }


def _answering(watched: Watched) -> list[Line]:
    return [line for version, line in watched.lines.items() if version not in watched.shadows]


def _line(line: Line) -> dict[str, Any]:
    figures: dict[str, Any] = {"replicas": line.replicas, "cost": _cost_json(_cost(line))}
    if not line.counts:
        return figures | dict.fromkeys(("per_s", "errors_per_s", "tokens_per_s", "p50_s", "p99_s", "first_token_p50_s"))
    (from_at, first), (to_at, last) = line.counts[0], line.counts[-1]
    took_s = to_at - from_at
    tokens = last.prompt_tokens + last.completion_tokens - first.prompt_tokens - first.completion_tokens

    def per_s(count: int) -> float | None:
        return round(count / took_s, 3) if took_s > 0 else None

    latencies, firsts = _added(first.buckets, last.buckets), _added(first.first_token_buckets, last.first_token_buckets)
    return figures | {
        "per_s": per_s(last.requests - first.requests),
        "errors_per_s": per_s(last.errors - first.errors),
        "tokens_per_s": per_s(tokens),
        "p50_s": quantile(latencies, 0.5),
        "p99_s": quantile(latencies, 0.99),
        "first_token_p50_s": quantile(firsts, 0.5, names.LATENCY_BUCKETS_S),
    }


def _added(first: tuple[int, ...], last: tuple[int, ...]) -> list[int]:
    return [b - a for a, b in zip(first or (0,) * len(last), last, strict=True)]


def quantile(buckets: list[int], share: float, bounds: tuple[float, ...] = LATENCY_BUCKETS_S) -> float | None:
    """Seconds below which this share is, straight within a bucket as Prometheus has it; None of nothing."""
    cumulated = list(accumulate(buckets))
    if not cumulated or not cumulated[-1]:
        return None
    rank = share * cumulated[-1]
    edges = (0.0, *bounds)
    for (low, high), count, upto in zip(pairwise(edges), buckets, cumulated, strict=False):
        if upto >= rank and count:
            return round(low + (high - low) * (1 - (upto - rank) / count), 6)
    return bounds[-1]


def _cost(line: Line) -> UnitCost:
    return unit_cost(line.uses[0] if line.uses else line.now, line.now)


def _costs(lines: list[Line]) -> UnitCost:
    firsts = [line.uses[0] if line.uses else line.now for line in lines]
    at = max((line.now.at_ms for line in lines), default=0)
    since = min((use.at_ms for use in firsts), default=0)
    return unit_cost(together(firsts, since), together([line.now for line in lines], at))


def _cost_json(cost: UnitCost) -> dict[str, Any]:
    return {
        "since": cost.since_ms / 1000,
        "micros": cost.micros,
        "requests": cost.requests,
        "tokens": cost.tokens,
        "per_thousand_requests_micros": cost.per_thousand_requests,
        "per_million_tokens_micros": cost.per_million_tokens,
    }
