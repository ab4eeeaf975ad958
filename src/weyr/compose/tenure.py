"""May this server act now? It may until its lease ends by a clock that nobody sets and that a pause does not stop.

The lease's own end is by the database's clock, and later: it is counted from when the database got the question, ours
from before it was sent. What is left out at the end covers two clocks that do not run equally fast, and the time
between this question and what is done upon its answer; more than that is the epoch's matter.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from weyr.core.capability import Provider, Refused, Wanted
from weyr.core.diagnostic import Fenced
from weyr.core.ref import ThingId
from weyr.core.seen import Seen, Unknown

SPARE_SHARE = 0.1


def boot_clock() -> float:
    """Seconds since the machine began, those included in which it or this process was stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Tenure:
    """One server's time under one epoch. `asked_at` is when the lease was asked for, by the same clock."""

    def __init__(self, epoch: int, lasts_s: float, asked_at: float, clock: Callable[[], float] = boot_clock) -> None:
        self.epoch = epoch
        self.lasts_s = lasts_s
        self.clock = clock
        self._ends_at = 0.0
        self.renew(asked_at)

    def renew(self, asked_at: float) -> None:
        """The lease was granted anew upon a question of that time."""
        self._ends_at = asked_at + self.lasts_s * (1 - SPARE_SHARE)

    @property
    def left_s(self) -> float:
        return self._ends_at - self.clock()

    def check(self) -> None:
        """Asked right before an engine is told something. Raises: Fenced where the time is over."""
        if self.left_s <= 0:
            raise Fenced(f"this server's lease of epoch {self.epoch} has run out: another may act by now")


class TenuredProvider:
    """An engine's capability that is told nothing once the server's time is over. Looking is always allowed."""

    def __init__(self, provider: Provider, tenure: Tenure) -> None:
        self.capability = provider.capability
        self._provider, self._tenure = provider, tenure

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        return self._provider.observe(ids)

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused | Unknown]:
        self._tenure.check()
        return self._provider.ensure(wanted)

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused | Unknown]:
        self._tenure.check()
        return self._provider.release(ids)

    def inventory(self) -> Sequence[ThingId]:
        return self._provider.inventory()
