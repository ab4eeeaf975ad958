"""Endpoints in virtual time: requests arrive, wait first come first served, are worked on, are late or dropped."""

import csv
import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from weyr.scheduling.scaling import Load

TICK_S = 10.0
START_S = 35.0
QUEUE_MAX = 50

# (when it arrives, how long a replica works on it), in seconds.
Request = tuple[float, float]
# What each endpoint did, now, quota -> replicas by name.
Policy = Callable[[Sequence[Load], float, int | None], dict[str, int]]


@dataclass(frozen=True)
class Workload:
    """Endpoints that share a quota, for `length_s`; `needed` are the replicas that its work would fill on average."""

    name: str
    requests: dict[str, Callable[[], Iterator[Request]]]
    length_s: float
    concurrency: int
    target_s: float
    needed: float


@dataclass
class Outcome:
    requests: int = 0
    late: int = 0
    late_mean: float = 0.0
    replica_s: float = 0.0
    changes: int = 0


@dataclass
class Endpoint:
    """One endpoint. `free` holds, per slot of a replica, when it is free next: of a starting one, when it is up."""

    name: str
    coming: Iterator[Request]
    concurrency: int
    target_s: float
    free: list[float] = field(default_factory=list)
    waiting: deque[Request] = field(default_factory=deque)
    ready_at: list[float] = field(default_factory=list)
    requests: int = 0
    late: int = 0
    next: Request | None = None

    def scale(self, replicas: int, now: float, start_s: float = START_S) -> int:
        """Starts or ends replicas; those that start last end first, then those that are free first. Gives how many."""
        change = replicas - len(self.ready_at)
        for _ in range(change):
            self.ready_at.append(now + start_s)
            for _ in range(self.concurrency):
                heapq.heappush(self.free, now + start_s)
        for _ in range(-change):
            up_at = self.ready_at.pop()
            for _ in range(self.concurrency):
                if up_at > now:
                    self.free.remove(up_at)
                else:
                    self.free.remove(min(self.free))
        if change < 0:
            heapq.heapify(self.free)
        return abs(change)

    def run(self, now: float, to: float) -> Load:
        """Lives until `to`."""
        arrived = late = ended = 0
        worked = 0.0
        free, waiting, target = self.free, self.waiting, self.target_s
        request = self.next or next(self.coming, None)
        while True:
            at = to if request is None or request[0] >= to else request[0]
            while waiting and free and free[0] <= at:
                came, work = waiting.popleft()
                begun = max(free[0], came)
                heapq.heapreplace(free, begun + work)
                ended, worked = ended + 1, worked + work
                late += begun + work - came > target
            if request is None or request[0] >= to:
                break
            arrived += 1
            if free and free[0] <= at:
                heapq.heapreplace(free, at + request[1])
                ended, worked = ended + 1, worked + request[1]
                late += request[1] > target
            elif len(waiting) < QUEUE_MAX:
                waiting.append(request)
            else:
                late += 1
            request = next(self.coming, None)
        self.next = request
        self.requests += arrived
        self.late += late
        starting = sum(at > to for at in self.ready_at)
        return Load(
            self.name,
            arrived=arrived,
            queued=len(waiting),
            in_flight=sum(at > to for at in self.free) - starting * self.concurrency,
            ended=ended,
            service_s=worked / ended if ended else None,
            replicas=len(self.ready_at) - starting,
            starting=starting,
            concurrency=self.concurrency,
            latency_target_s=target,
            queue_max=QUEUE_MAX,
        )


