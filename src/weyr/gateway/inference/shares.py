"""Whose turn is it, where each has a weight? In turns that are as even as they can be, and without chance.

Each turn everybody gains its weight, and who has most pays the sum of all: after as many turns as that sum, each had
exactly its weight of them, and nobody is ever far from its share on the way there. A weight of 5 of 100 is every
twentieth request, not five in a row.
"""

from collections.abc import Sequence


class Shares:
    """Takes: weights of at least 0. Gives: positions among them; none where all are 0."""

    def __init__(self, weights: Sequence[int]) -> None:
        self._weights = tuple(weights)
        self._sum = sum(weights)
        self._gained = [0] * len(weights)

    def next(self) -> int | None:
        """Whose turn it is."""
        if not self._sum:
            return None
        gained = self._gained
        best = -1
        for at, weight in enumerate(self._weights):
            if weight:
                gained[at] += weight
                if best < 0 or gained[at] > gained[best]:
                    best = at
        gained[best] -= self._sum
        return best
