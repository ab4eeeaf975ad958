"""When is there spot capacity? A trace of a zone: whether it could be had at each step. Pure."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from weyr.core.diagnostic import Diagnostic, Place, UserError

EXAMPLE = '{"metadata": {"gap_seconds": 300}, "data": [1, 1, 0, 1]}'


@dataclass(frozen=True, slots=True)
class SpotTrace:
    """`flips` are the moments, in seconds from its beginning, at which capacity goes or comes, in turn; it begins with
    capacity if `is_there_first`, lasts `length_s` and begins anew then."""

    flips: tuple[float, ...]
    is_there_first: bool
    length_s: float

    def is_there(self, at_s: float) -> bool:
        """Whether spot can be had at a moment."""
        return bool(bisect_right(self.flips, at_s % self.length_s) % 2) != self.is_there_first

    def next_flip(self, at_s: float) -> float:
        """The first moment after `at_s` at which that changes; infinity where it never does."""
        whole, within = divmod(at_s, self.length_s)
        place = bisect_right(self.flips, within)
        ends_as = bool(len(self.flips) % 2) != self.is_there_first
        if place < len(self.flips):
            return whole * self.length_s + self.flips[place]
        if ends_as != self.is_there_first:
            return (whole + 1) * self.length_s
        return (whole + 1) * self.length_s + self.flips[0] if self.flips else float("inf")

    def next_there(self, at_s: float) -> float:
        """When it can be had, from `at_s` on."""
        return at_s if self.is_there(at_s) else self.next_flip(at_s)


def read_spot_trace(text: str, file: str, shift_s: float = 0.0) -> SpotTrace:
    """`shift_s`: where in it to begin. Raises: UserError."""
    try:
        plain = json.loads(text)
        gap_s, told = float(plain["metadata"]["gap_seconds"]), list(plain["data"])
        if strange := [each for each in told if each not in (0, 1)]:
            raise ValueError(f"{strange[0]!r} is neither 1 nor 0")
        there = [bool(each) for each in told]
        if not there or not gap_s > 0:
            raise ValueError("it has no steps")
    except (ValueError, KeyError, TypeError) as e:
        detail = f"A spot trace says at each step of some seconds whether there was capacity; this does not ({e})."
        raise UserError(
            Diagnostic("A spot trace that cannot be read", detail, place=Place(file), suggestion=EXAMPLE)
        ) from e
    start = int(shift_s / gap_s) % len(there)
    return spot_trace(there[start:] + there[:start], gap_s)


def spot_trace(there: Sequence[bool], gap_s: float) -> SpotTrace:
    flips = [step * gap_s for step in range(1, len(there)) if there[step] != there[step - 1]]
    return SpotTrace(tuple(flips), there[0], len(there) * gap_s)
