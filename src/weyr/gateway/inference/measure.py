"""What did the requests of an endpoint's version cost its callers in time and tokens? Integer additions, nothing else.

A metrics library's locks would cost more than routing. What is kept is bounded: of callers, the busiest are counted
by name and all others as one.
"""

from bisect import bisect_left
from collections.abc import Iterator

from weyr.core.serving_metrics import COLD_BUCKETS_S, LATENCY_BUCKETS_S, OTHER, TOKEN_BUCKETS_S

NAMED_MAX = 20
"""Callers of one version that are counted by name."""
CANDIDATES_MAX = 80
CALLER_LEFT = 499


class Histogram:
    """Counts by bound, the last of them for what is above all bounds. Not cumulative: that is done when it is read."""

    __slots__ = ("bounds", "counts", "sum_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_s = 0.0

    def add(self, value_s: float, count: int = 1) -> None:
        """`count` observations of `value_s`."""
        self.counts[bisect_left(self.bounds, value_s)] += count
        self.sum_s += value_s * count


class Tally:
    """What one caller asked of one version."""

    __slots__ = ("disconnects", "generation_tokens", "prompt_tokens", "request_bytes", "response_bytes", "statuses",
                 "window")  # fmt: skip

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.request_bytes = 0
        self.response_bytes = 0
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.disconnects = 0
        self.window = 0
        """Requests since the busiest were last looked for."""


class Callers:
    """The callers of one version: at most NAMED_MAX by name, the rest together.

    Who becomes busy gets a series of its own from then on, and who is among the least busy loses it; the series of the
    rest never goes down. So each series only grows while it is there, as Prometheus wants of a counter.
    """

    __slots__ = ("_candidates", "_named", "_rest")

    def __init__(self) -> None:
        self._named: dict[str, Tally] = {}
        self._rest = Tally()
        self._candidates: dict[str, int] = {}

    def of(self, name: str) -> Tally:
        """Where this caller's next request is counted."""
        tally = self._named.get(name)
        if tally is None:
            if len(self._named) < NAMED_MAX:
                tally = self._named[name] = Tally()
            else:
                tally = self._rest
                self._noted(name)
        tally.window += 1
        return tally

    def items(self) -> Iterator[tuple[str, Tally]]:
        """Each series that has anything to tell."""
        yield from self._named.items()
        if self._rest.statuses:
            yield OTHER, self._rest

    def rotate(self) -> None:
        """Gives the busiest candidate the place of the least busy named caller, if it asked twice as often since."""
        if self._candidates:
            busiest = max(self._candidates, key=self._candidates.__getitem__)
            least = min(self._named, key=lambda name: self._named[name].window)
            if self._candidates[busiest] > 2 * self._named[least].window:
                del self._named[least]
                self._named[busiest] = Tally()
        self._candidates.clear()
        for tally in self._named.values():
            tally.window = 0

    def _noted(self, name: str) -> None:
        """Counts a caller without a place. Where there are too many, it takes over the count of the rarest of them:
        so a busy one is never missed, though a rare one may seem busier than it is."""
        candidates = self._candidates
        if name in candidates or len(candidates) < CANDIDATES_MAX:
            candidates[name] = candidates.get(name, 0) + 1
            return
        rarest = min(candidates, key=candidates.__getitem__)
        candidates[name] = candidates.pop(rarest) + 1


class Measure:
    """One version's figures since the plane began, beside those that decide about it (`Counts`)."""

    __slots__ = (
        "callers", "cold", "first_token", "generation_tokens", "inter_token", "prompt_tokens", "queue",
    )  # fmt: skip

    def __init__(self) -> None:
        self.callers = Callers()
        self.queue = Histogram(LATENCY_BUCKETS_S)
        self.cold = Histogram(COLD_BUCKETS_S)
        self.first_token = Histogram(LATENCY_BUCKETS_S)
        self.inter_token = Histogram(TOKEN_BUCKETS_S)
        self.prompt_tokens = 0
        self.generation_tokens = 0

    def ended(
        self, caller: str, status: int, queue_s: float, is_cold: bool, sizes: tuple[int, int],
        tokens: tuple[int, int] | None,
    ) -> None:  # fmt: skip
        """One request is over. `queue_s` is how long it waited for a replica, `sizes` the bytes that came and went."""
        tally = self.callers.of(caller)
        if status == CALLER_LEFT:
            tally.disconnects += 1
        tally.statuses[status] = tally.statuses.get(status, 0) + 1
        tally.request_bytes += sizes[0]
        tally.response_bytes += sizes[1]
        queue = self.queue
        queue.counts[bisect_left(queue.bounds, queue_s)] += 1
        queue.sum_s += queue_s
        if is_cold:
            self.cold.add(queue_s)
        if tokens is not None:
            prompt, generated = tokens
            tally.prompt_tokens += prompt
            tally.generation_tokens += generated
            self.prompt_tokens += prompt
            self.generation_tokens += generated
