"""How long did replicas work on what they were asked? Counts in classes that are a tenth wide. Pure.

A class `k` is what took around 1.1 to the power of `k` seconds. Only classes that have something are told, so that a
day of requests is a few dozen numbers; whoever looks twice takes the difference.
"""

import math
from collections.abc import Mapping, Sequence

WIDTH = math.log(1.1)
SHORTEST_S = 1e-5

Classes = tuple[int, ...]
"""A class and its count, and so on, in order: what planes tell."""


def class_of(took_s: float) -> int:
    return round(math.log(took_s) / WIDTH) if took_s > SHORTEST_S else round(math.log(SHORTEST_S) / WIDTH)


def seconds_in(place: float) -> float:
    """What a class is around; between two of them, a number between."""
    return math.exp(place * WIDTH)


def told(counts: Mapping[int, int]) -> Classes:
    return tuple(number for place in sorted(counts) for number in (place, counts[place]))


def counted(classes: Sequence[int]) -> dict[int, int]:
    """Counts by class."""
    return dict(zip(classes[::2], classes[1::2], strict=True))
