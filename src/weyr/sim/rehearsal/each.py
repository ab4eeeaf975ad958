"""What becomes of requests that are few? Each is followed: it finds a replica, waits for a slot of it, is worked on.

As the plane does, a request goes to the replica that has the fewest; where none is ready, or all have as many as they
may, it is held, and fails when that takes too long. A replica that leaves the routing finishes what it has.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from weyr.core.routes import VersionCounts
from weyr.core.seen import RouteFacts
from weyr.sim.rehearsal.served import BUSY, PATIENCE, Served, Terms

IDLE_TOLD_S = 600.0
"""For so long after it may sleep it is looked at each minute: what was busy once is let go of step by step."""
Request = tuple[float, float, float]
"""When it comes (Unix seconds), how long it works, and how long it was on its way before."""


@dataclass(slots=True)
class EachRequest:
    """Requests one by one, in order of time."""

    terms: Terms
    coming: deque[Request]
    served: Served = field(default_factory=Served)
    _slots: dict[str, list[float]] = field(default_factory=dict)
    _busy: list[tuple[float, str, float]] = field(default_factory=list)
    """Under way: when each ends, which replica has it, and how long that works on it."""
    _held: dict[str, int] = field(default_factory=dict)
    _waiting: deque[Request] = field(default_factory=deque)
    _arrived: int = 0
    _worked: int = 0
    _worked_s: float = 0.0
    _last_at: float | None = None
    on_closed: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def of(cls, terms: Terms, requests: Iterable[Request]) -> "EachRequest":
        return cls(terms, deque(sorted(requests)))

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_open(self) -> bool:
        """Whether there is a replica."""
        return bool(self._slots)

    def seen(self, now: float, replicas: Sequence[str], version: str) -> RouteFacts:
        """What the plane has counted by now; from now on requests go to these replicas."""
        self.advance(now)
        if list(self._slots) != list(replicas):
            is_closing = bool(self._slots) and not replicas
            self._slots = {name: self._slots.get(name) or [now] * self.terms.room for name in replicas}
            if is_closing:
                for call in self.on_closed:
                    call()
        self._hand_out(now)
        held = dict.fromkeys(replicas, 0) | {name: count for name, count in self._held.items() if count}
        counts = VersionCounts(version, requests=self._worked, worked=self._worked, worked_s=self._worked_s)
        last_at = now if self._waiting or self._busy else self._last_at
        return RouteFacts(
            replicas=tuple(held.items()), waiting=len(self._waiting), requests=self._arrived,
            last_request_at=last_at, versions=(counts,),
        )  # fmt: skip

    def advance(self, now: float) -> None:
        """Lets come what comes until now."""
        while self.coming and self.coming[0][0] <= now:
            at, takes_s, way_s = self.coming.popleft()
            self._end(at)
            self._arrived, self._last_at = self._arrived + 1, at
            self._waiting.append((at, takes_s, way_s))
            self._hand_out(at)
        self._end(now)
        while self._waiting and now - self._waiting[0][0] > self.terms.hold_s:
            self._waiting.popleft()
            self.served.drop(1)

    def next_look(self, now: float) -> float:
        """When the first comes for whom nobody is there, or has waited for too long."""
        self.advance(now)
        if self._waiting:
            return self._waiting[0][0] + self.terms.hold_s + 0.001
        return self.coming[0][0] if self.coming else float("inf")

    def wants(self, now: float) -> bool:
        """Whether a look now could change how many replicas there are: many slots are busy."""
        self.advance(now)
        if len(self._slots) > self.terms.least and self._last_at is not None and not self._busy:
            idle_s = now - self._last_at
            return self.terms.idle_after_s <= idle_s < self.terms.idle_after_s + IDLE_TOLD_S
        return len(self._busy) > BUSY * self.terms.room * len(self._slots)

    def finish(self, now: float) -> None:
        """The rehearsal is over: what still waits or is worked on counts as it stands."""
        self.advance(now)
        self.served.unfinished += len(self._waiting) + len(self._busy)

    def _hand_out(self, now: float) -> None:
        while self._waiting and (name := self._next()) is not None:
            self._begin(name, *self._waiting.popleft(), now)

    def _next(self) -> str | None:
        """The replica that gets the next one; None where all have as many as they may, or there is none."""
        name = min(self._slots, key=lambda each: (self._held.get(each, 0), self._slots[each][0]), default=None)
        return None if self.terms.is_capped and name and self._held.get(name, 0) >= self.terms.room else name

    def _begin(self, name: str, came: float, takes_s: float, way_s: float, now: float) -> None:
        slots = self._slots[name]
        end = max(now, slots[0]) + takes_s
        heapq.heapreplace(slots, end)
        heapq.heappush(self._busy, (end, name, takes_s))
        self._held[name] = self._held.get(name, 0) + 1
        late_from_s = self.terms.slo_s or PATIENCE * (takes_s + self.served.way_s)
        self.served.answer(end - came + way_s, takes_s, late_from_s + way_s)

    def _end(self, now: float) -> None:
        while self._busy and self._busy[0][0] <= now:
            end, name, takes_s = heapq.heappop(self._busy)
            self._held[name] -= 1
            self._worked += 1
            self._worked_s += takes_s
            self._hand_out(end)
