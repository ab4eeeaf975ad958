"""What is counted of one version? Integer additions while requests pass, a frozen value when somebody asks."""

import bisect
from collections import defaultdict

from weyr.core.routes import LATENCY_BUCKETS_S, ShadowCounts, VersionCounts
from weyr.core.work_times import class_of, told
from weyr.gateway.inference.measure import Measure


class Counts:
    """The counts of one version from the plane's start, as `VersionCounts` says."""

    __slots__ = (
        "buckets", "errors", "latency_squares", "latency_sum_s", "measure", "missed", "name", "outcome_squares",
        "outcome_sum", "outcomes", "predictions", "requests", "shadow_compared", "shadow_differed", "shadow_dropped",
        "shadow_failed", "shadow_longer_s", "work", "worked", "worked_s",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests = 0
        self.errors = self.predictions = 0
        self.missed = 0
        self.buckets = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self.latency_sum_s = 0.0
        self.latency_squares = 0.0
        self.worked = 0
        self.worked_s = 0.0
        self.work: defaultdict[int, int] = defaultdict(int)
        self.outcomes = 0
        self.outcome_sum = 0.0
        self.outcome_squares = 0.0
        self.shadow_compared = self.shadow_differed = self.shadow_failed = self.shadow_dropped = 0
        self.shadow_longer_s = 0.0
        self.measure = Measure()

    def answered(self, status: int, latency_s: float) -> None:
        """It answered a request."""
        self.requests += 1
        if status >= 500:
            self.errors += 1
        self.buckets[bisect.bisect_left(LATENCY_BUCKETS_S, latency_s)] += 1
        self.latency_sum_s += latency_s
        self.latency_squares += latency_s * latency_s

    def worked_on(self, took_s: float) -> None:
        """A replica worked on a request for so long."""
        self.worked_s += took_s
        self.work[class_of(took_s)] += 1

    def reported(self, value: float) -> None:
        """A caller said what came of an answer."""
        self.outcomes += 1
        self.outcome_sum += value
        self.outcome_squares += value * value

    def seen(self) -> VersionCounts:
        return VersionCounts(
            self.name,
            requests=self.requests,
            errors=self.errors,
            predictions=self.predictions,
            missed=self.missed,
            buckets=tuple(self.buckets),
            latency_sum_s=self.latency_sum_s,
            latency_squares=self.latency_squares,
            worked=self.worked,
            worked_s=self.worked_s,
            work_classes=told(self.work),
            prompt_tokens=self.measure.prompt_tokens,
            completion_tokens=self.measure.generation_tokens,
            first_token_buckets=tuple(self.measure.first_token.counts),
            outcomes=self.outcomes,
            outcome_sum=self.outcome_sum,
            outcome_squares=self.outcome_squares,
            shadow=ShadowCounts(
                self.shadow_compared,
                self.shadow_differed,
                self.shadow_failed,
                self.shadow_dropped,
                self.shadow_longer_s,
            ),
        )
