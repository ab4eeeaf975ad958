"""What was spent on each day, by whom, and how far will the month go? Pure: sums for charts, in whole micro-units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from weyr.core.units import DAY_S
from weyr.ledger.accounts import Daily, month_of
from weyr.ledger.allowance import Outlook
from weyr.ledger.grouping import Grouping
from weyr.ledger.journal import day_of

DAYS_MAX = 800
"""Of a longer time only the last days are told: that many bars no screen can show."""


@dataclass(frozen=True, slots=True)
class Days:
    """`days` without a gap. `micros` of each key, one for each day, the key that cost most first.

    `month_micros`: the running UTC month's spending up to the end of each of its days, as far as it has come.
    `forecast_micros`: how it goes on from today, one for each day of the month from today on, as `Outlook` says.
    """

    by: Grouping
    days: tuple[str, ...]
    micros: Mapping[str, tuple[int, ...]]
    month_days: tuple[str, ...]
    month_micros: tuple[int, ...]
    forecast_micros: tuple[int, ...]


def days_of(
    by: Grouping, spent: Sequence[Daily], outlook: Outlook, now_ms: int, from_day: str = "", to_day: str = ""
) -> Days:
    """The days of a bill from one up to and with another, and the running month.

    `spent` is the journal's and what running meters have not posted yet, back to the month's first day at least;
    `outlook` is what is to come. What is outside of the two days is not in the bars.
    """
    sums: dict[tuple[str, str], int] = {}
    for each in spent:
        sums[each.key, each.day] = sums.get((each.key, each.day), 0) + each.micros
    days = _days(sums, day_of(now_ms), from_day, to_day)
    shown = set(days)
    keys = {key for key, day in sums if day in shown}
    micros = {key: tuple(sums.get((key, day), 0) for day in days) for key in keys}
    by_cost = sorted(micros.items(), key=lambda item: (-sum(item[1]), item[0]))
    return Days(by, days, dict(by_cost), *_month(sums, outlook, now_ms))


def _days(sums: Mapping[tuple[str, str], int], today: str, from_day: str, to_day: str) -> tuple[str, ...]:
    first = from_day or min((day for _, day in sums), default=today)
    between = _between(first, to_day or max([today, *(day for _, day in sums)]))
    return between[-DAYS_MAX:]


def _month(
    sums: Mapping[tuple[str, str], int], outlook: Outlook, now_ms: int
) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    """The month's days, what they have come to, and how that goes on."""
    month = month_of(now_ms)
    days = _between(month.first_day, day_of(month.end_ms - 1))
    spent = {day: sum(micros for (_, other), micros in sums.items() if other == day) for day in days}
    # A bill may be posted for a day ahead: it is spent, and stands where its day is.
    come_to = tuple(accumulate(spent[day] for day in days))
    left_ms = [month.begin_ms + (number + 1) * DAY_S * 1000 - now_ms for number in range(len(days))]
    forecast = [outlook.at(here, left) for here, left in zip(come_to, left_ms, strict=True) if left > 0]
    return days, come_to[: len(days) - len(forecast) + 1], tuple(forecast)


def _between(first: str, last: str) -> tuple[str, ...]:
    """Both days and those between them; none where the last is before the first."""
    start = date.fromisoformat(first)
    return tuple((start + timedelta(days=n)).isoformat() for n in range((date.fromisoformat(last) - start).days + 1))
