"""What was asked of each bucket, and how much left it? Counters that the bill is made from, and that a restart keeps.

Every process counts in memory and adds what came together to the index once a second, so that a read costs no write.
A kill loses at most that second; a stop loses nothing. Of a bucket that is removed the counters stay under its owner,
until that one makes another: what a process had still to add is added there, and who asks has all of them add it first.
Requests count in the two classes that clouds price: writes and lists (`writes`), and everything else (`reads`). Deletes
are free, and what was turned away is not the bucket's.
"""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import AnyIndex, Transaction
from weyr.gateway.s3.records import Bucket, Reader

FLUSH_EVERY_S = 1.0
GONE, GONE_MAX = "gone ", 4096
"""How the names begin under which counters of removed buckets are kept in `care`, and of how many."""
_IS_GONE = f"name BETWEEN '{GONE}' AND '{GONE}~'"
_LISTS = frozenset({
    "s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts",
})  # fmt: skip

log = logging.getLogger("weyr.s3")


@dataclass(slots=True)
class Use:
    """What one bucket was used for. Bytes are those of bodies; `local` ones went to the machine that they were on."""

    writes: int = 0
    reads: int = 0
    local_bytes: int = 0
    far_bytes: int = 0

    def add(self, other: "Use") -> None:
        self.writes += other.writes
        self.reads += other.reads
        self.local_bytes += other.local_bytes
        self.far_bytes += other.far_bytes


Counted = tuple[int, int, str, Use]
"""A bucket's id and the moment it was made, a storage class, and what came together for it."""


