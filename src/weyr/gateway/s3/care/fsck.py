"""Is a stopped store whole? Every row against every other, and every file against its row.

It refuses to change anything: `weyr.gateway.s3.care.repair` does, given what is found here. What it finds has a kind,
so that a person and a program can tell what matters: DAMAGED is bytes that are not what was put; the rest is
bookkeeping that nobody's bytes depend on.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from weyr.gateway.s3.blobs import PER_FOLDER, BlobStore
from weyr.gateway.s3.care.looking import Counted, counted_after, naming
from weyr.gateway.s3.care.looking import look as looked_at
from weyr.gateway.s3.digests import digests_length
from weyr.gateway.s3.records import segments_of
from weyr.gateway.s3.schema import VERSION

GROUP = 500
NAMES_MAX = 5
"""So many objects are told of a damaged blob."""
NAMED_MAX = 200
"""Of so many damaged blobs the objects are told."""
OnProgress = Callable[[int, int], None]


class Kind(StrEnum):
    INDEX = "index"
    """The index is not a sound database."""
    DAMAGED = "damaged"
    """A blob's bytes are not what was written."""
    UNCOUNTED = "uncounted"
    """An object, a version or a part names a blob that the index does not count."""
    COUNT = "count"
    """A blob is named more or less often than is counted."""
    ORPHAN = "orphan"
    """A file that no row is of."""
    COUNTER = "counter"
    """A bucket's number of objects or bytes is not that of its rows."""
    HOMELESS = "homeless"
    """A row of a bucket or an upload that is not there."""
    SIZE = "size"
    """An object that is not as long as its blobs."""
    AWAY = "away"
    """What lies at a tier is named more or less often than is counted, or is not counted."""
    LEFTOVER = "leftover"
    """A body that was still arriving when the plane died."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `where` names the objects it concerns, as bucket/key, as far as they are told."""

    kind: Kind
    what: str
    where: tuple[str, ...] = ()
    blob: int = 0
    path: Path | None = None
    done: str = ""
    """What was done about it; "" for nothing."""
    is_mended: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What is checked, and who is told how far it is: bytes looked at, of how many."""

    folder: Path
    db: sqlite3.Connection
    store: BlobStore
    on_progress: OnProgress


def soundness(path: Path) -> str:
    """What is wrong with the index as a database, "" for nothing. Raises: sqlite3.Error of another layout."""
    if not path.exists() or path.stat().st_size == 0:
        return "it is gone or empty"
    db = sqlite3.connect(path, timeout=10)
    try:
        unsound = [str(row[0]) for row in db.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as e:
        return str(e)
    finally:
        db.close()
    if not unsound and version != VERSION:
        raise sqlite3.DatabaseError(f"{path} has layout {version}, and this weyr knows layout {VERSION}")
    return "; ".join(unsound)


def _homeless(look: Look) -> Iterator[Finding]:
    db = look.db
    for table in ("objects", "history", "uploads"):
        sql = (
            f"SELECT bucket, count(*) FROM {table} WHERE bucket NOT IN (SELECT id FROM buckets)"
            " GROUP BY bucket ORDER BY bucket"
        )
        for bucket, count in db.execute(sql):
            yield Finding(Kind.HOMELESS, f"{count} rows of {table} are of bucket {bucket}, which is not there")
    sql = (
        "SELECT upload, count(*) FROM parts WHERE upload NOT IN (SELECT id FROM uploads)"
        " GROUP BY upload ORDER BY upload"
    )
    for upload, count in db.execute(sql):
        yield Finding(Kind.HOMELESS, f"{count} parts are of upload {upload}, which is not there")


def _count_names(db: sqlite3.Connection) -> None:
    """Counts how often each blob is named, in a table of this connection's own."""
    db.execute("PRAGMA temp_store = FILE")
    db.execute("DROP TABLE IF EXISTS temp.named")
    db.execute("CREATE TEMP TABLE named (blob INTEGER PRIMARY KEY, refs INTEGER, size INTEGER, is_inline INTEGER)")
    db.execute("DROP TABLE IF EXISTS temp.named_away")
    db.execute("CREATE TEMP TABLE named_away (id INTEGER PRIMARY KEY, refs INTEGER)")

    def names(is_away: bool) -> Iterator[tuple[int, int, bool]]:
        for table in ("objects", "history", "parts"):
            for (text,) in db.execute(f"SELECT segments FROM {table}"):
                for segment in segments_of(text):
                    if segment.is_away is is_away:
                        yield segment.blob, segment.size, segment.is_inline

    sql = "INSERT INTO named VALUES (?, 1, ?, ?) ON CONFLICT (blob) DO UPDATE SET refs = refs + 1"
    db.executemany(sql, names(is_away=False))
    sql = "INSERT INTO named_away VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET refs = refs + 1"
    db.executemany(sql, ((number,) for number, _, _ in names(is_away=True)))


