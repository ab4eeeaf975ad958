"""What do an endpoint's replicas save, and which of all endpoints' are worth their price under a quota?"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf


@dataclass(frozen=True, slots=True)
class Curve:
    """What an endpoint's replicas save.

    `late[n]`: how many requests are late with n replicas; `price`: how many one more replica must save to be worth it;
    `value`: what one that is saved counts beside those of other endpoints; `filled`: how many its work fills on
    average. Beyond those the price grows with how many there are: whoever mostly idles pays more for idling more, so
    that bursts which only a crowd of idle replicas could take are not bought at any price.
    """

    least: int
    late: list[float]
    price: float
    value: float = 1.0
    filled: float = inf

    def steps(self, at: int, last: int) -> list[tuple[float, int]]:
        """From `at` replicas on, by how much each next number of them pays its price per replica, falling.

        Where savings only come with several replicas, as where a queue is always full with fewer, they are one step.
        """
        ends = [at]
        for to in range(at + 1, last + 1):
            while len(ends) > 1 and self._pays(ends[-2], ends[-1]) <= self._pays(ends[-1], to):
                ends.pop()
            ends.append(to)
        return [(self._pays(one, other), other) for one, other in pairwise(ends)]

    def _pays(self, at: int, to: int) -> float:
        saved = (self.late[at] - self.late[to]) / (to - at)
        return saved / self.price / max(1.0, (at + to) / 2 / self.filled)


def spend(curves: Mapping[str, Curve], quota: int | None) -> dict[str, int]:
    """Floors first; then, each time, the step that saves most per replica, as long as one is worth its price."""
    given = floors({name: curve.least for name, curve in curves.items()}, quota)
    left = inf if quota is None else quota - sum(given.values())
    steps: dict[str, list[tuple[float, int]]] = {}
    offers: list[tuple[float, str]] = []

    def offer(name: str) -> None:
        if steps[name] and steps[name][0][0] > 1:
            heapq.heappush(offers, (-steps[name][0][0] * curves[name].price * curves[name].value, name))

    for name, curve in curves.items():
        steps[name] = curve.steps(given[name], int(min(len(curve.late) - 1, given[name] + left)))
        offer(name)
    while offers and left > 0:
        name = heapq.heappop(offers)[1]
        to = steps[name][0][1]
        if to - given[name] > left:
            # It does not fit any more: the best of what does.
            steps[name] = curves[name].steps(given[name], int(given[name] + left))
        else:
            left -= to - given[name]
            given[name] = to
            steps[name].pop(0)
        offer(name)
    return given


def floors(least: Mapping[str, int], quota: int | None) -> dict[str, int]:
    """What each has at least; by turns as far as it goes where the quota is less."""
    if quota is None or sum(least.values()) <= quota:
        return dict(least)
    given = dict.fromkeys(least, 0)
    for _ in range(quota):
        neediest = min((name for name in least if given[name] < least[name]), key=lambda name: (given[name], name))
        given[neediest] += 1
    return given
