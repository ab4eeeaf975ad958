"""How is a damaged blob made whole again? From another place where its object is, and only if it is what was written.

Whoever keeps a second copy of objects is a `Healer`. What it gives is written beside, compared with the digests that
the index has kept since the object came, synced, and renamed over the damaged file: nobody meets half of it.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.care.looking import Counted, Named, counted, look, naming
from weyr.gateway.s3.care.rot import HEALED_BY, Damage, State, counts, damages, settle, try_again
from weyr.gateway.s3.digests import Digests
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.flow import write_all
from weyr.gateway.s3.index import Index, Transaction
from weyr.gateway.s3.records import Bucket, Stored, buckets, version_of
from weyr.gateway.s3.sealing import HEAD_BYTES, MAGIC, Sealer

log = logging.getLogger("weyr.s3")

LOOK_EVERY_S = 0.2
AGAIN_AFTER_S = 3600.0
"""What nobody could mend is tried again after this: a replica may have been out of reach."""

KeyOf = Callable[[Bucket, Stored], bytes | None]
"""What opens a version, None where it lies plain. Raises: S3Error where the plane cannot open it alone."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A piece of one version of an object: `count` of its plain bytes from `start` on."""

    bucket: str
    key: str
    version: str
    etag: str
    size: int
    start: int
    count: int


class Healer(Protocol):
    """Somebody who has objects a second time."""

    async def bytes_of(self, wanted: Wanted) -> AsyncIterator[bytes] | None:
        """The plain bytes, None where it has not exactly this version. Raises: OSError where it is out of reach."""
        ...


class Mender:
    """Mends what is written down as damaged. One for each store, in the first process."""

    def __init__(self, index: Index, store: BlobStore, healer: Healer, key_of: KeyOf) -> None:
        self.mended = 0
        self._index = index
        self._store = store
        self._healer = healer
        self._key_of = key_of

    async def run(self) -> None:
        """Mends until it is cancelled."""
        loop = asyncio.get_running_loop()
        tried_at = loop.time()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if loop.time() - tried_at > AGAIN_AFTER_S:
                    tried_at = loop.time()
                    if counts(self._index)[State.LOST]:
                        await self._index.write(try_again)
                await self.turn()
            except (OSError, sqlite3.Error, S3Error) as e:
                log.error("s3.mending_failed %s", e)

    async def turn(self) -> int:
        """Tries every damage that nobody has tried. Gives how many blobs are whole again."""
        mended = 0
        for damage in damages(self._index, (State.FOUND,)):
            is_whole = await self._try(damage)
            await self._index.write(partial(settle, blob=damage.blob, state=None if is_whole else State.LOST))
            mended += is_whole
            if is_whole:
                log.warning("s3.mended blob=%d", damage.blob)
            else:
                log.error("s3.lost blob=%d: nobody has its bytes", damage.blob)
        self.mended += mended
        return mended

    async def _try(self, damage: Damage) -> bool:
        """Whether the blob is whole: it may be by now, or it is made so."""
        loop = asyncio.get_running_loop()
        blob = await self._index.aside(partial(counted, blob=damage.blob))
        if blob is None or not await loop.run_in_executor(None, look, self._store, blob):
            return True
        by_id = {bucket.id: bucket for bucket in buckets(self._index) if HEALED_BY in bucket.settings}
        for named in await self._index.aside(partial(naming, blob=blob.id)):
            if named.bucket not in by_id:
                continue
            try:
                if await self._mend(blob, named, by_id[named.bucket]):
                    return True
            except (OSError, S3Error) as e:
                log.error("s3.mending_failed blob=%d key=%r: %s", blob.id, named.key, e)
        return False

    async def _mend(self, blob: Counted, named: Named, bucket: Bucket) -> bool:
        stored = version_of(self._index, bucket.id, named.key, named.version)
        if stored is None:
            return False
        sealer = self._sealer(blob, self._key_of(bucket, stored))
        wanted = Wanted(bucket.name, named.key, named.version, stored.etag, stored.size, named.start, named.count)
        pieces = await self._healer.bytes_of(wanted)
        if pieces is None:
            return False
        if blob.data is not None:
            data = b"".join([piece async for piece in _closed(pieces, sealer)])
            return await self._index.write(partial(set_data, blob=blob.id, data=data, digests=blob.digests))
        return await self._mend_file(blob, _closed(pieces, sealer))

    def _sealer(self, blob: Counted, key: bytes | None) -> Sealer | None:
        """What closes the bytes exactly as they were: with the salt at the head of what is there."""
        if key is None:
            return None
        # Bytes that turn out to be others are closed with a nonce that was used before: they never leave `incoming`.
        head = blob.data
        if head is None:
            descriptor = self._store.open(blob.id)
            try:
                head = os.pread(descriptor, HEAD_BYTES, 0)
            finally:
                os.close(descriptor)
        return Sealer(key, head[len(MAGIC) : HEAD_BYTES])

    async def _mend_file(self, blob: Counted, pieces: AsyncIterator[bytes]) -> bool:
        loop, digests, size = asyncio.get_running_loop(), Digests(), 0
        self._store.abandon(blob.id)
        descriptor = self._store.begin(blob.id)
        is_whole = False
        try:
            async for piece in pieces:
                size += len(piece)
                if size > blob.size:
                    return False
                digests.feed(piece)
                await loop.run_in_executor(None, write_all, descriptor, piece)
            if size == blob.size and digests.done() == blob.digests:
                await loop.run_in_executor(None, os.fsync, descriptor)
                is_whole = True
        finally:
            os.close(descriptor)
            if not is_whole:
                self._store.abandon(blob.id)
        if is_whole:
            await loop.run_in_executor(None, self._store.put_back, blob.id)
            if not self._index.one("SELECT 1 FROM blobs WHERE id = ?", blob.id):
                self._store.remove([blob.id])  # it was let go while it was mended
        return is_whole


async def _closed(pieces: AsyncIterator[bytes], sealer: Sealer | None) -> AsyncIterator[bytes]:
    """The bytes as they lie on disk."""
    async for piece in pieces:
        if sealer is None:
            yield piece
            continue
        for frame in sealer.feed(piece):
            yield frame
    if sealer is not None:
        for frame in sealer.end():
            yield frame


def set_data(transaction: Transaction, blob: int, data: bytes, digests: bytes) -> bool:
    """Gives a blob of the index its bytes back, if these are they."""
    from_digests = Digests()
    from_digests.feed(data)
    if from_digests.done() != digests:
        return False
    transaction.run("UPDATE blobs SET data = ? WHERE id = ?", data, blob)
    return True