def _counts(look: Look) -> Iterator[Finding]:
    db = look.db
    _count_names(db)
    sql = "SELECT blob FROM named WHERE blob NOT IN (SELECT id FROM blobs) ORDER BY blob"
    for (blob,) in db.execute(sql):
        yield Finding(Kind.UNCOUNTED, f"blob {blob} is named and not counted", _where(db, blob), blob)
    sql = (
        "SELECT b.id, b.refs, coalesce(n.refs, 0) FROM blobs b LEFT JOIN named n ON n.blob = b.id"
        " WHERE b.refs <> coalesce(n.refs, 0) ORDER BY b.id"
    )
    for blob, refs, named in db.execute(sql):
        yield Finding(Kind.COUNT, f"blob {blob} is named {named} times and counted {refs}", blob=blob)


def _away(look: Look) -> Iterator[Finding]:
    db = look.db
    for (number,) in db.execute("SELECT id FROM named_away WHERE id NOT IN (SELECT id FROM away) ORDER BY id"):
        yield Finding(Kind.AWAY, f"what is away as {number} is named and not counted: where it lies is not known")
    sql = (
        "SELECT a.id, a.refs, coalesce(n.refs, 0) FROM away a LEFT JOIN named_away n ON n.id = a.id"
        " WHERE a.refs <> coalesce(n.refs, 0) ORDER BY a.id"
    )
    for number, refs, named in db.execute(sql):
        what = f"what is away as {number} is named {named} times and counted {refs}"
        yield Finding(Kind.AWAY, what, blob=number)


def _damaged(look: Look) -> Iterator[Finding]:
    return damages(look.store, look.db, look.on_progress)


