"""What does the ledger's one writer write at once, and how does he know that nobody else wrote meanwhile?"""

from dataclasses import dataclass

from weyr.core.metering import Line, Meter


@dataclass(frozen=True, slots=True)
class Stand:
    """How far meters and journal have come: the last line, the last closed day, the newest meter; and how often
    something that was written was taken back. While it is the same, nobody wrote but whom it was told."""

    seq: int
    closed: str
    newest: int
    undone: int


@dataclass(frozen=True, slots=True)
class Change:
    """A meter's new state, with the lines that lead to it."""

    before: Meter
    after: Meter
    lines: tuple[Line, ...] = ()
