"""What a tick found of a task that did not start."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OverLimit:
    """Its queue would pass a limit: the names say of what, over all models that would do."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoRoom:
    """No nodes have room for it now."""


@dataclass(frozen=True, slots=True)
class Behind:
    """There is room, or some of its queue's limit, but it is kept for `head`, which is first in line and should start
    at `from_s`; None: nobody knows when."""

    head: str
    from_s: float | None


@dataclass(frozen=True, slots=True)
class NoQueue:
    """Nobody declared its queue."""


Verdict = OverLimit | NoRoom | Behind | NoQueue
