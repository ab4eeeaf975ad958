"""Which calendar period is it, and when does it end? Pure: a limit is for a day, a week, a month or a year of UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from weyr.core.reach import Every


@dataclass(frozen=True, slots=True)
class Span:
    """A period: its name such as `2026-11`, its first and last day, and its first moment and the one after its last."""

    name: str
    first_day: str
    begin_ms: int
    end_ms: int

    @property
    def last_day(self) -> str:
        return datetime.fromtimestamp(self.end_ms // 1000 - 1, UTC).date().isoformat()


def span_of(period: Every, now_ms: int) -> Span:
    """The period that a moment lies in. A week begins on Monday, and is named as ISO 8601 does."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    day = datetime(now.year, now.month, now.day, tzinfo=UTC)
    match period:
        case Every.DAY:
            first, following, name = day, day + timedelta(days=1), f"{day:%Y-%m-%d}"
        case Every.WEEK:
            first = day - timedelta(days=day.weekday())
            following, name = first + timedelta(days=7), f"{first:%G-W%V}"
        case Every.MONTH:
            first = day.replace(day=1)
            following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
            name = f"{first:%Y-%m}"
        case Every.YEAR:
            first, following = day.replace(month=1, day=1), datetime(now.year + 1, 1, 1, tzinfo=UTC)
            name = f"{first:%Y}"
        case _:
            assert_never(period)
    begin_ms, end_ms = (round(moment.timestamp()) * 1000 for moment in (first, following))
    return Span(name, first.date().isoformat(), begin_ms, end_ms)
