"""What an object's meters counted is what the next plan reckons with."""

from typing import Any

import pytest

from weyr.core.assumptions import Past
from weyr.core.metering import Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.core.units import DAY_S, HOUR_S
from weyr.ledger.past import pasts_of

TRAIN, LAKE = Ref("digits", "job", "train"), Ref("digits", "bucket", "lake")
DAY_MS, HOUR_MS = DAY_S * 1000, HOUR_S * 1000
NOW_MS = 100 * DAY_MS


def ran(part: str, from_ms: int, hours: float, sku: str = "task.cpu", quantity: int = 2000) -> Meter:
    until_ms = from_ms + round(hours * HOUR_MS)
    return Meter(
        ThingId(TRAIN, part), sku, "aws/fargate", Price(1, 1, 1), from_ms, quantity=quantity, run_since_ms=from_ms,
        run_from_ms=from_ms, until_ms=until_ms, closed_ms=until_ms,
    )  # fmt: skip


def seen(sku: str, **fields: Any) -> Meter:
    return Meter(ThingId(LAKE, ""), sku, "aws/s3-standard", None, NOW_MS - 10 * DAY_MS, **fields)


def past(*meters: Meter) -> Past:
    (found,) = pasts_of(meters, NOW_MS).values()
    return found


def test_a_run_counts_once_however_many_meters_it_has() -> None:
    """CPU and memory of one task are one hour of it, not two."""
    first, second = NOW_MS - 10 * DAY_MS, NOW_MS - 5 * DAY_MS

    found = past(ran("1", first, 1), ran("1", first, 1, "task.memory", 500), ran("2", second, 2))

    assert (found.tasks, found.task_s, found.observed_s) == (2, 3 * HOUR_S, 10 * DAY_S)


def test_what_ended_before_the_last_month_says_nothing() -> None:
    """A job that was slow last year is not slow for ever."""
    assert pasts_of([ran("1", NOW_MS - 60 * DAY_MS, 1)], NOW_MS) == {}


def test_what_runs_still_counts_to_this_moment_and_no_further_back_than_a_month() -> None:
    """An endpoint that has stood for a quarter was awake all of the last month."""
    since = NOW_MS - 90 * DAY_MS
    standing = Meter(
        ThingId(TRAIN, "1"), "task.cpu", "aws/fargate", None, since, quantity=1000, run_since_ms=since,
        run_from_ms=since,
    )  # fmt: skip

    found = past(standing)

    assert found.task_s == found.observed_s == 730 * HOUR_S


def test_a_store_tells_what_it_holds_and_a_counter_what_it_counted() -> None:
    """Both are what the month's bill depends on."""
    since = NOW_MS - 10 * DAY_MS

    found = past(
        seen("storage.standard", quantity=7, run_since_ms=since, run_from_ms=since),
        seen("requests.read", settled=500 * 1000, run_since_ms=since, run_from_ms=since, counted=500),
    )

    assert (found.levels, found.counts) == ({"storage.standard": 7}, {"requests.read": 500})
    assert found.tells_rates
    assert found.monthly(500) == pytest.approx(500 * 730 / 240)


def test_ten_minutes_do_not_tell_of_a_month() -> None:
    """A stack that was just begun is reckoned with what its file says."""
    assert not past(ran("1", NOW_MS - 600_000, 0.1)).tells_rates
