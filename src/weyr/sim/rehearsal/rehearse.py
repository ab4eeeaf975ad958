"""What comes of a stack, seed by seed and variant by variant? A rehearsal each, and their ranges."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from weyr.core.kind import Kinds
from weyr.sim.rehearsal.arrivals import Arrivals
from weyr.sim.rehearsal.outcome import Plain, outcome_of
from weyr.sim.rehearsal.setting import Setting
from weyr.sim.rehearsal.world import Rehearsal
from weyr.stack.stack import Stack

ArrivalsOf = Callable[[int], Arrivals]
"""Who comes, by seed."""


def rehearsed(
    kinds: Kinds,
    stack: Stack,
    arrivals: ArrivalsOf,
    setting: Setting,
    seeds: Sequence[int],
    progress: Callable[[float], None] = lambda _share: None,
) -> list[Plain]:
    """One outcome for each seed, in order; `progress` is told which share of all of them is over."""
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="weyr-rehearsal-") as folder:
        for number, seed in enumerate(seeds):
            rehearsal = Rehearsal(kinds, stack, arrivals(seed), replace(setting, seed=seed), Path(folder))
            try:
                rehearsal.run(partial(_told, progress, number, len(seeds)))
                outcomes.append(outcome_of(rehearsal))
            finally:
                rehearsal.close()
    return outcomes


def _told(progress: Callable[[float], None], number: int, of: int, share: float) -> None:
    progress((number + share) / of)
