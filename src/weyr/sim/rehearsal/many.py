"""What becomes of requests that are many? They flow: so many per second into so many slots, minute by minute.

What more comes than can be worked off piles up and is worked off later; within the steady part the wait is that of an
queue in front of c slots. Nothing is drawn here: chance is in how many come.

Source of the wait: Sakasegawa's approximation (1977), by which a request has to wait with probability
rho ** (sqrt(2 (c + 1)) - 1), and then for an exponential time; half of it where all take the same, and the more the
more unlike they are (Allen and Cunneen).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from weyr.core.routes import VersionCounts
from weyr.core.seen import RouteFacts
from weyr.sim.rehearsal.arrivals import Burst
from weyr.sim.rehearsal.served import BUSY, PATIENCE, Served, Terms
from weyr.sim.rehearsal.spread import Spread

STEP_S = 60.0
FIRST_S = 0.1
"""After so long the first one of a burst has come."""
FOLLOWS = 0.2
"""How much of a minute's rate is taken on: about five minutes count."""
CHANCE = 3.0
"""A rate has changed when it is so many standard deviations off, and by more than a quarter."""
CHANGED = 0.25
PARTS = (0.5, 1.5, 2.5, 3.5, 4.25, 4.65, 4.85, 4.95)
"""Middles of classes of an exponential's share, in fifths: the upper ones are cut finer."""
SHARES = (0.2, 0.2, 0.2, 0.2, 0.1, 0.06, 0.02, 0.02)
WAITS = tuple(-math.log(1 - part / 5) for part in PARTS)
ALIKE = ((1.0, 1.0),)
LEAST = 1e-3
"""A wait that is less likely than this is not cut up."""


