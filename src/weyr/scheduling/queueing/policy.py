"""How a line is worked off: what may be chosen, and what is chosen by default."""

from dataclasses import dataclass, field
from enum import StrEnum

from weyr.scheduling.queueing.ranks import InOrder, Ranker
from weyr.scheduling.queueing.shapes import Backfill


class Fairness(StrEnum):
    """How users of one queue and priority share it."""

    NONE = "none"
    """Not at all: their tasks stand in one line."""
    TIES = "ties"
    """Of two tasks of one level, the one goes first whose user has less."""
    FIRST = "first"
    """Whose user has less goes first, whatever the levels."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of every queue. The defaults are those that measured best, see docs/concepts/queueing.md."""

    ranker: Ranker = field(default_factory=InOrder)
    backfill: Backfill = Backfill.EASY
    fairness: Fairness = Fairness.TIES
    is_slicing: bool = False
    """Whether a preemptible task may have to stop for one of a lower level, within one queue and priority."""
    min_run_s: float = 300.0
    """What has run for less is not stopped, but to give back what its queue borrowed."""
    patience_s: float = 86_400.0
    """Who has waited for so long goes first in its queue and priority."""
