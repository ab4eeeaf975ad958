"""When does a schedule come next? Five fields as cron has them, in a time zone. Pure: it is told when to begin from.

A local time that a change of clocks skips comes as much later as was skipped; one that comes twice counts once, unless
the schedule names no hour: then every hour there is counts.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MACROS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
DAYS_AHEAD_MAX = 366 * 8
"""A 29th of February is at most eight years away."""
_PART = re.compile(r"(\*|[a-z0-9]+(?:-[a-z0-9]+)?)(?:/([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Cron:
    """What each field admits. `names_hour`, `names_day`, `names_weekday`: whether the field says more than `*`."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    names_hour: bool
    names_day: bool
    names_weekday: bool

    def is_on(self, day: date) -> bool:
        """Whether it comes on this day. Where both kinds of days are named, either is enough, as cron has it."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.names_day and self.names_weekday:
            return by_day or by_weekday
        return by_day and by_weekday


@lru_cache(maxsize=1024)
def parse_cron(text: str) -> Cron:
    """`30 6 * * mon-fri`: minute, hour, day of month, month, weekday; or @daily and its like. Raises: ValueError."""
    fields = MACROS.get(text.strip().lower(), text).lower().split()
    if len(fields) != 5:
        raise ValueError(f"{text!r} is not a schedule: write five fields, such as 30 6 * * mon-fri, or @daily")
    minute, hour, day, month, weekday = fields
    cron = Cron(
        _field(minute, 0, 59), _field(hour, 0, 23), _field(day, 1, 31), _field(month, 1, 12, MONTHS, 1),
        frozenset(value % 7 for value in _field(weekday, 0, 7, DAYS)),
        hour != "*" and not hour.startswith("*/1"), not day.startswith("*"), not weekday.startswith("*"),
    )  # fmt: skip
    if all(not cron.is_on(date(2000, 1, 1) + timedelta(days)) for days in range(366 * 4)):
        raise ValueError(f"{text!r} never comes: no month has such a day")
    return cron


def zone_of(name: str) -> ZoneInfo:
    """`Europe/Berlin`. Raises: ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise ValueError(f"{name!r} is not a time zone such as Europe/Berlin or UTC") from e


def next_after(cron: Cron, zone: tzinfo, after: float) -> float:
    """The first moment later than `after`, both in Unix seconds."""
    first = datetime.fromtimestamp(after, zone).date() - timedelta(days=1)
    for ahead in range(DAYS_AHEAD_MAX):
        day = first + timedelta(days=ahead)
        if cron.is_on(day):
            found = min((at for at in _moments(cron, zone, day) if at > after), default=None)
            if found is not None:
                return found
    raise AssertionError("a schedule that parses comes at least once in eight years")


def last_until(cron: Cron, zone: tzinfo, until: float) -> float:
    """The last moment that is no later than `until`, both in Unix seconds."""
    first = datetime.fromtimestamp(until, zone).date() + timedelta(days=1)
    for back in range(DAYS_AHEAD_MAX):
        day = first - timedelta(days=back)
        if cron.is_on(day):
            found = max((at for at in _moments(cron, zone, day) if at <= until), default=None)
            if found is not None:
                return found
    raise AssertionError("a schedule that parses comes at least once in eight years")


def _moments(cron: Cron, zone: tzinfo, day: date) -> set[float]:
    """Every moment of a day at which it comes."""
    moments: set[float] = set()
    for hour in cron.hours:
        for minute in cron.minutes:
            local = datetime.combine(day, time(hour, minute), zone)
            moments.add(local.timestamp())
            if not cron.names_hour:
                moments.add(local.replace(fold=1).timestamp())
    return moments


def _field(text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if not match:
            raise ValueError(f"{part!r} is no part of a schedule")
        span, step = match[1], int(match[2] or 1)
        begin, _, end = span.partition("-")
        begin_at = low if span == "*" else _number(begin, names, first)
        end_at = high if span == "*" or (match[2] and not end) else _number(end or begin, names, first)
        if not (low <= begin_at <= end_at <= high) or step < 1:
            raise ValueError(f"{part!r} is not within {low} and {high}")
        values.update(range(begin_at, end_at + 1, step))
    return frozenset(values)


def _number(text: str, names: tuple[str, ...], first: int) -> int:
    if text.isdigit():
        return int(text)
    if text[:3] in names:
        return names.index(text[:3]) + first
    raise ValueError(f"{text!r} is neither a number nor a name that is known there")
