"""What are the tasks of one object called? `3` is its third attempt, `3.1` replica 1 of that, `7:3.1` that of index 7.

Kinds give the names, and whoever shows or looks for tasks reads them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from weyr.core.ref import ThingId

PART = re.compile(r"(?:(\d{1,9}):)?(\d{1,9})(?:\.(\d{1,9}))?")


@dataclass(frozen=True, slots=True)
class Part:
    """`index` is None for an object without an array, `rank` for an attempt without replicas."""

    attempt: int
    index: int | None = None
    rank: int | None = None

    @property
    def gang(self) -> str:
        """The attempt as a whole: what its replicas' names have in common."""
        return f"{self.attempt}" if self.index is None else f"{self.index}:{self.attempt}"

    def __str__(self) -> str:
        return self.gang if self.rank is None else f"{self.gang}.{self.rank}"

    @classmethod
    def parse(cls, text: str) -> "Part | None":
        """None where this is no such name."""
        match = PART.fullmatch(text)
        if match is None:
            return None
        index, attempt, rank = match.groups()
        return cls(int(attempt), None if index is None else int(index), None if rank is None else int(rank))


def chosen(
    ids: Iterable[ThingId], attempt: int | None = None, index: int | None = None, rank: int | None = None
) -> list[ThingId]:
    """Of one object's tasks those that are asked for, by index and rank: of each index the newest attempt, or the one
    that is named.

    Takes: the tasks, oldest first; which may stand there twice. Names that say nothing are one attempt of rank 0.
    """
    named = [(id, Part.parse(id.part) or Part(-1)) for id in ids]
    newest = {part.index: part.attempt for _, part in named}
    found = {
        id: (-1 if part.index is None else part.index, part.rank or 0)
        for id, part in named
        if part.attempt == (newest[part.index] if attempt is None else attempt)
        and (index is None or part.index == index)
        and (rank is None or (part.rank or 0) == rank)
    }
    return sorted(found, key=lambda id: found[id])


def none_chosen(
    ids: Iterable[ThingId], attempt: int | None = None, index: int | None = None, rank: int | None = None
) -> str:
    """Why `chosen` found none of these tasks: what was asked for that there is not, and what there is."""
    parts = [Part.parse(id.part) or Part(-1) for id in ids]
    if not parts:
        return "has not run yet"
    for word, asked, known in (
        ("attempt", attempt, {part.attempt for part in parts}),
        ("index", index, {part.index for part in parts if part.index is not None}),
        ("replica", rank, {part.rank or 0 for part in parts}),
    ):
        if asked is not None and asked not in known:
            there = f"{min(known)} to {max(known)}" if len(known) > 1 else f"only {min(known)}" if known else "none"
            return f"has no {word} {asked}; there is {there}"
    return "has none that is all of that"
