"""Where does a simulated world's luck come from? One source of chance for each concern, all from one seed.

A concern is somebody or something that draws: the people, the stack, each engine's calls, each node, the store,
the clock. One more draw in one of them changes nothing for the others, so a world that was understood stays
recognisable when a new sort of trouble is added to it.
"""

import random


def chance_of(seed: int, concern: str) -> random.Random:
    """The concern's own source. The same seed and concern give the same luck, whoever else draws."""
    return random.Random(f"{seed}/{concern}")
