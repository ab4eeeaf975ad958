"""What is a change worth in a month, how sure is that, and how is a time told? The arithmetic that rules share."""

from collections.abc import Mapping
from datetime import UTC, datetime

from weyr.core.units import DAY_S, HOUR_S, MONTH_S, duration_text
from weyr.ledger.advice.values import Confidence
from weyr.ledger.prices import PriceBook

MONTH_HOURS = MONTH_S / HOUR_S
WEEK_S = 7 * DAY_S


def monthly(prices: PriceBook, quantities: Mapping[str, int], hours: float) -> int | None:
    """Micro-units of a task that uses all of these for so many hours; None where one of them has no price."""
    book = prices.beside(quantities)
    costs = [book.monthly_micros(sku, quantity, hours) for sku, quantity in quantities.items()]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def difference(before: int | None, after: int | None) -> int | None:
    """What is saved, None where either is unknown."""
    return None if before is None or after is None else before - after


def per_month(micros_per_hour: int | None, hours: float = MONTH_HOURS) -> int | None:
    """An hourly amount over a month's hours."""
    return None if micros_per_hour is None else round(micros_per_hour * hours)


def sureness(watched_s: float) -> Confidence:
    """A week has nights and a weekend in it; an hour has seen more than a start."""
    return Confidence.HIGH if watched_s >= WEEK_S else Confidence.MEDIUM if watched_s >= HOUR_S else Confidence.LOW


def ago(idle_s: float) -> str:
    """`3d 4h` and the like: coarse, for nobody plans by seconds."""
    step_s = HOUR_S if idle_s >= DAY_S else 60 if idle_s >= HOUR_S else 1
    return duration_text(idle_s // step_s * step_s)


def spans_weekend(since_ms: int, now_ms: int) -> bool:
    """Whether a whole Saturday or Sunday lies between two moments, in UTC."""
    day_ms = DAY_S * 1000
    first = -(-since_ms // day_ms)
    days = range(first, min(now_ms // day_ms, first + 7))
    return any(datetime.fromtimestamp(day * DAY_S, UTC).weekday() >= 5 for day in days)
