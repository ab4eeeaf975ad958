"""What did it cost, what does it cost now, and where will the month end? Pure sums over lines and meters.

A bill is the journal plus what running meters have not posted yet, counted by the same rule that
will post it: a figure seen now is the figure that the journal will hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from weyr.core.decision import Spend
from weyr.core.metering import Line, Meter
from weyr.core.units import HOUR_S, money_text
from weyr.ledger.journal import day_of, post, used_at
from weyr.ledger.meters import end_of
from weyr.ledger.prices import CURRENCY
from weyr.store.ledger import By, Posted


@dataclass(frozen=True, slots=True)
class Row:
    """One key's share of a bill, and what it costs per hour at this moment."""

    key: str
    micros: int
    rate_micros_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """A bill. `month_micros` is the running UTC month's part of it, `forecast_month_micros` that month's
    end if everything runs on as it does now. `unpriced` names what is used at an unknown price."""

    currency: str
    by: By
    rows: tuple[Row, ...]
    total_micros: int
    rate_micros_per_hour: int
    month: str
    month_micros: int
    forecast_month_micros: int
    unpriced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Month:
    """A UTC month: `2026-11`, its first day, and its first and last moment."""

    name: str
    first_day: str
    begin_ms: int
    end_ms: int


def month_of(now_ms: int) -> Month:
    """The UTC month of a moment."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    first = datetime(now.year, now.month, 1, tzinfo=UTC)
    following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    begin_ms, end_ms = (round(moment.timestamp()) * 1000 for moment in (first, following))
    return Month(f"{first:%Y-%m}", first.date().isoformat(), begin_ms, end_ms)


def unposted(meters: Iterable[Meter], now_ms: int) -> tuple[Line, ...]:
    """The lines that the meters would post at this moment."""
    return tuple(line for m in meters for line in post(m, end_of(m, now_ms), is_last=False)[1])


def unposted_micros(meters: Iterable[Meter], now_ms: int, since_ms: int | None = None) -> int:
    """What the lines of `unposted` come to; those of days before `since_ms`, a midnight, are left out.

    A meter's lines add up to what its use is worth less what was posted, wherever they are cut: only where some of
    them may be of days before are they made one by one.
    """
    micros = 0
    for meter in meters:
        if meter.price is None or meter.run_since_ms is None:
            continue
        to_ms = end_of(meter, now_ms)
        if since_ms is None or (meter.posted_until_ms > since_ms and to_ms > since_ms):
            micros += meter.price.cost_micros(used_at(meter, to_ms)) - meter.posted_micros
        else:
            lines = post(meter, to_ms, is_last=False)[1]
            micros += sum(line.signed_micros for line in lines if line.day >= day_of(since_ms))
    return micros


def rate_of(meters: Iterable[Meter]) -> int:
    """What the running meters cost per hour together."""
    return sum(m.price.hourly_micros(m.quantity) for m in meters if m.is_running and m.price is not None)


def spend_of(month_posted: Sequence[Posted], meters: Sequence[Meter], now_ms: int) -> Spend:
    """The running month's spending, for budgets. `month_posted` is the journal's since its first day."""
    month = month_of(now_ms)
    spent = sum(p.micros for p in month_posted) + unposted_micros(meters, now_ms, month.begin_ms)
    return Spend(spent, month.name, spent + rate_of(meters) * max(0, month.end_ms - now_ms) // (HOUR_S * 1000))


def cost_of(by: By, posted: Sequence[Posted], meters: Sequence[Meter], spend: Spend, now_ms: int) -> Cost:
    """The bill by `by`: the journal's totals, what is not posted yet, and the running rates."""
    micros: dict[str, int] = {p.key: p.micros for p in posted}
    for line in unposted(meters, now_ms):
        key = key_of(by, line, line.day)
        micros[key] = micros.get(key, 0) + line.signed_micros
    rates = _rates(by, meters)
    keys = sorted(micros.keys() | rates.keys())
    return Cost(
        currency=CURRENCY,
        by=by,
        rows=tuple(Row(key, micros.get(key, 0), rates.get(key, 0)) for key in keys),
        total_micros=sum(micros.values()),
        rate_micros_per_hour=rate_of(meters),
        month=spend.period,
        month_micros=spend.micros,
        forecast_month_micros=spend.forecast_micros,
        unpriced=tuple(sorted({m.sku for m in meters if m.price is None})),
    )


def key_of(by: By, of: Line | Meter, day: str) -> str:
    """The key that a line or a meter counts under; the same words as the store's."""
    match by:
        case By.STACK:
            return of.thing.ref.stack
        case By.KIND:
            return of.thing.ref.kind
        case By.OBJECT:
            return of.thing.ref.absolute
        case By.THING:
            return str(of.thing)
        case By.DAY:
            return day
        case By.SKU:
            return of.sku


def table_of(cost: Cost) -> tuple[tuple[str, str, str], ...]:
    """The bill as rows of text: the head, a row for each key, the total."""
    rows = [(row.key, money_text(row.micros), _hourly_text(row.rate_micros_per_hour)) for row in cost.rows]
    head = (str(cost.by), cost.currency, f"{cost.currency} per hour")
    return (head, *rows, ("total", money_text(cost.total_micros), _hourly_text(cost.rate_micros_per_hour)))


def _hourly_text(micros: int) -> str:
    return money_text(micros) if micros else ""


def _rates(by: By, meters: Sequence[Meter]) -> Mapping[str, int]:
    if by is By.DAY:
        return {}
    rates: dict[str, int] = {}
    for meter in meters:
        if meter.is_running:
            key = key_of(by, meter, day="")
            rates[key] = rates.get(key, 0) + rate_of([meter])
    return rates
