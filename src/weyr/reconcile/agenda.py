"""When is each object looked at next? A heap beside a dictionary: finding what is due costs nothing for what is not."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import inf

from weyr.core.ref import Ref

_STALE_MIN = 64


@dataclass(slots=True)
class Agenda:
    """`times` is the truth (Unix seconds); the heap may hold older entries, which are passed over.

    An object that was taken and not put back stands at `inf`: it is being looked at.
    """

    times: dict[Ref, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, Ref]] = field(default_factory=list, compare=False, repr=False)
    _count: int = field(default=0, compare=False, repr=False)
    """Entries of one time come in the order in which they were put: addresses are slow to compare."""

    def put(self, ref: Ref, at: float) -> None:
        """Looks at it at `at`, whatever was said before."""
        self.times[ref] = at
        self._count += 1
        heappush(self._heap, (at, self._count, ref))
        if len(self._heap) > 2 * len(self.times) + _STALE_MIN:
            self._heap = [entry for entry in self._heap if self.times.get(entry[2]) == entry[0]]
            heapify(self._heap)

    def advance(self, ref: Ref, at: float) -> None:
        """Looks at it at `at` at the latest."""
        if at < self.times.get(ref, inf):
            self.put(ref, at)

    def drop(self, ref: Ref) -> None:
        self.times.pop(ref, None)

    def take(self, now: float) -> list[Ref]:
        """What is due at `now`, earliest first. Each has to be put back once it was looked at."""
        due: list[Ref] = []
        while (at := self.next()) is not None and at <= now:
            ref = heappop(self._heap)[2]
            self.times[ref] = inf
            due.append(ref)
        return due

    def rung(self, refs: Iterable[Ref]) -> list[Ref]:
        """Those of `refs`, which were taken, that somebody put back since."""
        return [ref for ref in refs if self.times.get(ref, inf) != inf]

    def next(self) -> float | None:
        """When the next is due; None: nothing is."""
        while self._heap:
            at, _, ref = self._heap[0]
            if self.times.get(ref) == at:
                return at
            heappop(self._heap)
        return None
