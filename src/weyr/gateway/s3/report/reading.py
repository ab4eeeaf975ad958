"""How is a bucket looked through while it is used? From another process, read-only, a page at a time.

No page is read in a transaction that goes on: the plane's writer can tidy its log between any two. So what changes
meanwhile is in the report or not, as it happens.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weyr.gateway.s3.records import Versioning
from weyr.gateway.s3.report.filling import Filling
from weyr.gateway.s3.report.rules import WishedRule
from weyr.gateway.s3.report.saving import USUAL, Savings, usual_rules
from weyr.gateway.s3.schema import VERSION

PAGE = 5000

_OBJECTS = (
    "SELECT key, 0, is_marker, size, etag, modified_ms, CASE WHEN ?1 THEN meta ELSE '' END FROM objects"
    " WHERE bucket = ?2 AND key > ?3 AND ?4 = 0 ORDER BY key LIMIT ?5"
)
_HISTORY = (
    "SELECT key, sequence, is_marker, size, etag, ended_ms, CASE WHEN ?1 THEN meta ELSE '' END FROM history"
    " WHERE bucket = ?2 AND key >= ?3 AND (key > ?3 OR sequence < ?4) ORDER BY key, sequence DESC LIMIT ?5"
)
_UPLOADS = (
    "SELECT u.key, u.created_ms, coalesce((SELECT sum(p.size) FROM parts p WHERE p.upload = u.id), 0), u.id"
    " FROM uploads u WHERE u.bucket = ? AND (u.key, u.id) > (?, ?) ORDER BY u.key, u.id LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Named:
    """A bucket of the index. `owner` is who made it: a thing such as `digits:bucket/lake`, or a user."""

    id: int
    name: str
    owner: str
    objects: int
    size_bytes: int
    versioning: Versioning


@dataclass(slots=True)
class BucketReport:
    """What one bucket holds, what the rules that were asked about would take, and what others might."""

    bucket: Named
    filling: Filling
    asked: Savings
    suggested: Savings


@contextmanager
def index_at(folder: Path) -> Iterator[sqlite3.Connection]:
    """The index of a plane's data folder, to be read. Raises: sqlite3.Error."""
    with closing(sqlite3.connect(f"{folder.absolute().as_uri()}/index.db?mode=ro", uri=True, timeout=10)) as db:
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if found != VERSION:
            raise sqlite3.DatabaseError(f"{folder / 'index.db'} has layout {found}, and this weyr knows {VERSION}")
        yield db


def buckets_in(db: sqlite3.Connection) -> list[Named]:
    """Every bucket, by name."""
    rows = db.execute("SELECT id, name, owner, objects, size_bytes, versioning FROM buckets ORDER BY name")
    return [
        Named(id, name, owner, objects, size_bytes, Versioning(versioning))
        for id, name, owner, objects, size_bytes, versioning in rows.fetchall()
    ]


def report_of(
    db: sqlite3.Connection, bucket: Named, rules: Sequence[WishedRule], depth: int, now_ms: int
) -> BucketReport:
    """Looks through a bucket."""
    keeps = bucket.versioning is Versioning.ENABLED
    needs_meta = any(rule.tags for rule in rules)
    filling = Filling(depth)
    asked = Savings(rules, keeps, now_ms)
    suggested = Savings(usual_rules(_folders(db, bucket.id)), keeps, now_ms)
    for key, _, is_marker, size, etag, modified_ms, meta in _pages(db, _OBJECTS, bucket.id, needs_meta):
        if is_marker:
            filling.markers += 1
            continue
        filling.object(key, size, etag, (now_ms - modified_ms) / 1000)
        for savings in (asked, suggested):
            savings.object(key, size, modified_ms, meta)
    for key, _, is_marker, size, _, ended_ms, meta in _pages(db, _HISTORY, bucket.id, needs_meta=True):
        if is_marker:
            filling.markers += 1
            continue
        filling.version(key, size)
        for savings in (asked, suggested):
            savings.version(key, size, ended_ms, meta)
    for key, created_ms, size, _ in _uploads(db, bucket.id):
        filling.upload(key, size)
        for savings in (asked, suggested):
            savings.upload(key, size, created_ms)
    return BucketReport(bucket, filling, asked, suggested)


def _pages(db: sqlite3.Connection, sql: str, bucket: int, needs_meta: bool) -> Iterator[tuple[Any, ...]]:
    key, sequence = "", 0
    while rows := db.execute(sql, (needs_meta, bucket, key, sequence, PAGE)).fetchall():
        yield from rows
        key, sequence = rows[-1][0], rows[-1][1]


def _uploads(db: sqlite3.Connection, bucket: int) -> Iterator[tuple[Any, ...]]:
    key = id = ""
    while rows := db.execute(_UPLOADS, (bucket, key, id, PAGE)).fetchall():
        yield from rows
        key, id = rows[-1][0], rows[-1][3]


def _folders(db: sqlite3.Connection, bucket: int) -> list[str]:
    """Those of the usual names that the bucket has a first folder of."""
    sql = "SELECT 1 FROM objects WHERE bucket = ? AND key >= ? AND key < ? LIMIT 1"
    return [name for name in USUAL if db.execute(sql, (bucket, f"{name}/", f"{name}0")).fetchone()]
