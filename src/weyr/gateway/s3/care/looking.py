"""Is one blob what was written? What the scrubber, the check of a stopped store and the mending all ask."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.digests import CHUNK_BYTES, Rotten, check_data, check_file
from weyr.gateway.s3.records import Row, segments_of

MISSING = "its file is missing"
PIECE_BYTES = 4 * CHUNK_BYTES
_ROW = "SELECT id, refs, size, digests, data FROM blobs"


@dataclass(frozen=True, slots=True)
class Counted:
    """A blob as the index counts it; `data` where it lies there."""

    id: int
    refs: int
    size: int
    digests: bytes
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Named:
    """A version that names a blob, and where in it the blob's bytes are."""

    bucket: int
    key: str
    version: str
    start: int
    count: int
    is_current: bool


def counted_after(db: sqlite3.Connection, after: int, limit: int) -> list[Counted]:
    """Blobs in order, behind the number `after`."""
    rows = db.execute(f"{_ROW} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    return [Counted(*row) for row in rows]


def counted(db: sqlite3.Connection, blob: int) -> Counted | None:
    row = db.execute(f"{_ROW} WHERE id = ?", (blob,)).fetchone()
    return Counted(*row) if row else None


def look(store: BlobStore, blob: Counted, paced: Callable[[int], None] = lambda _: None) -> str:
    """What is wrong with a blob, "" for nothing. `paced` is told how many bytes were read, piece after piece.

    What the kernel has in memory is let go first, so that it is the disk that is asked.
    Promises: raises nothing for what is wrong with the blob.
    """
    try:
        if blob.data is not None:
            check_data(blob.data, blob.id, blob.digests)
            paced(blob.size)
            return ""
        descriptor = store.open(blob.id)
    except Rotten as e:
        return e.why
    except FileNotFoundError:
        return MISSING
    except OSError as e:
        return f"the disk refuses to open it: {e.strerror}"
    try:
        return _look_at_file(descriptor, blob, paced)
    finally:
        os.close(descriptor)


def _look_at_file(descriptor: int, blob: Counted, paced: Callable[[int], None]) -> str:
    there = os.fstat(descriptor).st_size
    if there != blob.size:
        return f"it is {there} bytes long and was {blob.size}"
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    for start in range(0, blob.size, PIECE_BYTES):
        end = min(blob.size, start + PIECE_BYTES)
        try:
            check_file(descriptor, blob.id, blob.digests, start, end)
        except Rotten as e:
            return e.why
        paced(end - start)
    return ""


def naming(db: sqlite3.Connection, blob: int, limit: int = 10) -> list[Named]:
    """Versions that name a blob, current ones first. It looks at every row: for what is damaged only."""
    found: list[Named] = []
    for table in ("objects", "history"):
        sql = f"SELECT bucket, key, version, segments FROM {table} WHERE segments LIKE ?"
        for row in db.execute(sql, (f"%{blob}:%",)):
            found += list(_of_row(row, blob, table == "objects"))[:1]
            if len(found) >= limit:
                return found
    return found


def _of_row(row: Row, blob: int, is_current: bool) -> Iterator[Named]:
    bucket, key, version, segments = row
    start = 0
    for segment in segments_of(segments):
        if segment.blob == blob and not segment.is_away:
            yield Named(bucket, key, version, start, segment.size, is_current)
        start += segment.size
