"""In which order are the lanes of one queue tried, while what starts moves their users back?"""

import heapq
from collections.abc import Iterable

from weyr.scheduling.queueing.accounts import Account
from weyr.scheduling.queueing.lanes import Key, Lane, Lanes
from weyr.scheduling.queueing.policy import Fairness
from weyr.scheduling.queueing.shapes import Amounts


class Line:
    """The lanes of one queue, each with a key that only grows while what its user has grows.

    Most are tried once and leave, so they are sorted once; those whose key has grown stand in a heap beside.
    """

    def __init__(
        self, lanes: Iterable[Lane], account: Account | None, fairness: Fairness, total: Amounts, all_lanes: Lanes
    ) -> None:
        self._account, self._fairness, self._total, self._first_in = account, fairness, total, all_lanes.first
        self._sorted = sorted([(self._key(lane), lane) for lane in lanes], reverse=True)
        self._moved: list[tuple[Key, Lane]] = []
        self._changes, self._before = -1, (2.0, 0.0)

    def __bool__(self) -> bool:
        return bool(self._sorted or self._moved)

    def key(self) -> Key:
        """In which order queues are served. Like a lane's it only grows meanwhile: a stale one is too small."""
        account = self._account
        if account is not None and account.changes != self._changes:
            self._changes, self._before = account.changes, (account.is_borrowing(), account.share(self._total))
        return self._before + self._first()[0]

    def settle(self) -> Lane | None:
        """The first, if its key is still what it was; None where it has moved back."""
        key, lane = self._first()
        if (current := self._key(lane)) <= key:
            return lane
        self._leave()
        heapq.heappush(self._moved, (current, lane))
        return None

    def next(self, is_again: bool) -> None:
        """The first was tried: it leaves, or stands in line `is_again` for the next of its lane."""
        lane = self._leave()
        if is_again:
            heapq.heappush(self._moved, (self._key(lane), lane))

    def _first(self) -> tuple[Key, Lane]:
        """Its key may be too small by now."""
        if not self._moved or (self._sorted and self._sorted[-1] < self._moved[0]):
            return self._sorted[-1]
        return self._moved[0]

    def _leave(self) -> Lane:
        is_moved = self._moved and self._first() is self._moved[0]
        return (heapq.heappop(self._moved) if is_moved else self._sorted.pop())[1]

    def _key(self, lane: Lane) -> Key:
        """No two are equal: the last part is the first task's own."""
        theirs = 0.0
        if self._account is not None and self._fairness is not Fairness.NONE:
            theirs = self._account.user_share(lane.alike.user, self._total)
        key = lane.key
        if key is None or key[3] != theirs:
            alike, (submitted_s, number, _) = lane.alike, self._first_in(lane)
            first = theirs if self._fairness is Fairness.FIRST else 0.0
            key = lane.key = (-alike.priority, first, alike.level, theirs, submitted_s, number)
        return key
