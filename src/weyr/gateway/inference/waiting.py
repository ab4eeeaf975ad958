"""Who waits at an endpoint, and for how long will he? The line before its replicas, and what is known of its pace."""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from weyr.gateway.inference.queue import FairQueue
from weyr.gateway.inference.replica import RETRY_MAX_S, RETRY_MIN_S, Replica

SMOOTHING = 0.05
PASSED_OVER_MAX = 8
"""How many that cannot be sent yet, because their version has no room, are asked before the rest waits on."""


class Waiter(Protocol):
    """A request that is held until a replica can take it."""

    @property
    def caller(self) -> str: ...
    @property
    def priority(self) -> int: ...

    def wake(self) -> None: ...


class WaitingLine:
    """Requests that wait for one endpoint. `serve_s` is how long one of them takes a replica, as it was lately;
    `wake_s` how long it took lately from the first that found no replica to a replica.

    Takes `has_room`, whether any replica could take a request at that time.
    """

    def __init__(self, has_room: Callable[[float], bool]) -> None:
        self.queue = FairQueue[Waiter]()
        self.serve_s = 0.0
        self.wake_s = 0.0
        self._has_room = has_room
        self._asleep_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_letting_in = False

    def __len__(self) -> int:
        return len(self.queue)

    def join(self, waiter: Waiter, replicas: Sequence[Replica]) -> None:
        """Keeps a request until `wake`. Looks again by itself where a replica is only resting."""
        self.queue.push(waiter, waiter.caller, waiter.priority)
        loop = asyncio.get_running_loop()
        if not replicas and self._asleep_since is None:
            self._asleep_since = loop.time()
        if self._timer is None and replicas:
            now = loop.time()
            soonest = min(replica.down_until for replica in replicas)
            self._timer = loop.call_at(min(max(soonest, now + RETRY_MIN_S), now + RETRY_MAX_S), self._look_again)

    def leave(self, waiter: Waiter) -> None:
        """It waits no longer."""
        self.queue.drop(waiter)
        if not self.queue:
            self._asleep_since = None

    def served(self, took_s: float) -> None:
        """A replica was busy with a request for so long."""
        self.serve_s += (took_s - self.serve_s) * (SMOOTHING if self.serve_s else 1.0)

    def replicas_came(self, now: float) -> None:
        """The endpoint has replicas, and had none while somebody waited."""
        if self._asleep_since is not None:
            took_s, self._asleep_since = now - self._asleep_since, None
            self.wake_s += (took_s - self.wake_s) * (0.5 if self.wake_s else 1.0)

    def wait_s(self, caller: str, priority: int, places: int, now: float) -> float:
        """About how long a request would wait from now on; 0 where nothing is known."""
        if self._asleep_since is not None:
            return max(0.0, self._asleep_since + self.wake_s - now)
        if not places:
            return 0.0
        return (self.queue.ahead_of(caller, priority) + 1) * self.serve_s / places

    def wake(self) -> None:
        """Everyone who waits tries again, in his turn."""
        for waiter in self.queue.take_all():
            waiter.wake()

    def let_in(self) -> None:
        """There may be room for the next ones."""
        if self._is_letting_in:
            return
        self._is_letting_in = True
        now, passed_over = asyncio.get_running_loop().time(), 0
        while self.queue and passed_over < PASSED_OVER_MAX and self._has_room(now):
            waiter = self.queue.pop()
            assert waiter is not None
            waiter.wake()
            passed_over += waiter in self.queue
        self._is_letting_in = False

    def _look_again(self) -> None:
        self._timer = None
        self.wake()


def whole_seconds(wait_s: float) -> int:
    return max(1, math.ceil(wait_s))