class Counters:
    """The counters of this process. Not safe in threads: the event loop's own."""

    def __init__(self) -> None:
        self._uses: dict[tuple[int, int, str], Use] = {}
        self._turn = asyncio.Lock()

    def asked(self, bucket: Bucket, method: str, action: str, storage_class: str = "") -> None:
        """A request was let in. `action` is the right that it took, `storage_class` that of its object: what is asked
        of an object of another class than STANDARD counts there."""
        if method in ("DELETE", "OPTIONS") or (method == "POST" and action == ""):
            return
        use = self._of(bucket, storage_class)
        if method in ("PUT", "POST") or (method == "GET" and action in _LISTS):
            use.writes += 1
        else:
            use.reads += 1

    def left(self, bucket: Bucket, peer: str, storage_class: str, size: int) -> None:
        """So many bytes of a body were sent to `peer`. Those of a class count there too, which may ask for that."""
        is_local = peer.startswith("127.") or peer in ("", "::1")
        for use in (self._of(bucket), *((self._of(bucket, storage_class),) if storage_class else ())):
            if is_local:
                use.local_bytes += size
            else:
                use.far_bytes += size

    async def run(self, index: AnyIndex) -> None:
        """Adds what was counted to the index, again and again."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush(index)

    async def flush(self, index: AnyIndex) -> bool:
        """Adds what was counted so far, and gives whether all of it is in the index. Where that cannot be written, it
        is kept for the next time."""
        async with self._turn:
            taken, self._uses = self._uses, {}
            if not taken:
                return True
            rows = tuple((*key, use) for key, use in taken.items())
            try:
                await index.write(partial(add, rows=rows))
            except (OSError, sqlite3.Error, MemoryError, S3Error) as e:
                log.warning("s3.usage_kept %d buckets: %s", len(rows), e)
                for key, use in taken.items():
                    self._uses.setdefault(key, Use()).add(use)
                return False
            return True

    def _of(self, bucket: Bucket, storage_class: str = "") -> Use:
        return self._uses.setdefault((bucket.id, bucket.created_ms, storage_class), Use())


def add(transaction: Transaction, rows: Sequence[Counted]) -> None:
    """Adds to the counters of buckets. To those that are kept of one that was removed since, whose id may be another's
    by now."""
    for id, made_ms, storage_class, use in rows:
        if storage_class:
            is_there = _add_to_class(transaction, id, made_ms, storage_class, use)
        else:
            is_there = transaction.run(
                "UPDATE buckets SET writes = writes + ?, reads = reads + ?, local_bytes = local_bytes + ?,"
                " far_bytes = far_bytes + ? WHERE id = ? AND created_ms = ?",
                use.writes,
                use.reads,
                use.local_bytes,
                use.far_bytes,
                id,
                made_ms,
            )
        if not is_there:
            _add_to_gone(transaction, id, made_ms, storage_class, use)


def _add_to_class(transaction: Transaction, bucket: int, made_ms: int, storage_class: str, use: Use) -> int:
    return transaction.run(
        "INSERT INTO classes (bucket, class, writes, reads, read_bytes) SELECT id, ?, ?, ?, ? FROM buckets"
        " WHERE id = ? AND created_ms = ? ON CONFLICT (bucket, class) DO UPDATE SET writes = writes + excluded.writes,"
        " reads = reads + excluded.reads, read_bytes = read_bytes + excluded.read_bytes",
        storage_class,
        use.writes,
        use.reads,
        use.local_bytes + use.far_bytes,
        bucket,
        made_ms,
    )


def used(reader: Reader) -> dict[int, Use]:
    """What each bucket was used for, by its id."""
    rows = reader.all("SELECT id, writes, reads, local_bytes, far_bytes FROM buckets")
    return {row[0]: Use(*row[1:]) for row in rows}


@dataclass(frozen=True, slots=True)
class InClass:
    """What of a bucket is of a storage class (versions, and their bytes), and what was asked of that: requests, bytes
    of bodies, and how many objects a rule moved there."""

    name: str
    objects: int = 0
    size_bytes: int = 0
    writes: int = 0
    reads: int = 0
    read_bytes: int = 0
    moves: int = 0


def in_classes(reader: Reader, bucket: int | None = None) -> dict[int, tuple[int, list[InClass]]]:
    """Of each bucket that has storage classes other than STANDARD: what it holds altogether, and each of its classes.

    One question, so that no byte that moves meanwhile is told twice.
    """
    sql = (
        "SELECT c.bucket, b.size_bytes, class, c.objects, c.size_bytes, c.writes, c.reads, read_bytes, moves"
        " FROM classes c JOIN buckets b ON b.id = c.bucket"
    )
    found: dict[int, tuple[int, list[InClass]]] = {}
    where, values = ("", ()) if bucket is None else (" WHERE c.bucket = ?", (bucket,))
    for id, size_bytes, *row in reader.all(f"{sql}{where} ORDER BY c.bucket, class", *values):
        found.setdefault(id, (size_bytes, []))[1].append(InClass(*row))
    return found


@dataclass(frozen=True, slots=True)
class Gone:
    """The counters of a bucket that was removed: what it was used for, and in which classes."""

    id: int
    created_ms: int
    use: Use
    classes: tuple[InClass, ...]

    def with_use(self, storage_class: str, use: Use) -> "Gone":
        if not storage_class:
            together = Use(**asdict(self.use))
            together.add(use)
            return replace(self, use=together)
        named = {one.name: one for one in self.classes}
        one = named.get(storage_class, InClass(storage_class))
        read_bytes = one.read_bytes + use.local_bytes + use.far_bytes
        named[storage_class] = replace(
            one, writes=one.writes + use.writes, reads=one.reads + use.reads, read_bytes=read_bytes
        )
        return replace(self, classes=tuple(named[name] for name in sorted(named)))


def bury(transaction: Transaction, bucket: Bucket) -> None:
    """Keeps the counters of a bucket that is about to be removed, under its owner. It is empty by then."""
    _, classes = in_classes(transaction, bucket.id).get(bucket.id, (0, []))
    row = transaction.one("SELECT writes, reads, local_bytes, far_bytes FROM buckets WHERE id = ?", bucket.id)
    assert row is not None, "a bucket is buried before it is removed"
    _keep(transaction, bucket.owner, Gone(bucket.id, bucket.created_ms, Use(*row), tuple(classes)))
    # The oldest go: whoever bills has asked for them long ago.
    transaction.run(
        f"DELETE FROM care WHERE name IN (SELECT name FROM care WHERE {_IS_GONE}"
        " ORDER BY json_extract(value, '$.created_ms') DESC LIMIT -1 OFFSET ?)",
        GONE_MAX,
    )


def forget_gone(transaction: Transaction, owner: str) -> None:
    """Its owner makes another bucket: what was asked of the last one was told, or will never be."""
    transaction.run("DELETE FROM care WHERE name = ?", GONE + owner)


def gone_of(reader: Reader, owner: str) -> Gone | None:
    """What is kept of the last bucket that an owner had."""
    row = reader.one("SELECT value FROM care WHERE name = ?", GONE + owner)
    return _gone(row[0]) if row else None


def _add_to_gone(transaction: Transaction, bucket: int, made_ms: int, storage_class: str, use: Use) -> None:
    sql = f"SELECT name, value FROM care WHERE {_IS_GONE}"
    sql += " AND json_extract(value, '$.id') = ? AND json_extract(value, '$.created_ms') = ?"
    for name, value in transaction.all(sql, bucket, made_ms):
        _keep(transaction, name.removeprefix(GONE), _gone(value).with_use(storage_class, use))


def _keep(transaction: Transaction, owner: str, gone: Gone) -> None:
    sql = "INSERT INTO care VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    transaction.run(sql, GONE + owner, json.dumps(asdict(gone)))


def _gone(text: str) -> Gone:
    told = json.loads(text)
    classes = tuple(InClass(**one) for one in told["classes"])
    return Gone(told["id"], told["created_ms"], Use(**told["use"]), classes)
