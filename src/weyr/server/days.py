"""Which days does a request ask for? A period, or from and to."""

from datetime import UTC, date, datetime

from starlette.requests import Request

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.units import DAY_S
from weyr.ledger.accounts import month_named

FOREVER_MS = 2**62


def days_asked(request: Request) -> tuple[str, str]:
    """The days that were asked for, empty where none were. Raises: UserError."""
    query = request.query_params
    first, last = (_day(name, query.get(name, "")) for name in ("from", "to"))
    if period := query.get("period"):
        if first or last:
            raise UserError(Diagnostic("Days twice", "A period has its own days: give it, or from and to, not both."))
        month = month_named(period)
        return month.first_day, month.last_day
    if first and last and last < first:
        detail = f"{last} is before {first}: there is no day between them."
        raise UserError(Diagnostic("No days", detail, suggestion=f"--from {last} --to {first}"))
    return first, last


def _day(name: str, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as e:
        detail = f"{name} is a day such as 2026-11-22, not {text[:40]!r}."
        raise UserError(Diagnostic("Invalid value", detail)) from e


def moments_of(first: str, last: str) -> tuple[int, int]:
    """From when and until when days last, in Unix milliseconds; what is not given has no end."""
    return _begin_ms(first) if first else 0, _begin_ms(last) + DAY_S * 1000 if last else FOREVER_MS


def _begin_ms(day: str) -> int:
    return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000
