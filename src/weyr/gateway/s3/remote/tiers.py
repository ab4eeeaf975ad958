"""How does the index change while objects go to a tier and leave it? Operations for the writer, questions for readers.

What will be put at a tier is written down among `removals` first. The commit that makes it an object's takes it from
there; whatever is still there after a crash belongs to nobody, and is removed.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import OBJECT_COLUMNS, Segment, Stored, segments_text, stored_of
from weyr.gateway.s3.remote.own_tiers import class_of
from weyr.gateway.s3.writes import release

PIECE_BYTES = 32 * 2**20
"""Bytes at a tier lie in objects of this size: each is put in one request, so that a crash leaves no half upload."""


@dataclass(frozen=True, slots=True)
class Due:
    """A version that is to go to a tier."""

    bucket: int
    key: str
    sequence: int
    modified_ms: int
    tier: str


@dataclass(frozen=True, slots=True)
class Away:
    """Bytes at a tier, under `key/0`, `key/1` and so on, with the digests of their chunks."""

    tier: str
    key: str
    size: int
    digests: bytes

    @property
    def pieces(self) -> int:
        return pieces_in(self.size)


@dataclass(frozen=True, slots=True)
class Removal:
    """A key at a tier that nobody names."""

    tier: str
    key: str
    size: int

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(f"{self.key}/{number}" for number in range(pieces_in(self.size)))


def pieces_in(size: int) -> int:
    return -(-size // PIECE_BYTES)


def due_after(db: sqlite3.Connection, tiers: Sequence[str], limit: int) -> list[Due]:
    """Versions that are to go to one of these tiers, in order of their keys."""
    marks = ",".join("?" * len(tiers))
    sql = f"SELECT bucket, key, sequence, modified_ms, tier FROM moves WHERE tier IN ({marks}) LIMIT ?"
    return [Due(*row) for row in db.execute(sql, (*tiers, limit))]


def version_due(db: sqlite3.Connection, due: Due) -> Stored | None:
    """The version as it is now, None where it is gone."""
    for table in ("objects", "history"):
        sql = f"SELECT {OBJECT_COLUMNS} FROM {table} WHERE bucket = ? AND key = ? AND (sequence, modified_ms) = (?, ?)"
        row = db.execute(sql, (due.bucket, due.key, due.sequence, due.modified_ms)).fetchone()
        if row:
            return stored_of(row)
    return None


def blob_row(db: sqlite3.Connection, segment: Segment) -> tuple[int, bytes] | None:
    """The size and the digests of what a segment names, as it lies on disk or at its tier."""
    table = "away" if segment.is_away else "blobs"
    row: tuple[int, bytes] | None = db.execute(
        f"SELECT size, digests FROM {table} WHERE id = ?", (segment.blob,)
    ).fetchone()
    return row


def away_of(db: sqlite3.Connection, numbers: Sequence[int]) -> list[Away | None]:
    """The rows of segments that are away, None for one that is gone."""
    found: list[Away | None] = []
    for number in numbers:
        row = db.execute("SELECT tier, key, size, digests FROM away WHERE id = ?", (number,)).fetchone()
        found.append(Away(*row) if row else None)
    return found


def intend(transaction: Transaction, due: Due, wanted: Sequence[Away]) -> bool:
    """Writes down what will be put at a tier, before it is. Gives False where the version is gone by now: its bucket
    may be gone with it, and then nobody would know where to remove that."""
    if version_due(transaction.db, due) is None:
        forget(transaction, due)
        return False
    for away in wanted:
        transaction.run("INSERT INTO removals VALUES (?, ?, ?)", away.tier, away.key, away.size)
    return True


def moved(transaction: Transaction, due: Due, was: tuple[Segment, ...], put: Sequence[Away]) -> bool:
    """Makes what was put at a tier the version's bytes, and lets go of those that it had.

    Gives False, and leaves what was put to be removed, where the version is gone or has other bytes by now.
    """
    forget(transaction, due)
    there = version_due(transaction.db, due)
    if there is None or there.segments != was:
        return False
    segments = []
    for old, away in zip(was, put, strict=True):
        transaction.run("DELETE FROM removals WHERE tier = ? AND key = ?", away.tier, away.key)
        transaction.run(
            "INSERT INTO away (refs, tier, key, size, digests) VALUES (1, ?, ?, ?, ?)",
            away.tier,
            away.key,
            away.size,
            away.digests,
        )
        (number,) = transaction.one("SELECT last_insert_rowid()") or (0,)
        segments.append(Segment(number, old.size, is_away=True))
    storage_class = class_of(due.tier)
    meta = replace(there.meta, storage_class=storage_class).text()
    for table in ("objects", "history"):
        sql = f"UPDATE {table} SET segments = ?, meta = ?, class = ? WHERE bucket = ? AND key = ? AND sequence = ?"
        values = segments_text(tuple(segments)), meta, storage_class, due.bucket, due.key, due.sequence
        transaction.run(sql, *values)
    if there.meta.storage_class != storage_class:
        # A rule moved it, which S3 asks for; what a client put into the class was paid for by that request.
        moves = "UPDATE classes SET moves = moves + 1 WHERE bucket = ? AND class = ?"
        transaction.run(moves, due.bucket, storage_class)
    release(transaction, was)
    return True


def forget(transaction: Transaction, due: Due) -> None:
    """Takes a version from those that are to go."""
    values = due.bucket, due.key, due.sequence
    transaction.run("DELETE FROM moves WHERE bucket = ? AND key = ? AND sequence = ?", *values)


def removals(db: sqlite3.Connection, tiers: Sequence[str], limit: int) -> list[Removal]:
    """What is to be removed at these tiers."""
    marks = ",".join("?" * len(tiers))
    sql = f"SELECT tier, key, size FROM removals WHERE tier IN ({marks}) LIMIT ?"
    return [Removal(*row) for row in db.execute(sql, (*tiers, limit))]


def removed(transaction: Transaction, gone: Sequence[Removal]) -> None:
    """Forgets what the tier has removed."""
    for removal in gone:
        transaction.run("DELETE FROM removals WHERE tier = ? AND key = ?", removal.tier, removal.key)


def is_away(stored: Stored) -> bool:
    """Whether a version's bytes are at a tier: all of them are, or none."""
    return bool(stored.segments) and stored.segments[0].is_away
