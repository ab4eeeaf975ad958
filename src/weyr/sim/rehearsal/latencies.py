"""How long did requests take? Counts in classes of 2 % width: quantiles are that exact, and a million cost no more."""

import math
from dataclasses import dataclass, field

_WIDTH = math.log(1.02)
SHORTEST_S = 1e-6


@dataclass(slots=True)
class Latencies:
    """`counts` by class: the class `k` is around 1.02 to the power of `k` seconds."""

    counts: dict[int, float] = field(default_factory=dict)
    count: float = 0.0
    sum_s: float = 0.0

    def add(self, took_s: float, count: float = 1.0) -> None:
        place = round(math.log(max(took_s, SHORTEST_S)) / _WIDTH)
        self.counts[place] = self.counts.get(place, 0.0) + count
        self.count += count
        self.sum_s += took_s * count

    def join(self, other: "Latencies") -> None:
        """Takes those of another in."""
        for place, count in other.counts.items():
            self.counts[place] = self.counts.get(place, 0.0) + count
        self.count += other.count
        self.sum_s += other.sum_s

    @property
    def mean_s(self) -> float | None:
        return self.sum_s / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """What `share` of them took at most; None where there are none."""
        left = share * self.count
        for place in sorted(self.counts):
            left -= self.counts[place]
            if left <= 1e-9:
                return math.exp(place * _WIDTH)
        return math.exp(max(self.counts) * _WIDTH) if self.counts else None
