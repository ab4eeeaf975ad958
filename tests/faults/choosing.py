"""Which of many faults are tried in one run?"""

from collections.abc import Callable, Sequence

Choose = Callable[[Sequence[int], int], list[int]]
"""Takes all faults there are and how many will do; gives those to try, in order."""
