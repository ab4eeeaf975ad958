"""What does each queue and each of its users have, against what it is guaranteed and what it may have?"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from weyr.scheduling.placement import Placed
from weyr.scheduling.queueing.nodes import MIB, Free, device_milli
from weyr.scheduling.queueing.shapes import CPU, GPU, MEMORY, MONEY, Amounts, Queue, gpu_of

SHARED = (CPU, MEMORY, GPU)
"""What a dominant share is taken of."""
OF_USER = " of a user"
"""Ends the name of a limit that is each user's."""


def demand_of(places: Iterable[tuple[Placed, Free]]) -> dict[str, int]:
    """What replicas use, given each with its node."""
    used: Counter[str] = Counter()
    for placed, free in places:
        milli = device_milli(placed)
        used[CPU] += placed.request.cpu_milli
        used[MEMORY] += placed.request.memory_mib * MIB
        used[GPU] += milli
        used[gpu_of(placed.request.profile or free.node.model)] += milli
        used[MONEY] += free.price_micros(placed.request)
    return {name: amount for name, amount in used.items() if amount}


def dominant_share(used: Amounts, total: Amounts) -> float:
    """The largest part of all there is of anything that is used."""
    return max((used.get(name, 0) / total[name] for name in SHARED if total.get(name)), default=0.0)


@dataclass(slots=True)
class Account:
    """What one queue uses, in all and by user. What is being stopped counts in `stopping` alone."""

    queue: Queue
    used: dict[str, int] = field(default_factory=dict)
    stopping: dict[str, int] = field(default_factory=dict)
    users: dict[str, dict[str, int]] = field(default_factory=dict)
    _shares: dict[str | None, float] = field(default_factory=dict)
    """Worked out since it last changed: of the queue under None, of users by name."""
    changes: int = 0
    """Counts what may have changed a share."""

    def add(self, user: str, demand: Amounts, sign: int = 1) -> None:
        self.changes += 1
        self._shares.pop(None, None)
        self._shares.pop(user, None)
        _add(self.used, demand, sign)
        theirs = self.users.setdefault(user, {})
        _add(theirs, demand, sign)
        if not theirs:
            del self.users[user]

    def add_stopping(self, demand: Amounts, sign: int = 1) -> None:
        _add(self.stopping, demand, sign)

    def passed(self, user: str, demand: Amounts, is_stopping_counted: bool = False) -> str:
        """Which limit `demand` would pass: its name, or nothing."""
        limit, theirs = self.queue.limit, self.queue.user_limit
        for name, amount in demand.items():
            stopping = self.stopping.get(name, 0) if is_stopping_counted else 0
            if name in limit and self.used.get(name, 0) + stopping + amount > limit[name]:
                return name
            if name in theirs and self.users.get(user, {}).get(name, 0) + stopping + amount > theirs[name]:
                return name + OF_USER
        return ""

    def is_guaranteed(self, demand: Amounts) -> bool:
        """Whether what it uses and `demand` are within its guarantee."""
        guarantee = self.queue.guarantee
        return any(demand.get(name) for name in guarantee) and all(
            self.used.get(name, 0) + demand.get(name, 0) <= amount for name, amount in guarantee.items()
        )

    def is_borrowing(self, used: Amounts | None = None) -> bool:
        """Whether what it uses (or would) is beyond its guarantee."""
        used = self.used if used is None else used
        guarantee = self.queue.guarantee
        return not guarantee or any(used.get(name, 0) > amount for name, amount in guarantee.items())

    def share(self, total: Amounts) -> float:
        if None not in self._shares:
            self._shares[None] = dominant_share(self.used, total) / self.queue.weight
        return self._shares[None]

    def user_share(self, user: str, total: Amounts) -> float:
        if user not in self._shares:
            self._shares[user] = dominant_share(self.users.get(user, {}), total)
        return self._shares[user]

    def forget_shares(self) -> None:
        """There is more or less of everything, or the queue is another."""
        self.changes += 1
        self._shares.clear()

    def largest_users(self, name: str) -> list[tuple[str, int]]:
        """Who uses most of it, first."""
        found = [(user, used[name]) for user, used in self.users.items() if used.get(name)]
        return sorted(found, key=lambda each: (-each[1], each[0]))


def _add(to: dict[str, int], amounts: Mapping[str, int], sign: int) -> None:
    for name, amount in amounts.items():
        left = to.get(name, 0) + sign * amount
        if left:
            to[name] = left
        else:
            to.pop(name, None)
