"""What will be asked for next? The mix of what was asked for so far: nothing is known ahead."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from weyr.scheduling.placement.values import Request

GROWTH = 1.5
"""The mix is taken anew when half as many requests more have come: all that was worked out by it goes with it."""


class Outlook:
    """Counts requests; a new `generation` begins when the mix has changed enough to work all out anew."""

    def __init__(self, expected: Iterable[tuple[Request, float]] = ()) -> None:
        """*Takes* what is expected to be asked for, and how often; none: what is asked for tells."""
        self.generation = 0
        self.mix: Mapping[Request, float] = MappingProxyType({})
        self._counts: defaultdict[Request, float] = defaultdict(float)
        self._seen = 0.0
        for request, times in expected:
            self._counts[request] += times
            self._seen += times
        self._taken_at = self._seen
        if self._seen:
            self._take()

    def see(self, request: Request) -> None:
        """Count one more; *promises* to take no longer however many came before."""
        self._counts[request] += 1
        self._seen += 1
        if self._seen >= GROWTH * self._taken_at:
            self._take()

    def _take(self) -> None:
        self.generation += 1
        self._taken_at = self._seen
        self.mix = MappingProxyType({request: times / self._seen for request, times in self._counts.items()})
