"""What has a process of the plane counted, as plain values? They are added, written down, told to Prometheus. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from weyr.core import serving_metrics as names
from weyr.core.serving_metrics import OTHER, Metric

Labels = tuple[object, ...]
"""The values of a metric's labels, in the table's order."""
Amount = float | tuple[Sequence[int], float]
"""What a sample shows; of a histogram its counts by bucket, not cumulative, and its sum."""
Samples = Mapping[Labels, Amount]
Figures = Mapping[str, Samples]
"""Samples by their metric's name."""

CALLERS_MAX = 40
"""Callers of one version that are shown by name; a process counts 20 so, and the one before it may have had others."""
VERSIONS_MAX = 64
_METRICS = {metric.name: metric for metric in names.PLANE}


def added(one: Figures, other: Figures) -> dict[str, dict[Labels, Amount]]:
    """What two processes counted together. Gauges are those of `one`: what is now cannot be added to what was."""
    whole = {name: dict(samples) for name, samples in one.items()}
    for name, samples in other.items():
        if name not in _METRICS or _METRICS[name].sort == "gauge":
            continue
        into = whole.setdefault(name, {})
        for labels, amount in samples.items():
            into[labels] = _sum(into[labels], amount) if labels in into else amount
    return whole


def of_endpoints(figures: Figures, endpoints: Collection[str]) -> dict[str, Samples]:
    """Only of these endpoints, and of each no more versions and callers than anybody reads: the busiest."""
    by_caller: dict[Labels, float] = defaultdict(float)
    by_version: dict[Labels, float] = defaultdict(float)
    for labels, count in figures.get(names.REQUESTS.name, {}).items():
        assert isinstance(count, int | float)
        by_version[labels[:2]] += count
        if labels[2] not in ("", OTHER):
            by_caller[labels[:3]] += count
    rare = _rare(by_caller, 2, CALLERS_MAX) | _rare(by_version, 1, VERSIONS_MAX)

    def is_kept(metric: Metric, labels: Labels) -> bool:
        if metric.labels[:1] != ("endpoint",):
            return True
        return labels[0] in endpoints and (metric.sort == "gauge" or not {labels[:2], labels[:3]} & rare)

    return {
        name: {labels: amount for labels, amount in samples.items() if is_kept(_METRICS[name], labels)}
        for name, samples in figures.items()
        if name in _METRICS
    }


def text_of(figures: Figures) -> str:
    """In Prometheus' text format: every metric of the table, with samples or without."""
    return "".join(_text(metric, figures.get(metric.name, {})) for metric in names.PLANE)


def plain(figures: Figures) -> dict[str, Any]:
    """As JSON has it."""
    return {name: [[list(labels), amount] for labels, amount in samples.items()] for name, samples in figures.items()}


def from_plain(value: Mapping[str, Any]) -> dict[str, dict[Labels, Amount]]:
    """Raises: ValueError, TypeError or KeyError where `plain` never wrote this."""
    return {
        name: {
            tuple(labels): (amount[0], float(amount[1])) if isinstance(amount, list) else amount
            for labels, amount in samples
        }
        for name, samples in value.items()
    }


def _sum(one: Amount, other: Amount) -> Amount:
    match one, other:
        case (counts, total), (others, more):
            # A version of Weyr with other buckets: only what it counted since is told, as after any other start.
            if len(counts) != len(others):
                return one
            return [a + b for a, b in zip(counts, others, strict=True)], total + more
        case int() | float(), int() | float():
            return one + other
        case _:
            return one


def _rare(asked: Mapping[Labels, float], size: int, count: int) -> set[Labels]:
    """Who is not among the `count` busiest of those that are alike in their first `size` labels."""
    groups: dict[Labels, list[Labels]] = defaultdict(list)
    for who in asked:
        groups[who[:size]].append(who)
    return {who for group in groups.values() for who in sorted(group, key=lambda who: -asked[who])[count:]}


def _text(metric: Metric, samples: Samples) -> str:
    lines = [metric.head()]
    for labels, amount in samples.items():
        told = labels_text(metric.labels, labels)
        if isinstance(amount, int | float):
            lines.append(f"{metric.sample()}{told} {amount}\n")
        else:
            lines += _histogram(metric, told, *amount)
    return "".join(lines)


def _histogram(metric: Metric, labels: str, counts: Sequence[int], sum_s: float) -> Iterator[str]:
    cumulated, bucket, inside = list(accumulate(counts)), metric.sample("_bucket"), labels[:-1]
    bounds = (*(f"{bound:g}" for bound in metric.buckets), "+Inf")
    for bound, count in zip(bounds, cumulated, strict=True):
        yield f'{bucket}{inside},le="{bound}"}} {count}\n'
    yield f"{metric.sample('_sum')}{labels} {sum_s:.6f}\n{metric.sample('_count')}{labels} {cumulated[-1]}\n"


def labels_text(keys: Sequence[str], values: Sequence[object]) -> str:
    """`{endpoint="a/b",version="1"}`, nothing for no labels. Names of callers are made by people."""
    if not keys:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in zip(keys, values, strict=True)) + "}"


def _escaped(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
