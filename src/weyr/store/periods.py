"""Which days may still be posted to? A month that is closed takes no line more. Pure."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from weyr.core.metering import Line


@dataclass(frozen=True, slots=True)
class Period:
    """A closed month, such as `2026-10`, and where the journal stood when it was closed."""

    name: str
    last_day: str
    closed_ms: int
    who: str
    seq: int = 0
    hash: bytes = b""


def open_day(day: str, closed: str) -> str:
    """The day for which a use of `day` counts: the first that is open, where its own is closed."""
    if not closed or day > closed:
        return day
    return (date.fromisoformat(closed) + timedelta(days=1)).isoformat()


def in_open_days(line: Line, closed: str) -> Line:
    """A line as it may be posted. One of a closed day is an adjustment of the open period, which names the day."""
    day = open_day(line.day, closed)
    if day == line.day:
        return line
    return replace(line, day=day, note=f"late, of {line.day}" + (f": {line.note}" if line.note else ""))
