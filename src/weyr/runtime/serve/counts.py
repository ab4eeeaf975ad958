"""What was computed so far, and how long did it wait? Counts of one model, and their Prometheus text."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)


class Histogram:
    """Counts by upper bound. `counts` has one more than `bounds`: what is above them all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """Prometheus text, without its head."""
        so_far = 0
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            so_far += count
            yield f'{name}_bucket{{{labels},le="{bound}"}} {so_far}'
        yield f"{name}_sum{{{labels}}} {self.total:.9g}"
        yield f"{name}_count{{{labels}}} {so_far}"


@dataclass(slots=True)
class Counts:
    """Of one model. Requests end as a success, a failure (the model's fault) or a refusal (the caller's)."""

    calls: int = 0
    rows: int = 0
    batched: int = 0
    quick: int = 0
    successes: int = 0
    refused: int = 0
    failures: int = 0
    expired: int = 0
    generations: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    queue_s: float = 0.0
    compute_s: float = 0.0
    last_at_ms: int = 0
    batch_rows: Histogram = field(default_factory=lambda: Histogram(ROWS))
    batch_fill: Histogram = field(default_factory=lambda: Histogram(SHARES))
    queue_time: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    compute_time: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    by_rows: dict[int, tuple[int, float]] = field(default_factory=dict)
    """For each size of a batch: calls, and seconds computed."""


COUNTERS = (
    ("calls_total", "calls", "Calls of the model."),
    ("rows_total", "rows", "Rows computed."),
    ("batched_calls_total", "batched", "Calls that served several requests."),
    ("quick_calls_total", "quick", "Calls computed on the loop, because they are shorter than a hop to a thread."),
    ("failures_total", "failures", "Requests that the model failed."),
    ("refused_total", "refused", "Requests whose input the model did not take."),
    ("expired_total", "expired", "Requests that waited longer than they said they would."),
    ("generations_total", "generations", "Texts generated."),
    ("prompt_tokens_total", "tokens_in", "Tokens read."),
    ("generated_tokens_total", "tokens_out", "Tokens generated."),
)
HISTOGRAMS = (
    ("batch_rows", "batch_rows", "Rows of one call of the model."),
    ("batch_fill_ratio", "batch_fill", "Rows of one call, of the most that a batch may have."),
    ("queue_seconds", "queue_time", "How long a request waited for its call."),
    ("compute_seconds", "compute_time", "How long a call of the model took."),
)


def prometheus(models: Iterable[tuple[str, str, Counts]]) -> Iterator[str]:
    """Prometheus text of all models, each as name, version and counts."""
    labelled = [(f'model="{name}",version="{version}"', counts) for name, version, counts in models]
    for suffix, attribute, text in COUNTERS:
        yield f"# HELP weyr_replica_{suffix} {text}\n# TYPE weyr_replica_{suffix} counter"
        for labels, counts in labelled:
            yield f"weyr_replica_{suffix}{{{labels}}} {getattr(counts, attribute)}"
    for suffix, attribute, text in HISTOGRAMS:
        yield f"# HELP weyr_replica_{suffix} {text}\n# TYPE weyr_replica_{suffix} histogram"
        for labels, counts in labelled:
            yield from getattr(counts, attribute).lines(f"weyr_replica_{suffix}", labels)
