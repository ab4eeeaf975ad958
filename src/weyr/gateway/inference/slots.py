"""Since when does a replica work on a request? Since there was a slot for it: what more it has waits inside it.

A replica works on so many requests at once, first come, first served; the next one begins where one of them ends. What
it works on for less at once, or not in order, is told as much in sum: its slots were busy for just as long.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weyr.gateway.inference.attempt import Attempt


class Slots:
    """The slots of one replica. An attempt's `works_since` is 0 for as long as it has none."""

    __slots__ = ("_busy", "_line")

    def __init__(self) -> None:
        self._busy = 0
        self._line: dict[Attempt, None] = {}

    def sent(self, attempt: "Attempt", room: int, now: float) -> None:
        """A request is with the replica, which works on `room` at once, or with 0 on all that it has."""
        if room and self._busy >= room:
            self._line[attempt] = None
        else:
            self._busy += 1
            attempt.works_since = now

    def left(self, attempt: "Attempt", room: int, now: float) -> None:
        """It is no longer there, however it ended."""
        if not attempt.works_since:
            self._line.pop(attempt, None)
            return
        self._busy -= 1
        while self._line and (not room or self._busy < room):
            first = next(iter(self._line))
            del self._line[first]
            first.works_since = now
            self._busy += 1
