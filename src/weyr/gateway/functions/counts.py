"""What happened in a function? Counts since the plane's start, and how long its last thousand events took."""

from collections import deque
from dataclasses import dataclass, field

from weyr.core.work_times import class_of

KEPT = 1000
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 900.0)


@dataclass(slots=True)
class Histogram:
    """How many took at most each of LATENCY_BUCKETS_S and more than the one before, the last more than all."""

    took_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS_S) + 1))

    def add(self, took_s: float) -> None:
        self.took_s += took_s
        self.buckets[next((i for i, top in enumerate(LATENCY_BUCKETS_S) if took_s <= top), -1)] += 1


@dataclass(slots=True)
class Counts:
    """`cold` counts attempts that waited for an instance to be made (`waited`); their times are kept apart. Times in
    seconds, from when the attempt was asked for to its answer."""

    invocations: int = 0
    errors: int = 0
    timeouts: int = 0
    refused: int = 0
    cold: int = 0
    retries: int = 0
    dead: int = 0
    last_at: float | None = None
    warm_times: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    cold_times: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    warm: Histogram = field(default_factory=Histogram)
    waited: Histogram = field(default_factory=Histogram)
    worked: int = 0
    worked_s: float = 0.0
    work: dict[int, int] = field(default_factory=dict)
    """How many an instance was at for how long, by class."""

    def worked_on(self, took_s: float) -> None:
        """An instance was at an event for so long."""
        self.worked, self.worked_s, place = self.worked + 1, self.worked_s + took_s, class_of(took_s)
        self.work[place] = self.work.get(place, 0) + 1

    def ended(self, took_s: float, is_cold: bool, status: int) -> None:
        """One attempt is over."""
        self.invocations += 1
        self.cold += is_cold
        self.errors += status >= 500
        self.timeouts += status == 504
        (self.cold_times if is_cold else self.warm_times).append(took_s)
        (self.waited if is_cold else self.warm).add(took_s)

    def quantile_ms(self, share: float, is_cold: bool) -> float:
        """0 where there was none yet."""
        times = sorted(self.cold_times if is_cold else self.warm_times)
        return round(times[min(len(times) - 1, int(len(times) * share))] * 1000, 2) if times else 0.0
