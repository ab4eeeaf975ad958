"""A limit's period is the calendar's, in UTC."""

from datetime import UTC, datetime

import pytest

from weyr.core.reach import Every
from weyr.ledger.spans import span_of

CASES = [
    (Every.DAY, "2026-11-26", "2026-11-26", "2026-11-27"),
    (Every.WEEK, "2026-W48", "2026-11-23", "2026-11-30"),
    (Every.MONTH, "2026-11", "2026-11-01", "2026-12-01"),
    (Every.YEAR, "2026", "2026-01-01", "2027-01-01"),
]


@pytest.mark.parametrize(("every", "name", "first", "following"), CASES)
def test_a_period_is_the_calendar_s(every: Every, name: str, first: str, following: str) -> None:
    """Wherever the machine stands."""
    span = span_of(every, ms("2026-11-26T23:59:59"))
    assert (span.name, span.first_day, span.begin_ms, span.end_ms) == (name, first, ms(first), ms(following))
    assert first <= span.last_day < following
    assert ms(following) - ms(span.last_day) == 86_400_000


def ms(text: str) -> int:
    at = datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00").replace(tzinfo=UTC)
    return round(at.timestamp()) * 1000
