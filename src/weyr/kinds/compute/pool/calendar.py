"""Is a pool open at this moment? `mon-fri 08:00-20:00` in a time zone. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime

from weyr.core import cron

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? ([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")


def hours_of(text: str) -> str:
    """The text, once it is known to be right. Raises: ValueError with a sentence."""
    _parsed(text)
    return text


def zone_of(name: str) -> str:
    """The name, once it is known. Raises: ValueError where there is no such time zone."""
    cron.zone_of(name)
    return name


def is_open(hours: Iterable[str], zone: str, now: float) -> bool:
    """Whether `now` (Unix seconds) is within one of them, as a clock on the wall of that zone shows it."""
    moment = datetime.fromtimestamp(now, cron.zone_of(zone))
    minute = moment.hour * 60 + moment.minute
    return any(moment.weekday() in days and start <= minute < end for days, start, end in map(_parsed, hours))


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
