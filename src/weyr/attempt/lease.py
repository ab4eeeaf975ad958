"""May an attempt run on? As long as somebody who may say so does, every so often.

Standard library only: the wrappers import this.
"""

import os
import select
import time


class Lease:
    """Runs for `lasts_s` from each byte that comes from `renewals` (-1: none do); 0 is for ever."""

    def __init__(self, lasts_s: float, renewals: int) -> None:
        self.lasts_s, self.renewals = lasts_s or float("inf"), renewals
        self._until = _boot_s() + self.lasts_s

    @property
    def left_s(self) -> float:
        return self._until - _boot_s()

    def hear(self, poll: select.poll) -> None:
        """Takes what came. That nothing more can come is no news: what counts is that nothing does."""
        if os.read(self.renewals, 4096):
            self._until = _boot_s() + self.lasts_s
        else:
            poll.unregister(self.renewals)


def _boot_s() -> float:
    """Seconds that pass while the machine sleeps as well: a lease runs out on it all the same."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
