"""What does each queue and each of its users have, against what it is guaranteed and what it may have?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from weyr.scheduling.queueing.nodes import price_micros
from weyr.scheduling.queueing.shapes import CPU, GPU, MEMORY, MONEY, Amounts, Need, Node, Queue, gpu_of

SHARED = (CPU, MEMORY, GPU)
"""What a dominant share is taken of."""


def demand_of(need: Need, nodes: Iterable[Node]) -> dict[str, int]:
    """What replicas on these nodes use, one for each time that a node is named."""
    used: dict[str, int] = {}
    for node in nodes:
        for name, amount in (
            (CPU, need.cpu_milli),
            (MEMORY, need.memory_bytes),
            (GPU, need.gpu_milli),
            (gpu_of(node.model), need.gpu_milli),
            (MONEY, price_micros(need, node)),
        ):
            if amount:
                used[name] = used.get(name, 0) + amount
    return used


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

    def add(self, user: str, demand: Amounts, sign: int = 1) -> None:
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
                return f"{name} of a user"
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
        return dominant_share(self.used, total) / self.queue.weight

    def user_share(self, user: str, total: Amounts) -> float:
        return dominant_share(self.users.get(user, {}), total)

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
