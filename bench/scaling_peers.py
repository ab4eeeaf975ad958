"""The rules that Weyr's autoscaler is held against, restated from their documentation.

All aim at 70 % of what a replica can work on at once, and are told of the same ticks. Where a quota is shared, what
they want is cut to equal shares, what one leaves going to the others.
"""

from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from math import ceil, floor

from scaling_world import TICK_S, Policy

from weyr.scheduling.scaling import Load

TARGET = 0.7


def asked(load: Load) -> int:
    """Replicas that are ready or on their way."""
    return (load.replicas or 0) + (load.starting or 0)


def _ticks(seconds: float) -> int:
    return max(1, round(seconds / TICK_S))


class _Rule(ABC):
    """Keeps the last `window_s` of each endpoint's concurrency (work that arrived and what waits)."""

    window_s = TICK_S

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_ticks(self.window_s)))
        self._service_s: dict[str, float] = {}

    def __call__(self, loads: Sequence[Load], now: float, quota: int | None) -> dict[str, int]:
        wanted: dict[str, int] = {}
        for load in loads:
            self._service_s[load.name] = load.service_s or self._service_s.get(load.name, 0.1)
            self._seen[load.name].append((load.arrived or 0) * self._service_s[load.name] / TICK_S + (load.queued or 0))
            wanted[load.name] = max(load.replicas_min, self.wanted(load, now))
        return shared(wanted, quota)

    @abstractmethod
    def wanted(self, load: Load, now: float) -> int:
        """How many replicas this one should have, whatever the others have."""

    def mean(self, load: Load, ticks: int = 10**9) -> float:
        """Replicas that the mean concurrency of the last ticks fills to the target."""
        last = list(self._seen[load.name])[-ticks:]
        return sum(last) / len(last) / load.concurrency / TARGET


def shared(wanted: dict[str, int], quota: int | None) -> dict[str, int]:
    if quota is None or sum(wanted.values()) <= quota:
        return wanted
    given = dict.fromkeys(wanted, 0)
    for _ in range(quota):
        poorest = min((name for name in wanted if given[name] < wanted[name]), key=lambda name: (given[name], name))
        given[poorest] += 1
    return given


class Hpa(_Rule):
    """Kubernetes' horizontal pod autoscaler (autoscaling/v2 defaults).

    Every 15 s on the mean of the last 30 s; 10 % tolerance; up by 4 pods or 100 % per 15 s; down to the most that was
    wanted in the last 300 s.
    """

    window_s = 30.0

    def __init__(self) -> None:
        super().__init__()
        self._wanted: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=_ticks(300)))

    def wanted(self, load: Load, now: float) -> int:
        mean = self.mean(load)
        want = asked(load) if asked(load) and abs(mean / asked(load) - 1) <= 0.1 else ceil(mean)
        want = min(want, max(2 * asked(load), asked(load) + 4))
        self._wanted[load.name].append(want)
        return max(self._wanted[load.name]) if want < asked(load) else want


class Keda(Hpa):
    """KEDA on a rate of requests: the same autoscaler on the mean of a minute, polled every 30 s."""

    window_s = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._polled: dict[str, int] = {}

    def wanted(self, load: Load, now: float) -> int:
        want = super().wanted(load, now)
        if load.name not in self._polled or round(now / TICK_S) % 3 == 0:
            self._polled[load.name] = want
        return self._polled[load.name]


class Knative(_Rule):
    """Knative's autoscaler: a window of 60 s; panic on 6 s (here the last tick) at 200 %, up only, for 60 s.

    Down by half of what is there at most.
    """

    window_s = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._panic: dict[str, tuple[float, int]] = {}

    def wanted(self, load: Load, now: float) -> int:
        stable, panic = ceil(self.mean(load)), ceil(self.mean(load, 1))
        since, most = self._panic.get(load.name, (-1e9, 0))
        if panic >= 2 * max(1, load.replicas or 0):
            since = now
        if now - since < 60:
            most = max(most, panic, stable, asked(load))
            self._panic[load.name] = (since, most)
            return most
        self._panic.pop(load.name, None)
        return max(stable, floor(asked(load) / 2))


class RayServe(_Rule):
    """Ray Serve: the mean of 30 s; up after 30 s in which more was wanted, down after 600 s in which less was."""

    window_s = 30.0

    def __init__(self) -> None:
        super().__init__()
        self._leans: dict[str, int] = defaultdict(int)

    def wanted(self, load: Load, now: float) -> int:
        want, leans = ceil(self.mean(load)), self._leans[load.name]
        if want > asked(load):
            leans = max(0, leans) + 1
        elif want < asked(load):
            leans = min(0, leans) - 1
        else:
            leans = 0
        is_due = leans >= _ticks(30) or leans <= -_ticks(600)
        self._leans[load.name] = 0 if is_due else leans
        return want if is_due else asked(load)


def fair_share(loads: Sequence[Load], now: float, quota: int | None) -> dict[str, int]:
    """Faro's simplest baseline: what there is, in equal parts, for ever; without a quota, one each."""
    whole, rest = divmod(len(loads) if quota is None else quota, len(loads))
    return {load.name: whole + (at < rest) for at, load in enumerate(loads)}


PEERS: dict[str, Callable[[], Policy]] = {"hpa": Hpa, "keda": Keda, "knative": Knative, "ray-serve": RayServe}
