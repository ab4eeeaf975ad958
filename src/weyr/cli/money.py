"""How is the bill put into words? Integer micro-units as people read them."""

from collections.abc import Mapping
from typing import Any

from weyr.core.units import money_text


def amount(micros: object, currency: str) -> str:
    """An amount with its currency."""
    return f"{money_text(int(str(micros or 0)))} {currency}"


def bill_line(cost: Mapping[str, Any]) -> str:
    """So far, per hour, this month: the three figures everybody asks for."""
    currency = str(cost.get("currency") or "USD")
    so_far = amount(cost.get("total_micros"), currency)
    rate = amount(cost.get("rate_micros_per_hour"), currency)
    month = amount(cost.get("forecast_month_micros"), currency)
    return f"{so_far} so far, {rate} per hour now, {month} forecast for the month"