def damages(store: BlobStore, db: sqlite3.Connection, on_progress: OnProgress) -> Iterator[Finding]:
    """The blobs that are not what was written."""
    total: int = db.execute("SELECT coalesce(sum(size), 0) FROM blobs").fetchone()[0]
    done = found = 0

    def paced(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    for blob in _all(db):
        why = looked_at(store, blob, paced)
        if len(blob.digests) != digests_length(blob.size):
            why = why or "it has not as many digests as mebibytes"
        if why:
            # To find the names takes a look at every row, which nobody can wait for where a whole disk has gone.
            where, found = _where(db, blob.id) if found < NAMED_MAX else (), found + 1
            yield Finding(Kind.DAMAGED, f"blob {blob.id}: {why}", where, blob.id)


def _all(db: sqlite3.Connection) -> Iterator[Counted]:
    after = 0
    while group := counted_after(db, after, GROUP):
        yield from group
        after = group[-1].id


def _orphans(look: Look) -> Iterator[Finding]:
    folder, db = look.folder, look.db
    for path in sorted((folder / "blobs").glob("*/*")):
        shown = path.relative_to(folder)
        is_blob = re.fullmatch("[0-9a-f]{8,}", path.name) and path.is_file() and not path.is_symlink()
        blob = int(path.name, 16) if is_blob else 0
        if not is_blob or path.parent.name != f"{blob // PER_FOLDER:08x}":
            yield Finding(Kind.ORPHAN, f"{shown} is no blob of this store", path=path)
        elif not db.execute("SELECT 1 FROM blobs WHERE id = ? AND data IS NULL", (blob,)).fetchone():
            yield Finding(Kind.ORPHAN, f"{shown} is a blob that no row is of", blob=blob, path=path)


def _sizes(look: Look) -> Iterator[Finding]:
    db = look.db
    for table in ("objects", "history"):
        sql = f"SELECT b.name, t.key, t.size, t.segments FROM {table} t JOIN buckets b ON b.id = t.bucket"
        for bucket, key, size, text in db.execute(sql):
            have = sum(segment.size for segment in segments_of(text))
            if have != size:
                yield Finding(Kind.SIZE, f"an object of {size} bytes has blobs of {have}", (f"{bucket}/{key}",))
    sql = (
        "SELECT blob, n.size, b.size FROM named n JOIN blobs b ON b.id = blob"
        " WHERE n.is_inline <> (b.data IS NOT NULL) OR n.size > b.size ORDER BY blob"
    )
    for blob, named, there in db.execute(sql):
        yield Finding(Kind.SIZE, f"blob {blob} is named as {named} bytes and has {there}", _where(db, blob), blob)


COUNTED = """
SELECT b.id, b.name, b.objects, b.size_bytes,
    (SELECT count(*) FROM objects WHERE bucket = b.id AND is_marker = 0) AS true_objects,
    (SELECT coalesce(sum(size), 0) FROM objects WHERE bucket = b.id)
    + (SELECT coalesce(sum(size), 0) FROM history WHERE bucket = b.id)
    + (SELECT coalesce(sum(p.size), 0) FROM uploads u JOIN parts p ON p.upload = u.id WHERE u.bucket = b.id)
    AS true_bytes
FROM buckets b
"""


_OF_CLASS = (
    "SELECT bucket, class, count(*) AS objects, sum(size) AS size_bytes FROM (SELECT bucket, class, size FROM objects"
    " UNION ALL SELECT bucket, class, size FROM history) WHERE class <> '' GROUP BY bucket, class"
)
COUNTED_BY_CLASS = f"""
SELECT b.id, b.name, c.class, c.objects, c.size_bytes, coalesce(t.objects, 0), coalesce(t.size_bytes, 0)
FROM classes c JOIN buckets b ON b.id = c.bucket
LEFT JOIN ({_OF_CLASS}) t ON t.bucket = c.bucket AND t.class = c.class
UNION ALL
SELECT b.id, b.name, t.class, 0, 0, t.objects, t.size_bytes FROM ({_OF_CLASS}) t JOIN buckets b ON b.id = t.bucket
WHERE NOT EXISTS (SELECT 1 FROM classes c WHERE c.bucket = t.bucket AND c.class = t.class)
"""


def _counters(look: Look) -> Iterator[Finding]:
    for _, name, storage_class, *said, true_objects, true_size in look.db.execute(COUNTED_BY_CLASS):
        if said != [true_objects, true_size]:
            what = f"bucket {name} says {said[0]} objects of {said[1]} bytes in {storage_class}"
            yield Finding(Kind.COUNTER, f"{what}, and has {true_objects} of {true_size}", (name,))
    for _, name, objects, size, true_objects, true_size in look.db.execute(COUNTED):
        if (objects, size) != (true_objects, true_size):
            what = f"bucket {name} says {objects} objects of {size} bytes, and has {true_objects} of {true_size}"
            yield Finding(Kind.COUNTER, what, (name,))


def _leftovers(look: Look) -> Iterator[Finding]:
    for entry in sorted(os.scandir(look.folder / "incoming"), key=lambda entry: entry.name):
        yield Finding(Kind.LEFTOVER, f"incoming/{entry.name} never came to its end", path=Path(entry.path))


def _where(db: sqlite3.Connection, blob: int) -> tuple[str, ...]:
    names = {row[0]: row[1] for row in db.execute("SELECT id, name FROM buckets")}
    found = naming(db, blob, NAMES_MAX)
    shown = [
        f"{names.get(named.bucket, named.bucket)}/{named.key}" + ("" if named.is_current else f" ({named.version})")
        for named in found
    ]
    sql = (
        "SELECT u.bucket, u.key, p.number, p.segments FROM parts p JOIN uploads u ON u.id = p.upload"
        " WHERE p.segments LIKE ? LIMIT ?"
    )
    for bucket, key, number, text in db.execute(sql, (f"%{blob}:%", NAMES_MAX)):
        if any(segment.blob == blob and not segment.is_away for segment in segments_of(text)):
            shown.append(f"{names.get(bucket, bucket)}/{key} (part {number} of an upload)")
    return tuple(shown)


CHECKS: tuple[Callable[[Look], Iterator[Finding]], ...] = (
    _homeless, _counts, _away, _damaged, _orphans, _sizes, _counters, _leftovers
)  # fmt: skip
"""In the order in which what they find can be mended: each relies on what those before it have looked at."""
