"""How do an object's bytes come out? As files that the kernel sends, or opened a few frames at a time.

What is encrypted is opened in the receiver's threads while it is sent, a quarter of a mebibyte at a time.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor

from weyr.gateway.s3.blobs import BlobSlices
from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.checksums import Algorithm
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.receive import INLINE_MAX, Received
from weyr.gateway.s3.records import Stored
from weyr.gateway.s3.sealing import Read, opened, opened_whole

PIECE_BYTES = 2**20


def inline_data(plane: Plane, stored: Stored) -> bytes | None:
    """The bytes of an object that the index holds itself, None where they are in files."""
    if not stored.segments or not stored.segments[0].is_inline:
        return None
    row = plane.index.one("SELECT data FROM blobs WHERE id = ?", stored.segments[0].blob)
    return row[0] if row else None


async def put_body(
    plane: Plane, response: Response, stored: Stored, data: bytes | None, key: bytes | None, start: int, count: int
) -> None:
    """Gives the response `count` bytes of the object from `start` on.

    Takes: `data`, what the index holds of it; `key`, that opens it, None where it lies plain.
    Raises: FileNotFoundError where the object was removed meanwhile; S3Error where it does not open.
    """
    if data is not None:
        if key is None:
            _check(stored, data)
        response.body = data if key is None and count == stored.size else opened_whole(data, key, start, count)
        return
    slices = _slices(plane, stored, start, count)
    if key is None:
        response.files, response.length = slices, count
        return
    pieces = OpenedPieces(slices, key, plane.receiver.pool)
    # What is damaged at its beginning, or all of it where it is small, is found before anything is promised.
    await pieces.begin()
    response.pieces, response.length = pieces, count


def _check(stored: Stored, data: bytes) -> None:
    """Whether what the index holds is still what was put: its etag is the MD5, and that of 1 KiB takes 2 us.

    Raises: S3Error InternalError.
    """
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != stored.etag:
        raise S3Error("InternalError", "The object's bytes in the index are not what was put: they were damaged.")


class OpenedPieces:
    """The plain bytes of encrypted blobs, each piece opened in a thread when it is asked for."""

    def __init__(self, slices: BlobSlices, key: bytes, pool: Executor) -> None:
        self._slices = slices
        self._pieces = _pieces(slices, key)
        self._pool = pool
        self._first = b""

    async def begin(self) -> None:
        """Opens the first piece. Raises: S3Error, OSError; the files are let go then."""
        try:
            self._first = await self._opened()
        except BaseException:
            self.close()
            raise

    async def next(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return await self._opened()

    def close(self) -> None:
        self._slices.close()

    async def _opened(self) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._pool, next, self._pieces, b"")


async def copied(
    plane: Plane,
    source: Stored,
    source_key: bytes | None,
    piece: tuple[int, int],
    algorithm: Algorithm | None,
    key: bytes | None,
    is_part: bool,
) -> Received:
    """A piece of an object, (start, count), as a new blob: opened with `source_key`, closed with `key`."""
    start, count = piece
    inline = inline_data(plane, source)
    receiver = plane.receiver
    loop = asyncio.get_running_loop()
    if inline is not None:
        plain = opened_whole(inline, source_key, start, count)
        return await loop.run_in_executor(receiver.pool, receiver.copy, [plain], algorithm, key, not is_part)
    slices = _slices(plane, source, start, count)
    try:
        is_inline = count <= INLINE_MAX and not is_part
        pieces = _pieces(slices, source_key)
        return await loop.run_in_executor(receiver.pool, receiver.copy, pieces, algorithm, key, is_inline)
    finally:
        slices.close()


def _slices(plane: Plane, stored: Stored, start: int, count: int) -> BlobSlices:
    segments = [(segment.blob, segment.size) for segment in stored.segments]
    return BlobSlices(plane.blobs, segments, start, count)


def _pieces(slices: BlobSlices, key: bytes | None) -> Iterator[bytes]:
    """The plain bytes of slices; their offsets are those of plain bytes too."""
    for descriptor, offset, count in slices:
        if key is not None:
            yield from opened(_reader(descriptor), key, offset, count)
            continue
        while count:
            piece = os.pread(descriptor, min(count, PIECE_BYTES), offset)
            if not piece:
                raise OSError("a blob is shorter than its index says")
            yield piece
            offset, count = offset + len(piece), count - len(piece)


def _reader(descriptor: int) -> Read:
    def read(count: int, offset: int) -> bytes:
        """As many bytes as asked for, unless the file ends."""
        data = os.pread(descriptor, count, offset)
        while len(data) < count and (more := os.pread(descriptor, count - len(data), offset + len(data))):
            data += more
        return data

    return read
