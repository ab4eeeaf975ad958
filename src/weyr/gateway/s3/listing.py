"""Which keys come next? Pages of a bucket's keys in byte order, folded at a delimiter.

A page looks at no more rows than it returns: where keys fold into one common prefix the scan jumps behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

from weyr.gateway.s3.records import Row

PAST = "\U0010ffff" * 257
"""Appended to a prefix it is greater than any key that begins so: keys have at most 1,024 bytes, four per character."""


class Rows(Protocol):
    """The index, read row by row as far as they are taken."""

    def rows(self, sql: str, *values: object) -> Iterator[Row]: ...


class Entry(NamedTuple):
    """One current object in a listing. A tuple, which a thousand of are made in a third of the time of a dataclass."""

    key: str
    size: int
    etag: str
    modified_ms: int
    owner: str | None = None
    """The account that owns it, where that was asked for and is not the bucket's owner."""
    storage_class: str | None = None
    """None or "" for STANDARD."""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries and common prefixes together, in order, at most as many as asked for. `last` is where to go on after."""

    items: tuple[Entry | str, ...]
    is_truncated: bool
    last: str = ""


def page(
    rows: Rows, bucket: int, prefix: str, delimiter: str, after: str, limit: int, with_owner: bool = False
) -> Page:
    """The keys behind `after` that begin with `prefix`. An `after` that is a common prefix skips all it stands for."""
    if is_common(after, prefix, delimiter):
        after += PAST
    if limit == 0:
        return Page((), False)
    found = _folded(rows, bucket, prefix, delimiter, after, with_owner)
    items = list(islice(found, limit + 1))
    if len(items) <= limit:
        return Page(tuple(items), False)
    last = items[limit - 1]
    return Page(tuple(items[:limit]), True, last if isinstance(last, str) else last.key)


def is_common(marker: str, prefix: str, delimiter: str) -> bool:
    """Whether a marker is a common prefix of this listing, so that what it stands for has been listed. `a/b/` is none
    where `a/` stands for both."""
    if not delimiter or not marker.startswith(prefix):
        return False
    cut = marker.find(delimiter, len(prefix))
    return cut >= 0 and cut + len(delimiter) == len(marker)


def _folded(
    rows: Rows, bucket: int, prefix: str, delimiter: str, after: str, with_owner: bool
) -> Iterator[Entry | str]:
    position: str | None = after
    while position is not None:
        found = _from(rows, bucket, prefix, position, with_owner)
        position = None
        if not delimiter:
            yield from map(Entry._make, found)
            return
        for key, size, etag, modified_ms, owner, storage_class in found:
            cut = key.find(delimiter, len(prefix))
            if cut >= 0:
                common = key[: cut + len(delimiter)]
                yield common
                position = common + PAST
                break
            yield Entry(key, size, etag, modified_ms, owner, storage_class)


_CLASS = "class"


def _owner(with_owner: bool) -> str:
    """The column; to look into each row's JSON costs as much as the rest of the row."""
    return "json_extract(meta, '$.owner')" if with_owner else "NULL"


def _from(rows: Rows, bucket: int, prefix: str, after: str, with_owner: bool) -> Iterator[Row]:
    compare, low = (">", after) if after >= prefix else (">=", prefix)
    sql = (
        f"SELECT key, size, etag, modified_ms, {_owner(with_owner)}, {_CLASS} FROM objects"
        f" WHERE bucket = ? AND key {compare} ? AND key < ?"
        " AND is_marker = 0 ORDER BY key"
    )
    return rows.rows(sql, bucket, low, prefix + PAST)


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version or delete marker in a listing of versions."""

    key: str
    version: str
    is_marker: bool
    is_latest: bool
    size: int
    etag: str
    modified_ms: int
    sequence: int
    owner: str = ""
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class VersionPage:
    """As `Page`, of versions. `last` is the (key, version) to go on after; a common prefix has no version."""

    items: tuple[VersionEntry | str, ...]
    is_truncated: bool
    last: tuple[str, str] = ("", "")


def version_page(
    rows: Rows,
    bucket: int,
    prefix: str,
    delimiter: str,
    after: tuple[str, str],
    limit: int,
    with_owner: bool = False,
) -> VersionPage:
    """The versions behind `after`: keys in order, the newest version of each first."""
    key, version = after
    if is_common(key, prefix, delimiter):
        key, version = key + PAST, ""
    items: list[VersionEntry | str] = []
    if limit == 0:
        return VersionPage((), False)
    for item in _versions(rows, bucket, prefix, delimiter, key, version, with_owner):
        if len(items) == limit:
            last = items[-1]
            return VersionPage(tuple(items), True, (last, "") if isinstance(last, str) else (last.key, last.version))
        items.append(item)
    return VersionPage(tuple(items), False)


_VERSIONS = """
    SELECT key, version, is_marker, {latest}, size, etag, modified_ms, sequence, {owner}, {storage_class}
    FROM {table}
    WHERE bucket = ? AND key {compare} ? AND key < ?
"""


def _versions(
    rows: Rows, bucket: int, prefix: str, delimiter: str, after: str, version: str, with_owner: bool
) -> Iterator[VersionEntry | str]:
    # With a version marker the rest of its key's versions come first: those older than the marker.
    compare = ">=" if version else ">"
    skipping = version
    position: str | None = after
    while position is not None:
        low, op = (position, compare) if position >= prefix else (prefix, ">=")
        position, compare = None, ">"
        selects = [
            _VERSIONS.format(latest=latest, table=table, compare=op, owner=_owner(with_owner), storage_class=_CLASS)
            for latest, table in ((1, "objects"), (0, "history"))
        ]
        values = (bucket, low, prefix + PAST)
        for row in rows.rows(" UNION ALL ".join(selects) + " ORDER BY 1, 8 DESC", *values, *values):
            key = row[0]
            if skipping and key == after:
                if row[1] == skipping:
                    skipping = ""
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = key[: cut + len(delimiter)]
                yield common
                position = common + PAST
                break
            yield VersionEntry(
                key, row[1], bool(row[2]), bool(row[3]), row[4], row[5], row[6], row[7], row[8] or "", row[9] or ""
            )
