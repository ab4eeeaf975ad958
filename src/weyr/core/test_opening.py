"""Hours as a wall clock shows them: when something opens, when it closes, and how long it is open."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from weyr.core.opening import next_change, next_close, open_hours_per_month

WORK = ("mon-fri 07:00-20:00",)
BERLIN = "Europe/Berlin"


def at(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("hours", "now", "changes"),
    [
        (WORK, "2026-11-25 12:00", "2026-11-25 20:00"),
        (WORK, "2026-11-25 20:00", "2026-11-26 07:00"),
        (WORK, "2026-11-27 20:00", "2026-11-30 07:00"),
        (WORK, "2026-11-28 12:00", "2026-11-30 07:00"),
        (("mon-fri 07:00-12:00", "mon-fri 12:00-20:00"), "2026-11-25 08:00", "2026-11-25 20:00"),
        (("sat 08:00-24:00", "sun 00:00-06:00"), "2026-11-28 12:00", "2026-11-29 06:00"),
        (("sun 01:00-08:00",), "2026-10-25 00:00", "2026-10-25 01:00"),
        (("sun 01:00-08:00",), "2026-10-25 01:30", "2026-10-25 08:00"),
        (("sun 01:00-08:00",), "2026-03-29 01:30", "2026-03-29 08:00"),
    ],
    ids=["by day", "by night", "over a weekend", "in a weekend", "two that meet", "over midnight",
         "before clocks go back", "while clocks go back", "while clocks go forward"],
)  # fmt: skip
def test_it_changes_when_the_wall_clock_says_so(hours: tuple[str, ...], now: str, changes: str) -> None:
    """Whoever comes at seven finds it open, also on the Monday after a change of clocks."""
    assert next_change(hours, BERLIN, at(now)) == at(changes)


def test_what_is_always_open_never_changes() -> None:
    """And never closes."""
    assert next_change(("mon-sun 00:00-24:00",), "UTC", at("2026-11-25 12:00")) == math.inf
    assert next_close(("mon-sun 00:00-24:00",), "UTC", at("2026-11-25 12:00")) == math.inf


def test_what_is_begun_while_it_is_closed_runs_until_it_has_opened_and_closed() -> None:
    """Somebody who works on Saturday is not thrown out at once; on Monday evening it is as always."""
    assert next_close(WORK, BERLIN, at("2026-11-28 12:00")) == at("2026-11-30 20:00")
    assert next_close(WORK, BERLIN, at("2026-11-25 12:00")) == at("2026-11-25 20:00")


def test_hours_of_a_month_count_once() -> None:
    """65 hours of a week's 168."""
    assert open_hours_per_month((*WORK, "fri 08:00-20:00")) == pytest.approx(730 * 65 / 168)
