"""What should a request that could go elsewhere pay for going where others must?

Requests that can only use some of the nodes are turned away when others have filled those. So demand is spread over
the shapes of nodes until the busiest is as little busy as can be; who goes to a busier shape than the least
busy one pays for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

ROUNDS = 40
EVEN = 0.02
"""Shapes whose demand is within this part of each other are equally busy."""


def tolls(demand: Iterable[tuple[float, frozenset[int]]], room: Sequence[float]) -> list[float]:
    """For each shape from 0 (among the least busy) to 1 (full, or many times as busy).

    *Takes* how much is asked for by those that can use a set of shapes, and how much room each shape has.
    """
    by_reach: defaultdict[frozenset[int], float] = defaultdict(float)
    for amount, reach in demand:
        if there := frozenset(shape for shape in reach if room[shape] > 0):
            by_reach[there] += amount
    if not by_reach:
        return [0.0] * len(room)
    groups = [(amount, sorted(reach)) for reach, amount in by_reach.items()]
    reached = sorted({shape for _, shape_list in groups for shape in shape_list})
    pull = list(room)
    busy = dict.fromkeys(reached, 0.0)
    for _ in range(ROUNDS):
        load = dict.fromkeys(reached, 0.0)
        for amount, shapes in groups:
            each = amount / sum(pull[shape] for shape in shapes)
            for shape in shapes:
                load[shape] += each * pull[shape]
        busy = {shape: load[shape] / room[shape] for shape in reached}
        most, least = max(busy.values()), min(busy.values())
        if most <= least * (1 + EVEN):
            return [0.0 if amount else 1.0 for amount in room]
        middle = sum(load.values()) / sum(room[shape] for shape in reached)
        for shape in reached:
            # A square root: the whole step would swing to and fro between two shapes.
            pull[shape] = max(pull[shape] * (middle / max(busy[shape], 1e-3 * middle)) ** 0.5, 1e-9 * room[shape])
    least = min(busy.values())
    return [1 - least / busy[shape] if busy.get(shape) else float(room[shape] <= 0) for shape in range(len(room))]
