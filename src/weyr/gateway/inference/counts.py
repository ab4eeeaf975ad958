"""What is counted of one version? Integer additions while requests pass, a frozen value when somebody asks."""

import bisect

from weyr.core.routes import LATENCY_BUCKETS_S, VersionCounts
from weyr.gateway.inference.measure import Measure


class Counts:
    """The counts of one version from the plane's start, as `VersionCounts` says."""

    __slots__ = ("buckets", "errors", "latency_squares", "latency_sum_s", "measure", "missed", "name", "requests")

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests = 0
        self.errors = 0
        self.missed = 0
        self.buckets = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self.latency_sum_s = 0.0
        self.latency_squares = 0.0
        self.measure = Measure()

    def answered(self, status: int, latency_s: float) -> None:
        """It answered a request."""
        self.requests += 1
        if status >= 500:
            self.errors += 1
        self.buckets[bisect.bisect_left(LATENCY_BUCKETS_S, latency_s)] += 1
        self.latency_sum_s += latency_s
        self.latency_squares += latency_s * latency_s

    def seen(self) -> VersionCounts:
        return VersionCounts(
            self.name,
            requests=self.requests,
            errors=self.errors,
            missed=self.missed,
            buckets=tuple(self.buckets),
            latency_sum_s=self.latency_sum_s,
            latency_squares=self.latency_squares,
            prompt_tokens=self.measure.prompt_tokens,
            completion_tokens=self.measure.generation_tokens,
        )
