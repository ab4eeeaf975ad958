"""What lies below the folders of a prefix for longer than so? Sums by folder, each one look into the index."""

import sqlite3
from dataclasses import dataclass

FOLDERS_MAX = 1000


@dataclass(frozen=True, slots=True)
class OldFolder:
    """What is older than the age that was asked about, below `prefix`; `newest_ms` is the youngest of it."""

    prefix: str
    size_bytes: int
    newest_ms: int


def old_folders(db: sqlite3.Connection, bucket: int, below: str, before_ms: int) -> list[OldFolder]:
    """The folders right below `below`, of a bucket by its number, that hold anything last written before a moment.

    Raises: sqlite3.Error.
    """
    found, after = [], below
    for _ in range(FOLDERS_MAX):
        sql = "SELECT key FROM objects WHERE bucket = ? AND key > ? AND key < ? ORDER BY key LIMIT 1"
        row = db.execute(sql, (bucket, after, _past(below))).fetchone()
        if row is None:
            break
        name, slash, _ = row[0].removeprefix(below).partition("/")
        folder = f"{below}{name}/"
        after = _past(folder) if slash else row[0]
        if slash and (old := _old(db, bucket, folder, before_ms)):
            found.append(old)
    return found


def _old(db: sqlite3.Connection, bucket: int, folder: str, before_ms: int) -> OldFolder | None:
    sql = (
        "SELECT sum(size), max(modified_ms) FROM objects"
        " WHERE bucket = ? AND key >= ? AND key < ? AND modified_ms < ? AND NOT is_marker"
    )
    size, newest_ms = db.execute(sql, (bucket, folder, _past(folder), before_ms)).fetchone()
    return OldFolder(folder, size, newest_ms) if size else None


def _past(prefix: str) -> str:
    """The first key after all that begin with the prefix, which ends in a slash."""
    return f"{prefix[:-1]}0"
