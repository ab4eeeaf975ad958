"""How does a large body flow to disk? Through two lanes of threads, behind a bounded window."""

import asyncio
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.checksums import Digest
from weyr.gateway.s3.chunked import Decoder
from weyr.gateway.s3.digests import Digests
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import BodyBroken, Stream
from weyr.gateway.s3.sealing import Sealer

WINDOW_BYTES = 2 * 2**20
PIECE_BYTES = 256 * 1024
"""What goes through the lanes at once, so that loop and threads hand over less often than the socket delivers."""

Piece = bytes | memoryview


class Flow:
    """One large body on its way into one blob file.

    Promises: `run` gives the MD5 once everything is written and fsynced; when it raises, the file is gone.
    """

    def __init__(
        self,
        blobs: BlobStore,
        pool: ThreadPoolExecutor,
        loop: asyncio.AbstractEventLoop,
        decoder: Decoder | None,
        digests: Sequence[Digest],
        length: int,
        sealer: Sealer | None = None,
    ) -> None:
        self.size = 0
        self.digests = b""
        """Of what is on disk, once it has run."""
        self.blob = blobs.new_id()
        self._blobs = blobs
        self._loop = loop
        self._decoder = decoder
        self._digests = digests
        self._length = length
        self._sealer = sealer
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._on_disk = Digests()
        self._unhashed = 0
        self._unwritten = 0
        self._room: asyncio.Future[None] | None = None
        self._descriptor = -1
        self._writing = Lane(pool, self._write, self._written)
        self._hashing = Lane(pool, self._hash, self._hashed)

    async def run(self, body: Stream) -> bytes:
        """Raises: S3Error for a body that breaks off or is not well formed, OSError from the disk."""
        self._descriptor = self._blobs.begin(self.blob)
        is_kept = False
        try:
            await self._take(body)
            await self._idle()
            self._check()
            await self._loop.run_in_executor(self._writing.pool, self._finish)
            is_kept = True
        finally:
            await self._idle()
            os.close(self._descriptor)
            if not is_kept:
                self._blobs.abandon(self.blob)
        return self._md5.digest()

    async def _take(self, body: Stream) -> None:
        try:
            while chunk := await body.chunk(PIECE_BYTES):
                self._unwritten += len(chunk)
                self._writing.put(chunk)
                if self._unwritten + self._unhashed > WINDOW_BYTES:
                    await self._until(WINDOW_BYTES // 2)
                self._check()
        except BodyBroken as e:
            raise S3Error(e.code) from e

    def _check(self) -> None:
        error = self._writing.error or self._hashing.error
        if error:
            raise error

    async def _idle(self) -> None:
        await self._until(0)

    async def _until(self, bytes_max: int) -> None:
        while self._unwritten + self._unhashed > bytes_max:
            self._room = self._loop.create_future()
            await self._room

    # --- in the lanes' threads

    def _write(self, chunk: Piece) -> None:
        pieces: Sequence[Piece] = self._decoder.feed(bytes(chunk)) if self._decoder else (chunk,)
        for piece in pieces:
            self.size += len(piece)
            if self.size > self._length:
                raise S3Error("IncompleteBody", "The body is longer than announced.")
            self._loop.call_soon_threadsafe(self._to_hash, piece)
            for digest in self._digests:
                digest.update(piece)
            for frame in self._sealer.feed(piece) if self._sealer else (piece,):
                self._keep(frame)

    def _finish(self) -> None:
        for frame in self._sealer.end() if self._sealer else ():
            self._keep(frame)
        os.fsync(self._descriptor)
        self.digests = self._on_disk.done()

    def _keep(self, piece: Piece) -> None:
        self._on_disk.feed(piece)
        write_all(self._descriptor, piece)

    def _hash(self, piece: Piece) -> None:
        self._md5.update(piece)

    # --- back on the loop

    def _to_hash(self, piece: Piece) -> None:
        self._unhashed += len(piece)
        self._hashing.put(piece)

    def _written(self, size: int) -> None:
        self._loop.call_soon_threadsafe(self._progressed, size, 0)

    def _hashed(self, size: int) -> None:
        self._loop.call_soon_threadsafe(self._progressed, 0, size)

    def _progressed(self, written: int, hashed: int) -> None:
        self._unwritten -= written
        self._unhashed -= hashed
        if self._room and not self._room.done():
            self._room.set_result(None)


class Lane:
    """Pieces in, worked one after the other in any thread of the pool. After an error the rest is skipped."""

    def __init__(self, pool: ThreadPoolExecutor, work: Callable[[Piece], None], done: Callable[[int], None]) -> None:
        self.pool = pool
        self.error: Exception | None = None
        self._work = work
        self._done = done
        self._pieces: deque[Piece] = deque()
        self._lock = threading.Lock()
        self._is_running = False

    def put(self, piece: Piece) -> None:
        with self._lock:
            self._pieces.append(piece)
            if self._is_running:
                return
            self._is_running = True
        self.pool.submit(self._drain)

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._pieces:
                    self._is_running = False
                    return
                piece = self._pieces.popleft()
            try:
                if self.error is None:
                    self._work(piece)
            except Exception as e:  # noqa: BLE001  it is raised again by whoever waits for the body
                self.error = e
            self._done(len(piece))


def write_all(descriptor: int, data: Piece) -> None:
    """Writes all of `data`. Raises: OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
