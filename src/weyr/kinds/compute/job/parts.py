"""What are the things of a job called? `3` is its third attempt, `3.1` replica 1 of it, `7:3.1` index 7's. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from weyr.core.decision import Thing

PART = re.compile(r"(?:(\d+):)?(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """`index` is None for a job without an array, `rank` for an attempt without replicas."""

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
        """None where this is no name of ours."""
        match = PART.fullmatch(text)
        if match is None:
            return None
        index, attempt, rank = match.groups()
        return cls(int(attempt), None if index is None else int(index), None if rank is None else int(rank))


Members = dict[int, Thing]
"""The things of one attempt by rank; 0 where it has no replicas."""


def by_series(things: Mapping[str, Thing]) -> dict[int | None, dict[int, Members]]:
    """Things by index, attempt and rank; those that are called otherwise are left out."""
    found: dict[int | None, dict[int, Members]] = {}
    for name, thing in things.items():
        part = Part.parse(name)
        if part is not None:
            found.setdefault(part.index, {}).setdefault(part.attempt, {})[part.rank or 0] = thing
    return found


def ranges(numbers: Iterable[int]) -> str:
    """`[0, 1, 2, 5]` → `0-2,5`: ten thousand indices that are done in a few letters."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)


def numbers(text: str) -> set[int]:
    """What `ranges` wrote."""
    found: set[int] = set()
    for span in text.split(",") if text else ():
        first, _, last = span.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
