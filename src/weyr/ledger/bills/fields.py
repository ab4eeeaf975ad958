"""What does a field of a bill's row say? Moments, amounts and tags as providers write them. Pure."""

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from weyr.core.metering import Labels
from weyr.ledger.bills.values import Row

EMPTY = ("", "NULL", "null", "None")


def text(row: Row, *names: str) -> str:
    """The first of these columns that says anything, or ""."""
    for name in names:
        value = row.get(name, "")
        if value not in EMPTY:
            return value
    return ""


@lru_cache(65_536)
def moment_ms(told: str) -> int:
    """`2024-09-18 22:00:00` or `2024-09-18T22:00:00Z`, in UTC. Raises: ValueError."""
    at = datetime.fromisoformat(told.strip().removesuffix(" UTC"))
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


DIGITS_MAX = 24
"""No bill has a figure with more before its point, bytes of a month among them."""


def amount(told: str) -> Decimal:
    """A number as it stands, with no float between; "" is nothing. Raises: ValueError."""
    if told in EMPTY:
        return Decimal(0)
    try:
        number = Decimal(told)
    except InvalidOperation as e:
        raise ValueError(f"{told[:40]!r} is not a number") from e
    if not number.is_finite() or number.adjusted() > DIGITS_MAX:
        raise ValueError(f"{told[:40]!r} is not an amount")
    return number


@lru_cache(16_384)
def tags_of(told: str) -> Labels:
    """`{"team": "vision"}`, or the same as pairs. What is no such thing has no tags."""
    if told in EMPTY:
        return ()
    try:
        found = json.loads(told)
    except ValueError:
        return ()
    if isinstance(found, list):
        found = {str(pair[0]): pair[1] for pair in found if isinstance(pair, list) and len(pair) == 2}
    return tuple(sorted((str(key), str(value)) for key, value in found.items())) if isinstance(found, dict) else ()