def played(workload: Workload, policy: Policy, quota: int | None) -> Outcome:
    """One whole run: a tick of life, then a decision, and so on. Each endpoint begins with one replica that is up."""
    endpoints = [
        Endpoint(name, requests(), workload.concurrency, workload.target_s)
        for name, requests in workload.requests.items()
    ]
    for endpoint in endpoints:
        endpoint.scale(1, 0.0, start_s=0.0)
    outcome, now = Outcome(), 0.0
    while now < workload.length_s:
        outcome.replica_s += TICK_S * sum(len(endpoint.ready_at) for endpoint in endpoints)
        loads = [endpoint.run(now, now + TICK_S) for endpoint in endpoints]
        now += TICK_S
        targets = policy(loads, now, quota)
        assert quota is None or sum(targets.values()) <= quota, f"{sum(targets.values())} replicas of {quota}"
        outcome.changes += sum(endpoint.scale(targets[endpoint.name], now) for endpoint in endpoints)
    outcome.requests = sum(endpoint.requests for endpoint in endpoints)
    outcome.late = sum(endpoint.late for endpoint in endpoints)
    outcome.late_mean = sum(endpoint.late / max(1, endpoint.requests) for endpoint in endpoints) / len(endpoints)
    return outcome


def least_replica_s(workload: Workload) -> float:
    """What nobody can go below who serves all of it: each tick's work, in whole replicas, at least one each."""
    total = 0.0
    for requests in workload.requests.values():
        work = [0.0] * math.ceil(workload.length_s / TICK_S)
        for at, took in requests():
            if at < workload.length_s:
                work[int(at / TICK_S)] += took
        total += sum(TICK_S * max(1, math.ceil(each / TICK_S / workload.concurrency)) for each in work)
    return total


def functions(file: Path, day: str) -> Workload:
    """A day of Azure's functions (invocations per minute) by the protocol of Faro's evaluation (EuroSys 2025).

    The ten that are asked most, each stretched to between 1 and 1,600 requests per minute over all of its days; four
    minutes in one, so that a day takes six hours. Work is lognormal around 0.154 s, one at once; late after 0.72 s.
    """
    days: dict[str, dict[str, list[float]]] = {}
    with file.open() as lines:
        for row in list(csv.reader(lines))[1:]:
            days.setdefault(row[0], {})[row[1]] = [float(count) for count in row[2:]]
    rates: dict[str, list[float]] = {}
    for name, each in days.items():
        least, most = min(map(min, each.values())), max(map(max, each.values()))
        counts = [1 + (count - least) / (most - least) * 1599 for count in each[day]]
        rates[name] = [sum(counts[at : at + 4]) / 4 / 60 for at in range(0, len(counts), 4)]
    busiest = sorted(rates.values(), key=sum, reverse=True)[:10]
    work_s, length_s = 0.154, 60.0 * len(busiest[0])
    return Workload(
        f"{file.stem}-{day}",
        {f"f{at}": partial(_poisson, each, work_s, f"{day}/{at}") for at, each in enumerate(busiest)},
        length_s,
        concurrency=1,
        target_s=0.72,
        needed=work_s * sum(map(sum, busiest)) * 60 / length_s,
    )


def _poisson(rates: Sequence[float], work_s: float, seed: str) -> Iterator[Request]:
    chance, spread = random.Random(seed), 0.3
    middle = math.log(work_s) - spread**2 / 2
    for minute, rate in enumerate(rates):
        at = 60.0 * minute
        while rate > 0 and (at := at + chance.expovariate(rate)) < 60.0 * (minute + 1):
            yield at, chance.lognormvariate(middle, spread)


def tokens(file: Path, needed: float) -> Workload:
    """Azure's trace of a language model (2023), each request when it came.

    A prompt is read at 10,000 tokens per second and answered at 50, eight at once; the target is what the longest
    answers take, and ten seconds. Repeated side by side as often as fills `needed` replicas.
    """
    with file.open() as lines:
        rows = list(csv.reader(lines))[1:]
    times = [datetime.fromisoformat(row[0][:26]) for row in rows]
    came = [(at - times[0]).total_seconds() for at in times]
    works = [int(row[1]) / 10_000 + int(row[2]) / 50 for row in rows]
    concurrency = 8
    copies = max(1, round(needed * concurrency * came[-1] / sum(works)))

    def requests() -> Iterator[Request]:
        # Copies are shifted by up to a second, so that they do not come as one.
        chance = random.Random(file.stem)
        shifted: Iterable[Request] = (
            (at + chance.random(), work) for at, work in zip(came, works, strict=True) for _ in range(copies)
        )
        return iter(sorted(shifted))

    return Workload(file.stem, {"model": requests}, came[-1], concurrency, max(works) + 10, needed)
