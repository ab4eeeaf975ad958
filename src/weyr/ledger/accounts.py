"""What did it cost, what does it cost now, and where will the month end? Pure sums over lines and meters.

A bill is the journal plus what running meters have not posted yet, counted by the same rule that
will post it: a figure seen now is the figure that the journal will hold.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import nsmallest
from typing import NamedTuple

from weyr.core.decision import Spend
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.metering import Line, Meter
from weyr.core.units import money_text
from weyr.ledger.grouping import By, Grouping, key_of, sides, summed
from weyr.ledger.journal import day_of, post, tallied_in, used_at
from weyr.ledger.meters import end_of
from weyr.ledger.prices import CURRENCY
from weyr.store.periods import open_day


class Row(NamedTuple):
    """One key's share of a bill, and what it costs per hour at this moment. A bill by thing has 100,000s of them: a
    tuple is made in a third of the time that a frozen dataclass takes."""

    key: str
    micros: int
    rate_micros_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class Others:
    """What the rows come to that are not shown one by one, and how many they are."""

    rows: int
    micros: int
    rate_micros_per_hour: int


@dataclass(frozen=True, slots=True)
class Cost:
    """A bill. `month_micros` is the running UTC month's part of it, `forecast_month_micros` that month's
    end if what ends by itself costs what is expected of it and everything else runs on as it does now. `unpriced` names
    what is used at an unknown price."""

    currency: str
    by: Grouping
    rows: tuple[Row, ...]
    total_micros: int
    rate_micros_per_hour: int
    month: str
    month_micros: int
    forecast_month_micros: int
    unpriced: tuple[str, ...] = ()
    others: Others | None = None


@dataclass(frozen=True, slots=True)
class Month:
    """A UTC month: `2026-11`, its first day, its first moment and the one after its last."""

    name: str
    first_day: str
    begin_ms: int
    end_ms: int

    @property
    def last_day(self) -> str:
        return day_of(self.end_ms - 1)


def month_of(now_ms: int) -> Month:
    """The UTC month of a moment."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    first = datetime(now.year, now.month, 1, tzinfo=UTC)
    following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    begin_ms, end_ms = (round(moment.timestamp()) * 1000 for moment in (first, following))
    return Month(f"{first:%Y-%m}", first.date().isoformat(), begin_ms, end_ms)


def month_named(name: str) -> Month:
    """The UTC month `2026-10`. Raises: UserError where it is none."""
    if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", name) is None or name < "1970":
        detail = f'A period is a month, written such as 2026-10, and not "{name}".'
        raise UserError(Diagnostic("Not a month", detail))
    return month_of(round(datetime.strptime(f"{name}-01+0000", "%Y-%m-%d%z").timestamp()) * 1000)


def unposted(meters: Iterable[Meter], now_ms: int) -> tuple[Line, ...]:
    """The lines that the meters would post at this moment."""
    return tuple(line for m in meters for line in post(m, end_of(m, now_ms), is_last=False)[1])


def unposted_micros(
    meters: Iterable[Meter], now_ms: int, since_ms: int | None = None, stack: str | None = None, closed: str = ""
) -> int:
    """What the lines of `unposted` come to; those of days before `since_ms`, a midnight, are left out.

    With `stack`, what counts for that stack: a share that another has of its nodes counts less than nothing.
    A meter's lines add up to what its use is worth less what was posted, wherever they are cut: only where some of
    them may be of days before are they made one by one.
    """
    weighed = ((meter, _weight(meter, stack)) for meter in meters)
    return sum(weight * unposted_of(meter, now_ms, since_ms, closed) for meter, weight in weighed if weight)


def unposted_of(meter: Meter, now_ms: int, since_ms: int | None = None, closed: str = "") -> int:
    """The same of one meter, whomever it counts for."""
    if meter.price is None or meter.run_since_ms is None:
        return 0
    to_ms = end_of(meter, now_ms)
    is_simple = since_ms is None or (meter.posted_until_ms > since_ms and to_ms > since_ms)
    if is_simple and not meter.price.is_tiered:
        return meter.price.cost_micros(used_at(meter, to_ms)) - meter.posted_micros
    first = "" if since_ms is None else day_of(since_ms)
    lines = post(meter, to_ms, is_last=False)[1]
    return sum(line.signed_micros for line in lines if open_day(line.day, closed) >= first)


def rate_of(meters: Iterable[Meter], stack: str | None = None) -> int:
    """What the running meters cost per hour together. What is shared out is paid for once."""
    return sum(hourly(meter) * _weight(meter, stack) for meter in meters)


