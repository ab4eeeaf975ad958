"""How do an object's bytes come out? As files that the kernel sends, or opened a few frames at a time.

What lies plain is read and compared with its digests before the kernel sends it, the next window in a thread while the
last one is on its way. What is encrypted is opened in the receiver's threads, a quarter of a mebibyte at a time, and
proves itself. What is damaged is never sent: what has not begun is refused, what has is cut off, and where the bucket
is kept elsewhere too the reader waits for the blob to be mended.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from weyr.gateway.s3.blobs import pieces_of, read_at
from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.care.rot import is_mended
from weyr.gateway.s3.checked import CheckedFiles
from weyr.gateway.s3.checksums import Algorithm
from weyr.gateway.s3.digests import Rotten, check_data, read_checked
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.kept import BlobSlices, Kept
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.receive import INLINE_MAX, Received
from weyr.gateway.s3.records import Bucket, Inline, Stored
from weyr.gateway.s3.remote import away
from weyr.gateway.s3.remote.bringing import brought, is_elsewhere
from weyr.gateway.s3.remote.tiers import is_away
from weyr.gateway.s3.sealing import opened, opened_whole


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be read: a version of an object, and what opens it; no key where it lies plain."""

    plane: Plane
    bucket: Bucket
    stored: Stored
    key: bytes | None

    async def is_mended(self, rotten: Rotten) -> bool:
        """Whether what was met is whole by now, and worth another look."""
        plane = self.plane
        return await is_mended(plane.index, self.bucket, self.stored.key, rotten, int(plane.clock() * 1000))

    async def kept(self, start: int, count: int) -> tuple[Kept, list[tuple[int, int, int]]]:
        """What holds a range of it, kept until it is closed, and the pieces (blob, offset, count) that make it up.

        Raises: FileNotFoundError where the object was removed meanwhile.
        """
        segments = ((segment.blob, segment.size) for segment in self.stored.segments)
        pieces = list(pieces_of(segments, start, count))
        kept = Kept(self.plane.blobs, self.plane.index)
        await kept.keep([blob for blob, _, _ in pieces])
        return kept, pieces


def inline_data(plane: Plane, stored: Stored) -> Inline | None:
    """The bytes of an object that the index holds itself, None where they are in files."""
    if not stored.segments or not stored.segments[0].is_inline:
        return None
    row = plane.index.one("SELECT id, data, digests FROM blobs WHERE id = ?", stored.segments[0].blob)
    return Inline(*row) if row else None


async def put_body(what: Reading, response: Response, data: Inline | None, start: int, count: int) -> None:
    """Gives the response `count` bytes of the object from `start` on.

    Takes: `data`, what the index holds of it.
    Raises: FileNotFoundError where the object was removed meanwhile; S3Error where its beginning is damaged.
    """
    if is_away(what.stored):
        await away.put_body(what.plane, what.stored, what.key, response, start, count)
        return
    try:
        await _put_body(what, response, data, start, count)
    except Rotten as e:
        if not await what.is_mended(e):
            raise damaged() from e
        await _put_body(what, response, inline_data(what.plane, what.stored), start, count)


async def _put_body(what: Reading, response: Response, data: Inline | None, start: int, count: int) -> None:
    if data is not None:
        check_data(data.data, data.blob, data.digests)
        is_whole = what.key is None and count == what.stored.size
        response.body = data.data if is_whole else opened_whole(data.data, what.key, start, count)
        return
    # What is damaged at its beginning, or all of it where it is small, is found before anything is promised.
    if what.key is None:
        kept, pieces = await what.kept(start, count)
        files = CheckedFiles(kept, what.plane.index, what.plane.receiver.pool, pieces)
        files.mended = what.is_mended
        await files.begin()
        response.files, response.length = files, count
        return
    opening = OpenedPieces(what, start, count)
    await opening.begin()
    response.pieces, response.length = opening, count


def damaged() -> S3Error:
    """What is answered for an object that is not what was put."""
    return S3Error("InternalError", "The object's bytes are not what was put: they were damaged where they are kept.")