@dataclass(slots=True)
class ManyRequests:
    """Bursts in order, that do not overlap much; their moments count from `began_at` (Unix seconds)."""

    terms: Terms
    bursts: Sequence[Burst]
    began_at: float
    served: Served = field(default_factory=Served)
    spread: Spread | None = None
    """How unlike those are that come; None: all of a burst take the same."""
    _place: int = 0
    _at: float = 0.0
    _names: tuple[str, ...] = ()
    _piled: float = 0.0
    _held_s: float = 0.0
    """How long those that are piled up have waited for a replica, together."""
    _arrived: float = 0.0
    _worked: float = 0.0
    _worked_s: float = 0.0
    _last_at: float | None = None
    _rate: float = 0.0
    _told_rate: float | None = None
    _takes_s: float = 0.0
    _looked_at: float = 0.0
    _steady: dict[tuple[float, int, float], float] = field(default_factory=dict)
    """How many were answered in minutes without a pile: by what one took, the slots, and the share of them in use."""
    on_closed: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._at = self.began_at

    @property
    def is_open(self) -> bool:
        """Whether there is a replica."""
        return bool(self._names)

    def seen(self, now: float, replicas: Sequence[str], version: str) -> RouteFacts:
        """What the plane has counted by now; from now on requests go to these replicas."""
        self._advance(now)
        is_closing = bool(self._names) and not replicas
        self._names, self._told_rate, self._looked_at = tuple(replicas), self._rate, now
        if is_closing:
            for call in self.on_closed:
                call()
        count = len(replicas)
        is_outside = self.terms.is_capped or not count
        inside = min(count * self.terms.room, self._rate * self._takes_s) + (0.0 if is_outside else self._piled)
        each, more = divmod(round(inside), count) if count else (0, 0)
        held = tuple((name, each + (number < more)) for number, name in enumerate(replicas))
        counts = VersionCounts(version, requests=int(self._worked), worked=int(self._worked), worked_s=self._worked_s)
        return RouteFacts(
            replicas=held, waiting=math.ceil(self._piled - 1e-9) if is_outside else 0, requests=int(self._arrived),
            last_request_at=self._last_at, versions=(counts,),
        )  # fmt: skip

    def next_look(self, now: float) -> float:
        """When the first comes for whom nobody is there."""
        self._advance(now)
        if self._piled > 0:
            return now + self.terms.hold_s
        coming = self.bursts[self._place] if self._place < len(self.bursts) else None
        return float("inf") if coming is None else max(self.began_at + coming.at_s, now) + FIRST_S

    def wants(self, now: float) -> bool:
        """Whether a look now could change how many replicas there are."""
        self._advance(now)
        count, terms = len(self._names), self.terms
        if not count:
            return self._piled > 0
        if self._piled > 0 and now - self._looked_at >= 10.0:
            return True
        if count > terms.least and self._last_at is not None and now - self._last_at >= terms.idle_after_s:
            return now - self._looked_at >= terms.idle_after_s / 4
        rate, told = self._rate, self._told_rate or 0.0
        if abs(rate - told) < CHANCE * math.sqrt(max(rate, told) * FOLLOWS / (2 - FOLLOWS) / STEP_S) + 1e-9:
            return False
        busy = rate * self._takes_s / (count * terms.room)
        return abs(rate - told) > CHANGED * told and (busy > BUSY or count > terms.least)

    def finish(self, now: float) -> None:
        self._advance(now)
        self._settle()
        self.served.unfinished += self._piled

    def _advance(self, now: float) -> None:
        while self._at < now:
            burst = self.bursts[self._place] if self._place < len(self.bursts) else None
            at_s = self._at - self.began_at
            if burst is None:
                self._pass(now, 0.0, self._takes_s)
            elif at_s < burst.at_s:
                self._pass(min(now, self.began_at + burst.at_s), 0.0, burst.takes_s)
            else:
                end = self.began_at + burst.at_s + burst.over_s
                self._pass(min(now, max(end, self._at)), burst.count / (burst.over_s or 1.0), burst.takes_s)
                if self._at >= end - 1e-6:
                    self._place += 1

    def _pass(self, to: float, rate: float, takes_s: float) -> None:
        for_s, self._at, self._takes_s = to - self._at, to, takes_s
        if for_s <= 0:
            return
        gain = 1 - (1 - FOLLOWS) ** (for_s / STEP_S)
        self._rate += gain * (rate - self._rate)
        came = rate * for_s
        self._arrived += came
        if rate > 0:
            self._last_at = to
        slots = len(self._names) * self.terms.room
        if slots and not self._piled and came <= (speed := slots / takes_s) * for_s:
            # As most minutes are: whoever comes is worked on at once.
            if came > 0:
                self._worked += came
                self._worked_s += came * takes_s
                steady = (takes_s, slots, round(rate / speed, 2))
                self._steady[steady] = self._steady.get(steady, 0.0) + came
        elif slots:
            self._work(came, rate, for_s, takes_s, slots)
        else:
            most = max(rate * self.terms.hold_s, 1.0)
            before, dropped = self._piled, max(0.0, self._piled + came - most)
            self._piled = before + came - dropped
            self._held_s = min(self._held_s + (before + self._piled) / 2 * for_s, self._piled * self.terms.hold_s)
            self.served.drop(dropped)

    def _work(self, came: float, rate: float, for_s: float, takes_s: float, slots: int) -> None:
        before, speed = self._piled, slots / takes_s
        done = min(speed * for_s, before + came)
        self._piled = before + came - done
        if done <= 0:
            return
        piled_s, load = (before + self._piled) / 2 / speed, rate / speed
        self._worked += done
        self._worked_s += done * takes_s
        if self._held_s:
            # The first to be answered are those that were held.
            held, held_s = min(done, before), self._held_s / before
            self._answer(piled_s + held_s, takes_s, held)
            self._held_s = held_s * (before - held)
            done -= held
        if piled_s:
            self._answer(piled_s, takes_s, done)
        else:
            steady = (takes_s, slots, round(load, 2))
            self._steady[steady] = self._steady.get(steady, 0.0) + done

    def _settle(self) -> None:
        """Counts what was answered in steady minutes: they are many, and few of them are unlike."""
        for (takes_s, slots, load), done in self._steady.items():
            waits, mean_s = _waiting(takes_s, slots, load, self.spread.variation if self.spread else 0.0)
            if waits < LEAST:
                self._answer(0.0, takes_s, done)
                continue
            self._answer(0.0, takes_s, done * (1 - waits))
            for share, part in zip(SHARES, WAITS, strict=True):
                self._answer(part * mean_s / waits, takes_s, done * waits * share)
        self._steady.clear()

    def _answer(self, wait_s: float, takes_s: float, count: float) -> None:
        """So many have waited so long, and take so long in the mean."""
        for factor, share in self.spread.parts if self.spread else ALIKE:
            each_s = takes_s * factor
            self.served.answer(
                each_s + wait_s, each_s, self.terms.slo_s or PATIENCE * (each_s + self.served.way_s), count * share
            )


def _waiting(takes_s: float, slots: int, load: float, variation: float) -> tuple[float, float]:
    """Which share has to wait, and how long all wait in the mean, with so many slots of which `load` are busy."""
    load = min(load, 0.999)
    waits = load ** (math.sqrt(2 * (slots + 1)) - 1)
    return waits, waits * takes_s / (slots * (1 - load)) * (1 + variation) / 2
