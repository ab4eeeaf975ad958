"""Bills and forecasts: what is not posted yet counts as it will be posted."""

from datetime import UTC, datetime

import pytest

from weyr.core.decision import Spend
from weyr.core.metering import Meter, Price
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref, ThingId
from weyr.ledger.accounts import (
    Month,
    Others,
    Row,
    cost_of,
    dearest,
    month_of,
    rate_of,
    table_of,
    unposted,
    unposted_micros,
)
from weyr.ledger.allowance import spend_in
from weyr.ledger.grouping import By
from weyr.ledger.spans import span_of

CENT = Price(10_000, 1000, 3_600)
"""One US cent per vCPU-hour."""


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def running(since_ms: int, price: Price | None = CENT, name: str = "train") -> Meter:
    thing = ThingId(Ref("digits", "job", name), "1")
    return Meter(thing, "task.cpu", "own", price, since_ms, id=1, quantity=1000,
                 run_since_ms=since_ms, run_from_ms=since_ms, posted_until_ms=since_ms)  # fmt: skip


def month_spend(posted: int, meters: list[Meter], now: int) -> Spend:
    return spend_in(Reach(), span_of(Every.MONTH, now), posted, meters, now)


@pytest.mark.parametrize(
    ("now", "month"),
    [
        ("2026-11-22 12:00", Month("2026-11", "2026-11-01", at("2026-11-01"), at("2026-12-01"))),
        ("2026-12-31 23:59", Month("2026-12", "2026-12-01", at("2026-12-01"), at("2027-01-01"))),
        ("2028-02-01 00:00", Month("2028-02", "2028-02-01", at("2028-02-01"), at("2028-03-01"))),
    ],
)
def test_months_are_those_of_the_calendar_in_utc(now: str, month: Month) -> None:
    """A budget's month ends when the calendar says, wherever the machine stands."""
    assert month_of(at(now)) == month


def test_a_month_counts_only_what_ran_in_it() -> None:
    """Something that runs since October costs November from the first on, and was not posted for weeks."""
    spend = month_spend(500, [running(at("2026-10-20"))], at("2026-11-02"))
    assert (spend.period, spend.micros) == ("2026-11", 500 + 24 * 10_000)
    assert spend.forecast_micros == 500 + 30 * 24 * 10_000


@pytest.mark.parametrize("since", [None, "2026-10-01", "2026-11-01", "2026-11-02"])
def test_what_is_not_posted_yet_comes_to_what_its_lines_would(since: str | None) -> None:
    """A budget adds up without making the lines; it must stop a stack at the same micro-unit as the journal would."""
    since_ms = None if since is None else at(since)
    for began, now in (("2026-10-20", "2026-11-02 07:31"), ("2026-11-01", "2026-11-01"), ("2026-11-02", "2026-11-01")):
        lines = unposted([running(at(began))], at(now))
        counted = [line.signed_micros for line in lines if since is None or line.day >= since]
        assert unposted_micros([running(at(began))], at(now), since_ms) == sum(counted), (began, now)


def test_a_bill_joins_what_is_posted_with_what_runs() -> None:
    """The rows hold both, the rate only what runs now; unpriced use is named and adds nothing."""
    now = at("2026-11-02 02:00")
    meters = [running(at("2026-11-02")), running(at("2026-11-02"), None, "tune")]
    posted = {"digits:bucket/lake": 7, "digits:job/train": 1_000_000}
    cost = cost_of(By.OBJECT, posted, meters, month_spend(0, meters, now), now)
    assert rate_of(meters) == cost.rate_micros_per_hour == 10_000
    assert cost.unpriced == ("task.cpu",)
    assert table_of(cost) == (
        ("object", "USD", "USD per hour"),
        ("digits:bucket/lake", "0.000007", ""),
        ("digits:job/train", "1.02", "0.01"),
        ("digits:job/tune", "0.00", ""),
        ("total", "1.02", "0.01"),
    )


def test_days_carry_no_rate() -> None:
    """A day that is over costs nothing per hour, and today is not over."""
    now = at("2026-11-02 02:00")
    meters = [running(at("2026-11-01 23:00"))]
    cost = cost_of(By.DAY, {}, meters, month_spend(0, meters, now), now)
    assert [(row.key, row.micros, row.rate_micros_per_hour) for row in cost.rows] == [
        ("2026-11-01", 10_000, 0), ("2026-11-02", 20_000, 0),
    ]  # fmt: skip


def test_the_dearest_rows_and_the_others_are_the_whole_bill() -> None:
    """Of a quarter of a million attempts nobody reads each; what is not shown is still in the sum."""
    posted = {"a": 5, "b": -2, "c": 9, "d": 9}
    bill = cost_of(By.OBJECT, posted, [], month_spend(0, [], at("2026-11-22")), at("2026-11-22"))
    two = dearest(bill, 2)
    assert two.rows == (Row("c", 9), Row("d", 9))
    assert two.others == Others(rows=2, micros=3, rate_micros_per_hour=0)
    assert two.total_micros == bill.total_micros == 21
    assert dearest(bill, 4).others is None
