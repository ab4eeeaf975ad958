"""How a line is worked off: what may be chosen, and what is chosen by default."""

from dataclasses import dataclass, field
from enum import StrEnum

from weyr.scheduling.queueing.ranks import LeastExpected, Ranker
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

    ranker: Ranker = field(default_factory=LeastExpected)
    """In which order, within one queue and priority. `InOrder()` is first come, first served."""
    backfill: Backfill = Backfill.EASY
    fairness: Fairness = Fairness.TIES
    is_slicing: bool = True
    """Whether a preemptible task may have to stop for one of a lower level, within one queue and priority."""
    min_run_s: float = 300.0
    """What has run for less is not stopped, but to give back what its queue borrowed."""
    turn_loss_max_s: float = 600.0
    """Nobody loses more work than so much, just for another to have its turn."""
    patience_s: float = 86_400.0
    """Who has waited for so long goes first in its queue and priority."""
    starts_max: int = 2_000
    """So many start in one tick; the next is due at once."""
