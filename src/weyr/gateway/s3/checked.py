"""How are plain files sent by the kernel, and never rotten ones? Each window is read and compared before it goes.

While one window is on its way, a thread reads the next: the kernel then sends it from memory. Reading a MiB and its
CRC take 130 us together, so that a 64 MiB object costs 8 ms in a thread beside the sending (measured 2026-11).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from weyr.gateway.s3.digests import CHUNK_BYTES, Rotten, check_file
from weyr.gateway.s3.index import AnyIndex
from weyr.gateway.s3.kept import Kept

WINDOW_BYTES = 4 * CHUNK_BYTES
AT_ONCE_BYTES = 256 * 1024
"""A blob up to this is compared on the loop: to hand it to a thread and back takes as long."""


@dataclass(slots=True)
class _Window:
    """A piece of one blob, opened, while and after it is compared."""

    blob: int
    offset: int
    count: int
    descriptor: int = -1
    checked: "asyncio.Future[None] | None" = None
    rotten: Rotten | None = None


async def _never(rotten: Rotten) -> bool:
    return False


class CheckedFiles:
    """The files of a range of an object, in windows that are known to be good when they are given.

    `close` lets go of `kept`.
    """

    def __init__(
        self,
        kept: Kept,
        index: AnyIndex,
        pool: Executor,
        pieces: list[tuple[int, int, int]],
    ) -> None:
        self.mended: Callable[[Rotten], Awaitable[bool]] = _never
        """Whether a damaged blob is whole again."""
        self._kept = kept
        self._index = index
        self._pool = pool
        self._windows = _windows(pieces)
        self._ahead: _Window | None = None
        self._sent: _Window | None = None

    async def begin(self) -> None:
        """Compares the first window. Raises: Rotten, FileNotFoundError; the files are let go then."""
        self._ahead = self._begun()
        try:
            await self._done(self._ahead)
        except BaseException:
            self.close()
            raise

    async def next(self) -> tuple[int, int, int] | None:
        """(descriptor, offset, count) of what may be sent, valid until the next is asked for; None at the end.

        Raises: ConnectionResetError where it is damaged and nobody mends it.
        """
        _let_go(self._sent)
        self._sent, self._ahead = self._ahead, None
        window = self._sent
        if window is None:
            return None
        try:
            await self._done(window)
        except Rotten as e:
            await self._again(window, e)
        self._ahead = self._begun()
        return window.descriptor, window.offset, window.count

    async def _again(self, window: _Window, rotten: Rotten) -> None:
        _let_go(window)
        if not await self.mended(rotten):
            raise ConnectionResetError("what was promised is damaged") from rotten
        self._kept.renew(window.blob)
        self._open(window)
        try:
            await self._done(window)
        except Rotten as e:
            raise ConnectionResetError("what was promised is damaged") from e

    def close(self) -> None:
        """Lets the files go. Safe to call twice."""
        for window in (self._sent, self._ahead):
            _let_go(window)
        self._sent = self._ahead = None
        self._kept.close()

    def _begun(self) -> _Window | None:
        piece = next(self._windows, None)
        if piece is None:
            return None
        window = _Window(*piece)
        self._open(window)
        return window

    def _open(self, window: _Window) -> None:
        """Opens a window's file and has it compared; what is wrong is said by `_done`."""
        window.checked, window.rotten = None, None
        try:
            window.descriptor = self._kept.open(window.blob)
        except FileNotFoundError:
            window.rotten = Rotten(window.blob, "its file is missing")
            return
        arguments = window.descriptor, window.blob, self._kept.digests[window.blob], window.offset
        end = window.offset + window.count
        if end - window.offset // CHUNK_BYTES * CHUNK_BYTES <= AT_ONCE_BYTES:
            try:
                check_file(*arguments, end)
            except Rotten as e:
                window.rotten = e
        else:
            window.checked = asyncio.get_running_loop().run_in_executor(self._pool, check_file, *arguments, end)

    async def _done(self, window: _Window | None) -> None:
        if window is None:
            return
        if window.checked is not None:
            await window.checked
        if window.rotten is not None:
            if window.descriptor < 0 and not self._index.one("SELECT 1 FROM blobs WHERE id = ?", window.blob):
                raise FileNotFoundError("the object was removed meanwhile")
            raise window.rotten


def _windows(pieces: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """(blob, offset, count) of pieces that end where chunks do."""
    for blob, start, count in pieces:
        offset, end = start, start + count
        while offset < end:
            upto = min(end, offset // CHUNK_BYTES * CHUNK_BYTES + WINDOW_BYTES)
            yield blob, offset, upto - offset
            offset = upto


def _let_go(window: _Window | None) -> None:
    """Closes a window's file, once nobody reads it any more: another file may get its number at once."""
    if window is None or window.descriptor < 0:
        return
    descriptor, window.descriptor = window.descriptor, -1
    if window.checked is None or window.checked.done():
        os.close(descriptor)
    else:
        window.checked.add_done_callback(partial(_close, descriptor))


def _close(descriptor: int, done: "asyncio.Future[None]") -> None:
    os.close(descriptor)
    if not done.cancelled():
        done.exception()  # nobody waits for it any more