def hourly(meter: Meter) -> int:
    """What a meter costs per hour now, less what is covered; one that does not run, or has no price, nothing."""
    if meter.price is None or not meter.is_running:
        return 0
    before = tallied_in(meter, day_of(meter.posted_until_ms)) if meter.price.is_tiered else 0
    return meter.price.hourly_micros(meter.quantity, before) - meter.covered_micros_per_hour


def _weight(meter: Meter, stack: str | None) -> int:
    """The sum of the signs of `sides`."""
    is_own = stack is None or meter.thing.ref.stack == stack
    is_off = meter.source is not None and (stack is None or meter.source.ref.stack == stack)
    return int(is_own) - int(is_off)


@dataclass(frozen=True, slots=True)
class Daily:
    """What one key came to on one day."""

    day: str
    key: str
    micros: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What a bill is of: one stack or all (None), and days from one up to and with another."""

    stack: str | None = None
    from_day: str = ""
    to_day: str = "9999"

    def has(self, day: str) -> bool:
        return self.from_day <= day <= self.to_day


EVERYTHING = Scope()


def cost_of(
    by: Grouping,
    posted: Mapping[str, int],
    meters: Sequence[Meter],
    spend: Spend,
    now_ms: int,
    scope: Scope = EVERYTHING,
    closed: str = "",
) -> Cost:
    """The bill by `by`: the journal's totals, what is not posted yet, and the running rates."""
    due = due_by_day(by, meters, now_ms, scope, closed)
    micros = {**posted}
    for key, each in summed((d.key, d.micros) for d in due).items():
        micros[key] = micros.get(key, 0) + each
    rates = _rates(by, meters, scope.stack)
    for key in rates:
        micros.setdefault(key, 0)
    return Cost(
        currency=CURRENCY,
        by=by,
        # The journal's sums come nearly in order, which a set of their keys would forget: sorting them is for nothing.
        rows=tuple([Row(key, micros[key], rates.get(key, 0)) for key in sorted(micros)]),
        total_micros=sum(micros.values()),
        rate_micros_per_hour=rate_of(meters, scope.stack),
        month=spend.period,
        month_micros=spend.micros,
        forecast_month_micros=spend.forecast_micros,
        unpriced=tuple(sorted({m.sku for m in meters if m.price is None})),
    )


def dearest(cost: Cost, rows_max: int) -> Cost:
    """The bill with only the rows that cost most, those first; `others` are the rest, and the sum stays what it was."""
    rows = tuple(nsmallest(rows_max, cost.rows, key=lambda row: (-row.micros, row.key)))
    left = len(cost.rows) - len(rows)
    if not left:
        return replace(cost, rows=rows)
    micros = cost.total_micros - sum(row.micros for row in rows)
    rate = sum(row.rate_micros_per_hour for row in cost.rows) - sum(row.rate_micros_per_hour for row in rows)
    return replace(cost, rows=rows, others=Others(left, micros, rate))


def due_by_day(by: Grouping, meters: Iterable[Meter], now_ms: int, scope: Scope, closed: str) -> Iterator[Daily]:
    """What running meters would post at this moment, for the days that it would count for."""
    for meter in meters:
        for line in unposted([meter], now_ms):
            day = open_day(line.day, closed)
            if scope.has(day):
                for account, part, sign in sides(meter, scope.stack):
                    yield Daily(day, key_of(by, account, part, day, line.sku), sign * line.signed_micros)


def table_of(cost: Cost) -> tuple[tuple[str, str, str], ...]:
    """The bill as rows of text: the head, a row for each key, the total."""
    rows = [(row.key, money_text(row.micros), _hourly_text(row.rate_micros_per_hour)) for row in cost.rows]
    head = (str(cost.by), cost.currency, f"{cost.currency} per hour")
    return (head, *rows, ("total", money_text(cost.total_micros), _hourly_text(cost.rate_micros_per_hour)))


def _hourly_text(micros: int) -> str:
    return money_text(micros) if micros else ""


def _rates(by: Grouping, meters: Sequence[Meter], stack: str | None) -> Mapping[str, int]:
    if by is By.DAY:
        return {}
    rates: dict[str, int] = {}
    for meter in meters:
        if meter.is_running:
            for account, part, sign in sides(meter, stack):
                key = key_of(by, account, part, "", meter.sku)
                rates[key] = rates.get(key, 0) + sign * hourly(meter)
    return rates
