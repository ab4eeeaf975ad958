"""Are a blob's bytes still those that were written? A CRC64NVME of each mebibyte, as it lies on disk.

The index keeps them with the blob, eight bytes each, the last one of what is left. They are of what is on disk, closed
or plain, so nobody needs a key to look for rot. CRC64NVME because a default dependency computes it at 14 GB/s (zlib's
CRC-32 at 4, MD5 at 0.7; measured 2026-11), and 64 bits miss one damage in 1.8e19.
"""

import mmap
import os
from collections.abc import Callable, Iterator

from anycrc import Model  # type: ignore[import-untyped]

CHUNK_BYTES = 2**20
DIGEST_BYTES = 8
_buffers: list[mmap.mmap] = []
"""Those that are not in use: as many as were at one time, a MiB each."""
_crc: Callable[..., int] = Model("CRC64-NVME").calc

Piece = bytes | memoryview


class Rotten(Exception):
    """A blob is not what was written. `why` says what is wrong with it."""

    def __init__(self, blob: int, why: str) -> None:
        super().__init__(f"blob {blob}: {why}")
        self.blob = blob
        self.why = why


class Digests:
    """The digests of a blob that is being written, piece after piece."""

    __slots__ = ("_crc", "_done", "_filled")

    def __init__(self) -> None:
        self._done = bytearray()
        self._crc = 0
        self._filled = 0

    def feed(self, piece: Piece) -> None:
        if self._filled + len(piece) < CHUNK_BYTES:  # most pieces end inside a chunk, and are not sliced
            self._crc = _crc(piece, self._crc)
            self._filled += len(piece)
            return
        view = memoryview(piece)
        while view:
            taken = view[: CHUNK_BYTES - self._filled]
            self._crc = _crc(taken, self._crc)
            self._filled += len(taken)
            if self._filled == CHUNK_BYTES:
                self._end_chunk()
            view = view[len(taken) :]

    def done(self) -> bytes:
        """All of them, once everything has been fed."""
        if self._filled:
            self._end_chunk()
        return bytes(self._done)

    def _end_chunk(self) -> None:
        self._done += self._crc.to_bytes(DIGEST_BYTES, "big")
        self._crc = self._filled = 0


def digests_of(data: bytes) -> bytes:
    """Those of a blob that is in memory."""
    if len(data) < CHUNK_BYTES:
        return bytes(_crc(data).to_bytes(DIGEST_BYTES, "big")) if data else b""
    digests = Digests()
    digests.feed(data)
    return digests.done()


def digests_length(size: int) -> int:
    """How many bytes the digests of a blob of `size` bytes take."""
    return -(-size // CHUNK_BYTES) * DIGEST_BYTES


def check_file(descriptor: int, blob: int, digests: bytes, start: int, end: int) -> None:
    """Reads a blob's chunks that hold the bytes from `start` to `end`, and compares them.

    It reads rather than maps the file: a mapping of a sector that cannot be read, or of a file that was cut, would kill
    the process (SIGBUS), and these are what it is to find.
    Raises: Rotten, also for what the disk refuses to read.
    """
    # A buffer that was used a moment ago is still in the processor's cache; a fresh one is not, and has to be mapped.
    buffer = _buffers.pop() if _buffers else mmap.mmap(-1, CHUNK_BYTES)
    try:
        with memoryview(buffer) as view:
            for number in range(start // CHUNK_BYTES, -(-end // CHUNK_BYTES)):
                _compare(blob, digests, number, view[: _read_into(view, blob, descriptor, number * CHUNK_BYTES)])
    finally:
        _buffers.append(buffer)


def read_checked(descriptor: int, blob: int, digests: bytes, start: int, count: int) -> Iterator[bytes]:
    """The bytes of a range, each chunk compared before it is given. Raises: Rotten."""
    end = start + count
    for offset, chunk in _checked(descriptor, blob, digests, start, end):
        yield chunk if start <= offset and offset + len(chunk) <= end else chunk[max(0, start - offset) : end - offset]


def _checked(descriptor: int, blob: int, digests: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of the chunks that hold a range."""
    for number in range(start // CHUNK_BYTES, -(-end // CHUNK_BYTES)):
        chunk = bytearray(CHUNK_BYTES)
        with memoryview(chunk) as view:
            count = _read_into(view, blob, descriptor, number * CHUNK_BYTES)
            _compare(blob, digests, number, view[:count])
            yield number * CHUNK_BYTES, bytes(view[:count])


def _compare(blob: int, digests: bytes, number: int, chunk: memoryview) -> None:
    expected = digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
    if not chunk or _crc(chunk).to_bytes(DIGEST_BYTES, "big") != expected:
        raise Rotten(blob, f"chunk {number} is not what was written")


def _read_into(view: memoryview, blob: int, descriptor: int, offset: int) -> int:
    """Fills a buffer, unless the file ends. Gives how much there is. Raises: Rotten where the disk refuses."""
    count = 0
    try:
        while count < len(view) and (read := os.preadv(descriptor, [view[count:]], offset + count)):
            count += read
    except OSError as e:
        raise Rotten(blob, f"the disk refuses to read it: {e.strerror}") from e
    return count


def check_data(data: bytes, blob: int, digests: bytes) -> None:
    """Whether bytes that the index holds itself are what was written. Raises: Rotten."""
    if digests_of(data) != digests:
        raise Rotten(blob, "its bytes in the index are not what was written")
