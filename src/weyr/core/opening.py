"""Is something open at this moment, and when does that change? `mon-fri 08:00-20:00` in a time zone. Pure."""

import math
import re
from collections.abc import Iterable
from datetime import datetime, time, timedelta

from weyr.core import cron
from weyr.core.units import MONTH_S

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK_MINUTES = 7 * 24 * 60
_HOURS = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? ([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")


def hours_of(text: str) -> str:
    """The text, once it is known to be right. Raises: ValueError with a sentence."""
    _parsed(text)
    return text


def is_open(hours: Iterable[str], zone: str, now: float) -> bool:
    """Whether `now` (Unix seconds) is within one of them, as a clock on the wall of that zone shows it."""
    moment = datetime.fromtimestamp(now, cron.zone_of(zone))
    minute = moment.hour * 60 + moment.minute
    return any(moment.weekday() in days and start <= minute < end for days, start, end in map(_parsed, hours))


def next_change(hours: Iterable[str], zone: str, now: float) -> float:
    """When it opens that is closed, or closes that is open; infinity where it never does."""
    listed, place = tuple(hours), cron.zone_of(zone)
    was_open = is_open(listed, zone, now)
    today = datetime.fromtimestamp(now, place).date()
    edges = {minute for _, start, end in map(_parsed, listed) for minute in (start, end)}
    for ahead in range(9):
        midnight = datetime.combine(today + timedelta(days=ahead), time(), place)
        for minute in sorted(edges):
            # By the wall: on the day of a change of clocks eight o'clock is still eight o'clock.
            days, rest = divmod(minute, 24 * 60)
            at = (midnight + timedelta(days=days)).replace(hour=rest // 60, minute=rest % 60).timestamp()
            if at > now and is_open(listed, zone, at) is not was_open:
                return at
    return math.inf


def next_close(hours: Iterable[str], zone: str, since: float) -> float:
    """When it closes for the first time after `since`; of what is closed then, after it has opened again."""
    listed = tuple(hours)
    opens = since if is_open(listed, zone, since) else next_change(listed, zone, since)
    return math.inf if opens == math.inf else next_change(listed, zone, opens)


def open_hours_per_month(hours: Iterable[str]) -> float:
    """How long it is open in a month of 730 hours; what several name counts once."""
    week = {
        day * 24 * 60 + minute
        for days, start, end in map(_parsed, hours)
        for day in days
        for minute in range(start, end)
    }
    return MONTH_S / 3600 * len(week) / WEEK_MINUTES


def moment_text(at: float, zone: str) -> str:
    """`Mon 07:00 Europe/Berlin`."""
    if at == math.inf:
        return "for ever"
    return f"{datetime.fromtimestamp(at, cron.zone_of(zone)):%a %H:%M} {zone}"


def _parsed(text: str) -> tuple[set[int], int, int]:
    match = _HOURS.fullmatch(text.strip().lower())
    if match is None or match[1] not in DAYS or (match[2] or match[1]) not in DAYS:
        raise ValueError(f"{text!r} is not days and hours such as mon-fri 08:00-20:00")
    first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
    start, end = int(match[3]) * 60 + int(match[4]), int(match[5]) * 60 + int(match[6])
    if not start < end <= 24 * 60:
        raise ValueError(f"{text!r} does not end after it begins; hours go from 00:00 to 24:00")
    days = range(first, last + 1) if first <= last else [*range(first, 7), *range(last + 1)]
    return set(days), start, end
