"""What is asked of a simulated route? Requests that come by chance, wait for a replica with room, and take their time.

Everything follows from a seed. Replicas are those of the routing that the plane was told last; whoever finds none with
room waits, first come, first served. A replica that leaves the routing finishes what it has.
"""

import heapq
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from weyr.core.routes import VersionCounts
from weyr.core.seen import RouteFacts
from weyr.sim.chance import chance_of

STEP_S = 0.1
"""How finely time passes for those that wait."""


@dataclass(frozen=True, slots=True)
class Spell:
    """So many requests per second until this many seconds after the beginning."""

    until_s: float
    rate: float


def drawn_spells(seed: int, end_s: float) -> tuple[Spell, ...]:
    """Silences, steady loads and bursts, one after the other; the last one is a silence."""
    chance, at, spells = chance_of(seed, "traffic"), 0.0, list[Spell]()
    while at < end_s:
        at += chance.uniform(20.0, 120.0)
        spells.append(Spell(at, chance.choice((0.0, 0.0, 2.0, 10.0, 40.0))))
    return (*spells, Spell(float("inf"), 0.0))


@dataclass(slots=True)
class Traffic:
    """The requests of one route: `service_s` is what one takes on average, `room` how many a replica has at once."""

    spells: Sequence[Spell]
    chance: random.Random
    service_s: float = 0.2
    room: int = 4
    began_at: float = 0.0
    arrived: int = 0
    _at: float = 0.0
    _next_at: float | None = None
    _waiting: deque[float] = field(default_factory=deque)
    _busy: list[tuple[float, str, float]] = field(default_factory=list)
    """Requests under way: when each ends, which replica has it, and what it takes."""
    _worked: int = 0
    _worked_s: float = 0.0
    waited_max_s: float = 0.0

    @classmethod
    def of(cls, seed: int, now: float, spells: Sequence[Spell]) -> "Traffic":
        return cls(spells, chance_of(seed, "requests"), began_at=now, _at=now)

    def rate(self, at: float) -> float:
        """Requests per second at a moment."""
        return next(spell.rate for spell in self.spells if at - self.began_at < spell.until_s)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def asked_since(self, since: float, until: float) -> bool:
        """Whether anybody may have asked between two moments."""
        return any(self.rate(since + share / 10 * (until - since)) for share in range(11))

    def seen(self, now: float, replicas: Sequence[str], version: str) -> RouteFacts:
        """What the plane counts after it has passed the time until now on to these replicas."""
        while self._at < now:
            self._at = min(now, self._at + STEP_S)
            self._end(self._at)
            self._come(self._at)
            self._hand_out(replicas)
        inflight = dict.fromkeys(replicas, 0)
        for _, replica, _ in self._busy:
            inflight[replica] = inflight.get(replica, 0) + 1
        counts = VersionCounts(version, requests=self._worked, worked=self._worked, worked_s=self._worked_s)
        last_at = self._at if self._waiting or self._busy else None
        return RouteFacts(
            replicas=tuple(inflight.items()), waiting=len(self._waiting), requests=self.arrived,
            last_request_at=last_at, versions=(counts,),
        )  # fmt: skip

    def _come(self, now: float) -> None:
        rate = self.rate(now)
        if not rate:
            self._next_at = None
            return
        if self._next_at is None:
            self._next_at = now + self.chance.expovariate(rate)
        while self._next_at <= now:
            self.arrived += 1
            self._waiting.append(self._next_at)
            self._next_at += self.chance.expovariate(rate)

    def _hand_out(self, replicas: Sequence[str]) -> None:
        counts = {name: sum(replica == name for _, replica, _ in self._busy) for name in replicas}
        while self._waiting and counts and min(counts.values()) < self.room:
            name = min(counts, key=counts.__getitem__)
            self.waited_max_s = max(self.waited_max_s, self._at - self._waiting.popleft())
            took_s = self.chance.expovariate(1 / self.service_s)
            heapq.heappush(self._busy, (self._at + took_s, name, took_s))
            counts[name] += 1

    def _end(self, now: float) -> None:
        while self._busy and self._busy[0][0] <= now:
            self._worked += 1
            self._worked_s += heapq.heappop(self._busy)[2]
