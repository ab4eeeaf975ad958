"""The days of a bill: no gap, nothing left out, and a forecast that ends where `weyr cost` says."""

from dataclasses import replace

from weyr.core.metering import Meter, Price, Reserved
from weyr.core.reach import Every, Reach
from weyr.core.ref import ThingId
from weyr.ledger.accounts import EVERYTHING, Daily, due_by_day
from weyr.ledger.allowance import outlook, spend_in
from weyr.ledger.days import Days, days_of
from weyr.ledger.grouping import By
from weyr.ledger.spans import span_of

NOON_MS = 1_795_348_800_000
"""2026-11-22 12:00 UTC."""
HOUR_MS = 3_600_000
RUNNING = Meter(
    ThingId.parse("digits:job/train#1"), "task.cpu", "book", Price(1_000_000, 1000, 3600), 0, quantity=1000,
    run_since_ms=NOON_MS - 13 * HOUR_MS, run_from_ms=NOON_MS - 13 * HOUR_MS, posted_until_ms=NOON_MS - 13 * HOUR_MS,
)  # fmt: skip
POSTED = (
    Daily("2026-10-30", "digits:job/train", 7_000_000),
    Daily("2026-11-19", "digits:bucket/lake", 2_000_000),
    Daily("2026-11-21", "digits:job/train", 3_000_000),
)


def days(posted: tuple[Daily, ...], meters: list[Meter], *between: str) -> Days:
    due = due_by_day(By.OBJECT, meters, NOON_MS, EVERYTHING, "")
    return days_of(By.OBJECT, [*posted, *due], outlook(Reach(), meters, NOON_MS), NOON_MS, *between)


def test_days_without_spending_are_there_too() -> None:
    """A gap in the axis would hide that nothing ran; what meters have not posted yet counts for its own day."""
    told = days(POSTED, [RUNNING], "2026-11-19")
    assert told.days == ("2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22")
    assert told.micros == {
        "digits:job/train": (0, 0, 4_000_000, 12_000_000), "digits:bucket/lake": (2_000_000, 0, 0, 0),
    }  # fmt: skip
    assert list(told.micros) == ["digits:job/train", "digits:bucket/lake"], "what cost most comes first"


def test_the_month_ends_where_the_bill_says_it_will() -> None:
    """One forecast: the line that is drawn and the figure that is printed are the same."""
    bounded = replace(RUNNING, thing=ThingId.parse("digits:job/tune#1"), reserved=Reserved(20_000_000, ends=True))
    told = days(POSTED, [RUNNING, bounded])
    spend = spend_in(Reach(), span_of(Every.MONTH, NOON_MS), 5_000_000, [RUNNING, bounded], NOON_MS)
    hours = (spend.ends_at * 1000 - NOON_MS) / HOUR_MS
    assert spend.forecast_micros == spend.micros + 7_000_000 + hours * 1_000_000, "of one 7 more, the other runs on"
    assert (told.month_micros[-1], told.forecast_micros[-1]) == (spend.micros, spend.forecast_micros)
    assert len(told.month_days) == 30
    assert len(told.month_micros) + len(told.forecast_micros) == 30 + 1, "today is in both: what was, and its end"


def test_what_is_posted_for_a_day_ahead_stands_on_that_day() -> None:
    """An invoice of the month's end is entered before it: the chart ends where the printed forecast does."""
    told = days((*POSTED, Daily("2026-11-30", "digits:outside/pinecone", 70_000_000)), [RUNNING])
    spend = spend_in(Reach(), span_of(Every.MONTH, NOON_MS), 75_000_000, [RUNNING], NOON_MS)
    assert told.month_micros[-1] == spend.micros - 70_000_000, "today it has not come to that yet"
    assert told.forecast_micros[-2] < 300_000_000 - 70_000_000
    assert told.forecast_micros[-1] == spend.forecast_micros


def test_nothing_spent_is_a_day_with_nothing() -> None:
    """A new server draws an empty chart, no error."""
    told = days((), [])
    assert (told.days, dict(told.micros), told.forecast_micros[-1]) == (("2026-11-22",), {}, 0)


def test_days_reach_up_to_and_with_the_last() -> None:
    """A month is asked for by its first and its last day, as in every other bill."""
    assert days(POSTED, [], "2026-11-18", "2026-11-19").days == ("2026-11-18", "2026-11-19")
