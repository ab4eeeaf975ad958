"""What did an endpoint do in a tick, where only some of it was measured? The rest follows by Little's law."""

import math
from dataclasses import dataclass, field

from weyr.scheduling.scaling.values import Load

# Until a start was seen: what a container with a model takes, give or take.
START_S = 30.0
# How much of a newly seen start is believed, when it was longer than thought and when it was shorter: late replicas
# cost requests, early ones only money.
SLOWER, FASTER = 0.5, 0.2
# Less is a clock that was not read, not a request.
SHORTEST_S = 1e-6
# By how much what took least may grow from tick to tick: requests may have become longer.
FORGOTTEN = 1.02
# Latencies tell little below this share of their service time.
WAIT_LEAST = 0.02


@dataclass(frozen=True, slots=True)
class Heard:
    """A tick with nothing left open but `service_s`: None while no request was seen to end."""

    arrived: float
    queued: float
    in_flight: float
    ended: float
    service_s: float | None
    replicas: int
    starting: int
    start_s: float
    concurrency: int
    queue_max: int

    @property
    def asked(self) -> int:
        """Replicas that are ready or on their way."""
        return self.replicas + self.starting


@dataclass(slots=True)
class Hearing:
    """What is remembered of an endpoint to fill gaps. `asked_at`: when each replica was asked for that is not ready."""

    service_s: float | None = None
    queued: float = 0.0
    in_flight: float = 0.0
    rate: float = 0.0
    start_s: float = START_S
    target: int | None = None
    replicas: int = 0
    asked_at: list[float] = field(default_factory=list)

    def hear(self, load: Load, now_s: float, tick_s: float) -> Heard:
        service_s = _positive(load.service_s)
        if service_s is None and (latency_s := _positive(load.latency_s)) is not None:
            # Whatever took least did not wait.
            service_s = min(latency_s, FORGOTTEN * (self.service_s or latency_s))
        self.service_s = service_s or self.service_s
        replicas, starting = self._replicas(load, now_s)
        queued, in_flight = _count(load.queued), _count(load.in_flight)
        arrived, ended = _count(load.arrived), _count(load.ended)
        if arrived is None:
            arrived = self._arrived(load, queued, in_flight, ended, replicas, tick_s)
        if in_flight is None:
            in_flight = min(arrived * (self.service_s or 0.0) / tick_s, max(1, replicas) * load.concurrency)
        heard = Heard(
            arrived,
            queued or 0.0,
            in_flight,
            arrived if ended is None else ended,
            service_s,
            replicas,
            starting,
            self.start_s if load.start_s is None else load.start_s,
            load.concurrency,
            load.queue_max,
        )
        self.queued, self.in_flight, self.rate = heard.queued, heard.in_flight, arrived / tick_s
        return heard

    def decided(self, target: int, now_s: float) -> None:
        """Replicas that are asked for from now on."""
        known = self.replicas + len(self.asked_at)
        self.asked_at += [now_s] * (target - known)
        if target < known:
            # Those that start last are let go of first.
            del self.asked_at[max(0, target - self.replicas) :]
        self.target = target

    def _replicas(self, load: Load, now_s: float) -> tuple[int, int]:
        """Ready and starting ones; learns from those that became ready what a start takes."""
        said, said_starting = _count(load.replicas), _count(load.starting)
        if said is None:
            start_s = self.start_s if load.start_s is None else load.start_s
            self.asked_at = [at for at in self.asked_at if now_s - at < start_s]
            # Nobody says what is there: what was decided is.
            self.replicas = max(0, (1 if self.target is None else self.target) - len(self.asked_at))
            return self.replicas, len(self.asked_at)
        ready = round(said)
        up = [now_s - at for at in self.asked_at[: max(0, ready - self.replicas)]]
        for took_s in up:
            self.start_s += (SLOWER if took_s > self.start_s else FASTER) * (took_s - self.start_s)
        self.asked_at = self.asked_at[len(up) :]
        self.replicas = ready
        starting = len(self.asked_at) if said_starting is None else round(said_starting)
        del self.asked_at[starting:]
        self.asked_at += [now_s] * (starting - len(self.asked_at))
        return ready, starting

    def _arrived(
        self,
        load: Load,
        queued: float | None,
        in_flight: float | None,
        ended: float | None,
        replicas: int,
        tick_s: float,
    ) -> float:
        """What came in is what went out and what there is more of inside; of silence, as much as before."""
        if queued is None and ended is None and in_flight is None and _positive(load.latency_s) is None:
            return self.rate * tick_s
        grown = (self.queued if queued is None else queued) - self.queued
        if ended is not None:
            grown += 0.0 if in_flight is None else in_flight - self.in_flight
            return max(0.0, ended + grown)
        if in_flight is not None and self.service_s:
            return max(0.0, (in_flight + self.in_flight) / 2 * tick_s / self.service_s + grown)
        latency_s = _positive(load.latency_s)
        if latency_s is not None and self.service_s:
            return _busy(latency_s / self.service_s - 1, replicas * load.concurrency) * tick_s / self.service_s
        return max(0.0, grown)


def _busy(waits: float, servers: int) -> float:
    """How many of `servers` work, when requests wait `waits` times their service time on average.

    Source: Sakasegawa's approximation of the M/M/c queue (1977), solved by halving. Where they wait longer than one
    service each, more may come than leaves, and latency cannot tell how much: some more than all of them.
    """
    if servers <= 0 or waits > 1:
        return servers * 1.3
    waits = max(WAIT_LEAST, waits)
    low, high = 0.0, 1.0
    for _ in range(30):
        load = (low + high) / 2
        if load ** (math.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - load)) < waits:
            low = load
        else:
            high = load
    return servers * low


def _positive(value: float | None) -> float | None:
    return value if value is not None and SHORTEST_S <= value < math.inf else None


def _count(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value >= 0 else None
