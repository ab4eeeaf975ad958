"""How are a job's things sorted by what they are attempts at, and what is over told in few letters? Pure."""

from collections.abc import Iterable, Mapping

from weyr.core.decision import Thing
from weyr.core.parts import Part

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
