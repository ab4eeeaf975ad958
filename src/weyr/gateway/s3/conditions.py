"""Does a conditional or partial read apply? If-Match and its kin, and the Range header.

Source: RFC 9110 sections 13 and 14; https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html (2026-11).
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.writes import WriteCondition

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class NotModified(Exception):
    """The reader has this version already; the answer is 304."""

    etag: str


def check_read(headers: Mapping[str, str], etag: str, modified_ms: int, prefix: str = "") -> None:
    """Takes header names' `prefix` (`x-amz-copy-source-` for a copy).

    Raises: S3Error PreconditionFailed; NotModified where the reader has it already.
    """
    modified = modified_ms // 1000
    for name in ("if-modified-since", "if-unmodified-since") if prefix else ():
        text = headers.get(prefix + name)
        if text and _seconds_of(text) is None:
            raise S3Error("InvalidArgument", f"{prefix}{name} is not a date.", ArgumentName=prefix + name)
    match, since = headers.get(f"{prefix}if-match"), _seconds_of(headers.get(f"{prefix}if-unmodified-since"))
    if match is not None:
        if not _names(match, etag):
            raise S3Error("PreconditionFailed", Condition="If-Match")
    elif since is not None and modified > since:
        raise S3Error("PreconditionFailed", Condition="If-Unmodified-Since")
    none, since = headers.get(f"{prefix}if-none-match"), _seconds_of(headers.get(f"{prefix}if-modified-since"))
    is_known = _names(none, etag) if none is not None else since is not None and modified <= since
    if is_known:
        if prefix:
            raise S3Error("PreconditionFailed", Condition="If-None-Match")
        raise NotModified(etag)


def write_condition(headers: Mapping[str, str]) -> WriteCondition:
    """The condition of a PUT or a completion."""
    return WriteCondition(
        if_match=headers.get("if-match", "").strip().strip('"'),
        if_none_match=headers.get("if-none-match", "").strip().strip('"'),
    )


def delete_condition(etag: str | None, size: str | None, modified: str | None) -> WriteCondition:
    """The condition of a deletion, as its header or its document has it. Raises: S3Error InvalidArgument."""
    at = _moment_of(modified) if modified else None
    if (size and not re.fullmatch("[0-9]{1,18}", size)) or (modified and at is None):
        raise S3Error("InvalidArgument", "The size or the time that a deletion depends on is not valid.")
    return WriteCondition(
        if_match=(etag or "").strip().strip('"'),
        if_size=int(size) if size else None,
        if_modified_s=None if at is None else int(at),
    )


def _moment_of(text: str) -> float | None:
    """Unix seconds of an HTTP date or one in ISO 8601."""
    found = _seconds_of(text)
    if found is None:
        with suppress(ValueError):
            date = datetime.fromisoformat(text)
            found = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return found


def range_of(text: str | None, size: int) -> tuple[int, int] | None:
    """(start, count) of a Range header over `size` bytes; None where the whole is to be sent.

    A header that S3 does not understand (several ranges, other units) is answered with the whole.
    Raises: S3Error InvalidRange where it lies outside.
    """
    match = _RANGE.fullmatch(text.strip()) if text else None
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
        if match[2] and int(match[2]) < start:
            return None
    else:
        start, last = max(size - int(match[2]), 0), size - 1
        if int(match[2]) == 0:
            start = size
    if start >= size:
        raise S3Error("InvalidRange", ActualObjectSize=str(size), RangeRequested=text or "")
    return start, last - start + 1


def _names(header: str, etag: str) -> bool:
    return any(name.strip().removeprefix("W/").strip('"') in ("*", etag) for name in header.split(","))


def _seconds_of(text: str | None) -> float | None:
    """An HTTP date as Unix seconds; one that is none is ignored, as the RFC has it."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
