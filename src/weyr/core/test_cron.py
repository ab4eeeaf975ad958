"""Schedules in words and zones: what cron's users expect, and what happens when clocks change."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from weyr.core.cron import last_until, next_after, parse_cron, zone_of

BERLIN = ZoneInfo("Europe/Berlin")


def following(text: str, after: str, count: int = 1, zone: ZoneInfo = BERLIN) -> list[str]:
    """The next moments after a local time, as that zone's clocks show them."""
    at = datetime.fromisoformat(after).replace(tzinfo=zone).timestamp()
    found = []
    for _ in range(count):
        at = next_after(parse_cron(text), zone, at)
        found.append(datetime.fromtimestamp(at, zone).strftime("%m-%d %H:%M%z"))
    return found


@pytest.mark.parametrize(
    ("text", "after", "wanted"),
    [
        ("30 6 * * mon-fri", "2026-11-27 06:30", ["11-30 06:30+0100", "12-01 06:30+0100"]),
        ("*/20 * * * *", "2026-11-27 06:35", ["11-27 06:40+0100", "11-27 07:00+0100"]),
        ("0 0 1 * *", "2026-11-27 00:00", ["12-01 00:00+0100", "01-01 00:00+0100"]),
        ("0 12 13 * fri", "2026-11-27 13:00", ["12-04 12:00+0100", "12-11 12:00+0100", "12-13 12:00+0100"]),
        ("5,10 8-9 * jan,jul 7", "2026-11-27 13:00", ["01-03 08:05+0100", "01-03 08:10+0100"]),
        ("@daily", "2026-11-27 13:00", ["11-28 00:00+0100"]),
        ("0 0 29 2 *", "2026-11-27 13:00", ["02-29 00:00+0100"]),
    ],
)
def test_a_schedule_comes_when_cron_says(text: str, after: str, wanted: list[str]) -> None:
    """What ran under cron for years runs at the same times here."""
    assert following(text, after, len(wanted)) == wanted


def test_a_time_that_is_skipped_comes_later_and_one_that_comes_twice_counts_once() -> None:
    """A nightly backup runs once in each night, also in those in which the clocks change."""
    assert following("30 2 * * *", "2026-03-28 12:00", 2) == ["03-29 03:30+0200", "03-30 02:30+0200"]
    assert following("30 2 * * *", "2026-10-24 12:00", 2) == ["10-25 02:30+0200", "10-26 02:30+0100"]


def test_an_hourly_schedule_comes_in_every_hour_there_is() -> None:
    """Twenty-five times on the long day: whoever polls each hour wants no gap of two."""
    first = datetime(2026, 10, 25, 0, 0, tzinfo=BERLIN).timestamp() - 1
    moments = [first]
    for _ in range(25):
        moments.append(next_after(parse_cron("@hourly"), BERLIN, moments[-1]))
    assert {later - earlier for earlier, later in pairwise(moments[1:])} == {3600.0}


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "* * 0 * *", "0 0 30 2 *", "a * * * *", "5-1 * * * *"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """A typing error must not become a schedule that never comes."""
    with pytest.raises(ValueError):
        parse_cron(text)


def test_a_zone_has_to_exist() -> None:
    """ "CET-ish" would otherwise be told at the first firing."""
    assert zone_of("UTC").utcoffset(datetime(2026, 1, 1, tzinfo=UTC)) is not None
    with pytest.raises(ValueError, match="Mars/Base"):
        zone_of("Mars/Base")


@pytest.mark.parametrize("text", ["0 3 * * mon-fri", "30 2 * * *", "*/20 * * * *", "0 0 29 2 *"])
def test_what_came_last_is_what_comes_after_the_one_before(text: str) -> None:
    """A job that missed its time finds the same moment that it would have waited for, also when clocks change."""
    cron, at = parse_cron(text), datetime(2026, 3, 27, 12, tzinfo=UTC).timestamp()
    for _ in range(60):
        following = next_after(cron, BERLIN, at)
        assert last_until(cron, BERLIN, following) == following
        assert last_until(cron, BERLIN, following - 1) <= at
        at = following
