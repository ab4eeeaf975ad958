"""Ranges and conditional reads follow RFC 9110 as S3 reads it."""

import pytest

from weyr.gateway.s3.conditions import NotModified, check_read, range_of
from weyr.gateway.s3.errors import S3Error

RANGES: dict[str, tuple[str | None, tuple[int, int] | None]] = {
    "none asked": (None, None),
    "the first byte": ("bytes=0-0", (0, 1)),
    "from the middle on": ("bytes=4-", (4, 6)),
    "past the end is cut": ("bytes=8-100", (8, 2)),
    "the last bytes": ("bytes=-3", (7, 3)),
    "more last bytes than there are": ("bytes=-99", (0, 10)),
    "backwards is ignored": ("bytes=5-2", None),
    "several are ignored": ("bytes=0-1,3-4", None),
    "another unit is ignored": ("lines=0-1", None),
    "nothing named is ignored": ("bytes=-", None),
}


@pytest.mark.parametrize(("text", "expected"), RANGES.values(), ids=RANGES.keys())
def test_a_range_is_read(text: str | None, expected: tuple[int, int] | None) -> None:
    """Of ten bytes."""
    assert range_of(text, 10) == expected


@pytest.mark.parametrize(("text", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-0", 0), ("bytes=-1", 0)])
def test_a_range_outside_is_refused(text: str, size: int) -> None:
    """416, with the size the object really has."""
    with pytest.raises(S3Error) as refused:
        range_of(text, size)
    assert (refused.value.code, refused.value.fields["ActualObjectSize"]) == ("InvalidRange", str(size))


EARLY, LATE = "Sun, 01 Nov 2026 00:00:00 GMT", "Mon, 30 Nov 2026 00:00:00 GMT"
MODIFIED_MS = 1_795_348_000_123  # 2026-11-22

READS: dict[str, tuple[dict[str, str], str]] = {
    "nothing asked": ({}, "send"),
    "one of several etags": ({"if-match": '"x", "e"'}, "send"),
    "any etag": ({"if-match": "*"}, "send"),
    "another etag": ({"if-match": '"x"'}, "refuse"),
    "an etag outweighs a date": ({"if-match": '"e"', "if-unmodified-since": EARLY}, "send"),
    "known already": ({"if-none-match": '"e"'}, "304"),
    "known weakly": ({"if-none-match": 'W/"e"'}, "304"),
    "changed since": ({"if-modified-since": EARLY}, "send"),
    "not changed since": ({"if-modified-since": LATE}, "304"),
    "an etag outweighs that date too": ({"if-none-match": '"x"', "if-modified-since": LATE}, "send"),
    "a date that is none": ({"if-modified-since": "yesterday"}, "send"),
}


@pytest.mark.parametrize(("headers", "expected"), READS.values(), ids=READS.keys())
def test_a_conditional_read(headers: dict[str, str], expected: str) -> None:
    """Of an object with the etag `e`."""
    try:
        check_read(headers, "e", MODIFIED_MS)
        answer = "send"
    except NotModified:
        answer = "304"
    except S3Error as e:
        answer = "refuse" if e.code == "PreconditionFailed" else e.code
    assert answer == expected
