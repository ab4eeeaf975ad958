"""What was asked of each bucket, and how much left it? Counters that the bill is made from, and that a restart keeps.

Every process counts in memory and adds what came together to the index once a second, so that a read costs no write.
A kill loses at most that second; a stop loses nothing. Requests count in the two classes that clouds price: writes
and lists (`writes`), and everything else (`reads`). Deletes are free, and what was turned away is not the bucket's.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import AnyIndex, Transaction
from weyr.gateway.s3.records import Bucket, Reader

FLUSH_EVERY_S = 1.0
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


Counted = tuple[int, int, Use]
"""A bucket's id and the moment it was made, and what came together for it."""


class Counters:
    """The counters of this process. Not safe in threads: the event loop's own."""

    def __init__(self) -> None:
        self._uses: dict[tuple[int, int], Use] = {}

    def asked(self, bucket: Bucket, method: str, action: str) -> None:
        """A request was let in. `action` is the right that it took."""
        if method in ("DELETE", "OPTIONS") or (method == "POST" and action == ""):
            return
        use = self._of(bucket)
        if method in ("PUT", "POST") or (method == "GET" and action in _LISTS):
            use.writes += 1
        else:
            use.reads += 1

    def left(self, bucket: Bucket, peer: str, size: int) -> None:
        """So many bytes of a body were sent to `peer`."""
        if peer.startswith("127.") or peer in ("", "::1"):
            self._of(bucket).local_bytes += size
        else:
            self._of(bucket).far_bytes += size

    async def run(self, index: AnyIndex) -> None:
        """Adds what was counted to the index, again and again."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush(index)

    async def flush(self, index: AnyIndex) -> None:
        """Adds what was counted so far. Where the index cannot be written, it is kept for the next time."""
        taken, self._uses = self._uses, {}
        if not taken:
            return
        rows = tuple((id, made_ms, use) for (id, made_ms), use in taken.items())
        try:
            await index.write(partial(add, rows=rows))
        except (OSError, sqlite3.Error, MemoryError, S3Error) as e:
            log.warning("s3.usage_kept %d buckets: %s", len(rows), e)
            for key, use in taken.items():
                self._uses.setdefault(key, Use()).add(use)

    def _of(self, bucket: Bucket) -> Use:
        return self._uses.setdefault((bucket.id, bucket.created_ms), Use())


def add(transaction: Transaction, rows: Sequence[Counted]) -> None:
    """Adds to the counters of buckets. One that was removed since, whose id may be another's by now, is left out."""
    for id, made_ms, use in rows:
        transaction.run(
            "UPDATE buckets SET writes = writes + ?, reads = reads + ?, local_bytes = local_bytes + ?,"
            " far_bytes = far_bytes + ? WHERE id = ? AND created_ms = ?",
            use.writes,
            use.reads,
            use.local_bytes,
            use.far_bytes,
            id,
            made_ms,
        )


def used(reader: Reader) -> dict[int, Use]:
    """What each bucket was used for, by its id."""
    rows = reader.all("SELECT id, writes, reads, local_bytes, far_bytes FROM buckets")
    return {row[0]: Use(*row[1:]) for row in rows}
