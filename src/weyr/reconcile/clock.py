"""What happens where somebody sets the machine's clock? Time that did not pass is neither waited for nor billed.

Moments are kept by the wall clock, for people read them and processes agree on it; durations must not be. So each
pass compares the wall clock with one that nobody can set and that goes on while the machine sleeps.
"""

from collections.abc import Callable

from weyr.reconcile.loop import Loop

SET_BY_S = 2.0
"""Less is a clock that is steered, not set: NTP slews it by 0.5 ms a second, and passes are half a minute apart."""


class ClockWatch:
    """Notices that the wall clock was set while this process ran.

    Takes: `now`, the wall clock; `passed`, seconds that nobody can set (the kernel's CLOCK_BOOTTIME).
    """

    def __init__(self, now: Callable[[], float], passed: Callable[[], float]) -> None:
        self._now, self._passed = now, passed
        self._last = now(), passed()

    def look(self) -> tuple[float, float]:
        """The moment it is, and the moment it would be had nobody set the clock since the last look. Small
        differences count as none."""
        now, passed = self._now(), self._passed()
        unset = self._last[0] + (passed - self._last[1])
        self._last = now, passed
        return now, unset if abs(now - unset) >= SET_BY_S else now


def take_on_set_clock(loop: Loop, unset: float, now: float) -> None:
    """The clock was set from `unset` to `now`: meters go on from there, and everything is looked at again.

    Its caller has the loop's turn. First by the old time: what began before and was not seen yet would otherwise
    seem to have run all that time.
    """
    with loop.lock:
        loop.world.wake(loop.world.objects)
    loop.tick(unset)
    with loop.lock, loop.db.write() as connection:
        loop.ledger.clock_was_set(connection, unset, now)
        loop.world.wake(loop.world.objects)
    loop.effects.log("clock.set", by_s=round(now - unset, 3))
