"""Whose turn is it among requests that wait? Urgent ones first, and among those of one class no caller before the rest.

Within a class the order is by virtual time: each request begins where its caller's last one ended, so a caller who
sends a thousand waits behind itself, and one who sends his first goes next. Pure: it knows no clock and sends nothing.
"""

import heapq
from typing import Generic, TypeVar

from weyr.core.api_keys import PRIORITIES

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Requests that wait. Promises: `push` and `pop` take logarithmic time, `drop` constant."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, float, int, T]] = []
        self.waits: dict[T, tuple[int, str]] = {}
        self._reached = [0.0] * len(PRIORITIES)
        self._ends: dict[tuple[int, str], tuple[float, int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self.waits)

    def __contains__(self, item: T) -> bool:
        return item in self.waits

    def push(self, item: T, caller: str, priority: int, cost: float = 1.0) -> None:
        """`cost` is how much of its caller's share this one takes: 1 where all are alike."""
        place = (priority, caller)
        end, waiting = self._ends.get(place, (0.0, 0))
        begin = max(self._reached[priority], end)
        self._ends[place] = (begin + cost, waiting + 1)
        self._count += 1
        self.waits[item] = place
        heapq.heappush(self._heap, (-priority, begin, self._count, item))

    def pop(self) -> T | None:
        """The next one; None where nobody waits."""
        while self._heap:
            negative, begin, _, item = heapq.heappop(self._heap)
            if item in self.waits:
                self._reached[-negative] = begin
                self.drop(item)
                return item
        return None

    def drop(self, item: T) -> None:
        """It waits no longer; one that never did is no error."""
        place = self.waits.pop(item, None)
        if place is None:
            return
        end, waiting = self._ends[place]
        if waiting > 1:
            self._ends[place] = (end, waiting - 1)
        else:
            # Whoever has none waiting has used no share: what he was ahead by is forgiven.
            del self._ends[place]
        if not self.waits:
            self._heap.clear()
        elif len(self._heap) > 2 * len(self.waits) + 64:
            # Those who left would otherwise stay in the heap for as long as others wait.
            self._heap = [entry for entry in self._heap if entry[3] in self.waits]
            heapq.heapify(self._heap)

    def take_all(self) -> list[T]:
        """Everyone who waits, in order; nobody waits afterwards."""
        everyone = []
        while (item := self.pop()) is not None:
            everyone.append(item)
        return everyone

    def ahead_of(self, caller: str, priority: int) -> int:
        """About how many go before a request that this caller would add now."""
        more_urgent = own = callers = same = 0
        for (other, name), (_, waiting) in self._ends.items():
            if other > priority:
                more_urgent += waiting
            elif other == priority:
                same += waiting
                callers += 1
                own += waiting if name == caller else 0
        return more_urgent + min(same, (own + 1) * max(callers, 1))
