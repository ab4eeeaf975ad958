"""How many more nodes of which pools would what waits fill? Pure.

Each shape that lacks room is packed onto the cheapest pool whose nodes would do, as if they were there already, first
fit; gangs whole or not at all. What one pool may still add bounds it, and the next cheapest takes the rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from weyr.scheduling.placement import Node, Request
from weyr.scheduling.queueing import Lacking
from weyr.scheduling.queueing.nodes import Free


@dataclass(frozen=True, slots=True)
class Template:
    """A pool that can grow: what a new node of it is like and costs, and how many more of them it may have."""

    pool: str
    node: Node
    price_micros_per_hour: int
    room: int

    def empty(self) -> Free:
        return Free(self.node, self.price_micros_per_hour)


@dataclass(slots=True)
class _Growth:
    template: Template
    frees: list[Free] = field(default_factory=list)

    def take(self, request: Request, replicas: int) -> bool:
        """Room for all of them on the nodes so far and as many new ones as it takes, or for none."""
        trial = [free.copy() for free in self.frees]
        left = replicas
        for free in trial:
            left = _fill(free, request, left)
        while left:
            free = self.template.empty()
            before, left = left, _fill(free, request, left)
            if left == before or len(trial) >= self.template.room:
                return False
            trial.append(free)
        self.frees = trial
        return True


def nodes_to_add(lacking: Iterable[Lacking], templates: Sequence[Template]) -> dict[str, int]:
    """By pool, how many new nodes would be filled; pools that need none are left out.

    Promises: never more than a pool's room; the same for the same values, whatever the order of `templates`.
    """
    growths = [_Growth(each) for each in sorted(templates, key=lambda each: each.pool)]
    # What needs most devices first: small ones would leave no whole node for it.
    for each in sorted(lacking, key=lambda each: (-each.request.devices, -each.request.cpu_milli, -each.replicas)):
        able = [growth for growth in growths if growth.template.empty().count(each.request, 1)]
        able.sort(key=lambda growth: (_price(growth, each.request), growth.template.node.devices))
        for _ in range(each.tasks):
            if not any(growth.take(each.request, each.replicas) for growth in able):
                break
    return {growth.template.pool: len(growth.frees) for growth in growths if growth.frees}


def _price(growth: _Growth, request: Request) -> int:
    return growth.template.empty().price_micros(request)


def _fill(free: Free, request: Request, at_most: int) -> int:
    """Puts as many there as fit. Gives how many are left."""
    fits = free.count(request, at_most)
    for _ in range(fits):
        free.fill(request)
    return at_most - fits
