"""Where does the next page begin? An opaque token that holds an offset, as MLflow's own does."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import TypeVar

from weyr.tracking.entities import Page
from weyr.tracking.errors import invalid

T = TypeVar("T")

OFFSET_MAX = 10**12
"""More than any store of ours will hold, and safe to hand to any database."""


def offset_of(token: str) -> int:
    """Raises TrackingError when the token is none that a page was given."""
    if not token:
        return 0
    try:
        content = json.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError) as e:
        raise invalid("Invalid page token, could not base64-decode") from e
    offset = content.get("offset") if isinstance(content, dict) else None
    if not isinstance(offset, int) or not 0 <= offset <= OFFSET_MAX:
        raise invalid(f"Invalid page token, parsed value {content!r}")
    return offset


def page_of(found: Sequence[T], offset: int, limit: int) -> Page[T]:
    """Takes up to `limit + 1` things: one more than fits says that there is a next page."""
    if len(found) <= limit:
        return Page(tuple(found))
    token = base64.b64encode(json.dumps({"offset": offset + limit}).encode()).decode()
    return Page(tuple(found[:limit]), token)