class OpenedPieces:
    """The plain bytes of encrypted blobs, each piece opened in a thread when it is asked for."""

    def __init__(self, what: Reading, start: int, count: int) -> None:
        self._what = what
        self._start = start
        self._end = start + count
        self._slices: BlobSlices
        self._pieces: Iterator[bytes]
        self._first = b""

    async def _open(self) -> None:
        assert self._what.key is not None
        self._slices = BlobSlices(*await self._what.kept(self._start, self._end - self._start))
        self._pieces = opened_pieces(self._slices, self._what.key)

    async def begin(self) -> None:
        """Opens the first piece. Raises: Rotten, FileNotFoundError; the files are let go then."""
        await self._open()
        try:
            self._first = await self._piece()
        except BaseException:
            self.close()
            raise

    async def next(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return await self._piece()
        except Rotten as e:
            if not await self._what.is_mended(e):
                raise ConnectionResetError("what was promised is damaged") from e
        self.close()
        await self._open()
        return await self._piece()

    def close(self) -> None:
        self._slices.close()

    async def _piece(self) -> bytes:
        piece = await asyncio.get_running_loop().run_in_executor(self._what.plane.receiver.pool, self._taken)
        self._start += len(piece)
        return piece

    def _taken(self) -> bytes:
        return next(self._pieces, b"")


async def copied(
    what: Reading, piece: tuple[int, int], algorithm: Algorithm | None, key: bytes | None, is_part: bool
) -> Received:
    """A piece of an object, (start, count), as a new blob, closed with `key`. Raises: S3Error where it is damaged."""
    try:
        return await _copied(what, piece, algorithm, key, is_part)
    except Rotten as e:
        if not await what.is_mended(e):
            raise damaged() from e
    try:
        return await _copied(what, piece, algorithm, key, is_part)
    except Rotten as e:
        raise damaged() from e


async def _copied(
    what: Reading, piece: tuple[int, int], algorithm: Algorithm | None, key: bytes | None, is_part: bool
) -> Received:
    start, count = piece
    inline = inline_data(what.plane, what.stored)
    receiver = what.plane.receiver
    loop = asyncio.get_running_loop()
    if inline is not None:
        check_data(inline.data, inline.blob, inline.digests)
        plain = opened_whole(inline.data, what.key, start, count)
        return await loop.run_in_executor(receiver.pool, receiver.copy, [plain], algorithm, key, not is_part)
    is_inline = count <= INLINE_MAX and not is_part
    if is_elsewhere(what.bucket):
        coming = brought(what.plane, what.bucket, what.stored, start, count)
        return await loop.run_in_executor(receiver.pool, receiver.copy, coming, algorithm, key, is_inline)
    if is_away(what.stored):
        coming = (await away.bytes_of(what.plane, what.stored)).read(what.key, start, count)
        return await loop.run_in_executor(receiver.pool, receiver.copy, coming, algorithm, key, is_inline)
    kept, pieces_there = await what.kept(start, count)
    slices = BlobSlices(kept, pieces_there)
    try:
        pieces = opened_pieces(slices, what.key) if what.key else compared_pieces(slices, kept.digests)
        return await loop.run_in_executor(receiver.pool, receiver.copy, pieces, algorithm, key, is_inline)
    finally:
        slices.close()


def opened_pieces(slices: BlobSlices, key: bytes) -> Iterator[bytes]:
    """The plain bytes of encrypted slices, whose offsets are those of plain bytes. Raises: Rotten."""
    for descriptor, offset, count in slices:
        try:
            yield from opened(partial(read_at, descriptor), key, offset, count)
        except (S3Error, OSError) as e:
            raise Rotten(slices.blob, "it does not open with the key that closed it") from e


def compared_pieces(slices: BlobSlices, digests: Mapping[int, bytes]) -> Iterator[bytes]:
    """The bytes of plain slices. Raises: Rotten."""
    for descriptor, offset, count in slices:
        yield from read_checked(descriptor, slices.blob, digests[slices.blob], offset, count)
