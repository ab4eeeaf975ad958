"""How do an outside object's blocks come? From the cache, or fetched once for everybody who waits for them.

A reader asks for the blocks of its range in order and has the next few fetched meanwhile, in parallel. How many are
fetched at once, and held in memory where they cannot be kept, is bounded for the whole process.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from weyr.gateway.s3.digests import CHUNK_BYTES, DIGEST_BYTES, digests_of
from weyr.gateway.s3.remote.cache import BLOCK_BYTES, Cache, Held, name_of, passing
from weyr.gateway.s3.remote.problems import RemoteProblem, RemoteSilent

if TYPE_CHECKING:
    from weyr.gateway.s3.remote.store import Remote  # it loads obstore, and is handed in

FETCHED_AT_ONCE = 12
AHEAD = 4
PASSING_MAX = 32
"""Blocks in memory that could not be kept: 256 MiB."""
PASSING_WAIT_S = 30.0
THREADS = 4
PIECE_BYTES = 2**20
BLOCK_SUMS = BLOCK_BYTES // CHUNK_BYTES * DIGEST_BYTES


@dataclass(frozen=True, slots=True)
class Outer:
    """Bytes that lie outside: one object of a place, or one in pieces of `piece_bytes`, `key/0`, `key/1` and so on.

    `version` tells it from what was or will be under its key, and is compared by the place where `is_compared`.
    """

    remote: Remote
    key: str
    size: int
    version: str
    is_compared: bool = True
    piece_bytes: int = 0
    sums: bytes = b""
    """The digests of its chunks, where they are known: other bytes are never given out."""

    def count_of(self, block: int) -> int:
        return min(BLOCK_BYTES, self.size - block * BLOCK_BYTES)

    def sums_of(self, block: int) -> bytes:
        return self.sums[block * BLOCK_SUMS : (block + 1) * BLOCK_SUMS]

    def name_of(self, block: int) -> str:
        return name_of(self.remote.place.identity, self.key, self.version, block)

    def at(self, block: int) -> tuple[str, int]:
        """The key at the place and the offset where a block begins."""
        start = block * BLOCK_BYTES
        if not self.piece_bytes:
            return self.key, start
        return f"{self.key}/{start // self.piece_bytes}", start % self.piece_bytes


class Blocks:
    """The blocks of every outside object, as this process gets at them."""

    def __init__(self, cache: Cache | None) -> None:
        self.cache = cache
        self.fetched = 0
        self.is_passing = cache is None
        """Whether blocks pass through memory: then nobody has more than one."""
        self._flights: dict[str, asyncio.Task[Held]] = {}
        self._keeping: dict[str, asyncio.Task[Held | None]] = {}
        """Blocks that have come and are still being written; their flights stay until they are."""
        self._slots = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._room = asyncio.Semaphore(PASSING_MAX)
        self._pool = ThreadPoolExecutor(THREADS, "s3-cache")

    async def get(self, outer: Outer, block: int) -> Held:
        """A block, open at its first byte. Raises: RemoteProblem."""
        name = outer.name_of(block)
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights[name] = asyncio.get_running_loop().create_task(self._land(outer, block, name))
            flight.add_done_callback(partial(self._forget, name))
        # Whoever goes away must not take the block from the others that wait for it.
        return await asyncio.shield(flight)

    def close(self) -> None:
        for task in (*self._flights.values(), *self._keeping.values()):
            task.cancel()
        self._pool.shutdown(wait=True)
        if self.cache is not None:
            self.cache.close()

    async def _land(self, outer: Outer, block: int, name: str) -> Held:
        loop = asyncio.get_running_loop()
        count = outer.count_of(block)
        if self.cache is not None:
            held = await loop.run_in_executor(self._pool, self.cache.find, name, count)
            if held is not None:
                return held
        async with self._slots:
            key, start = outer.at(block)
            self.fetched += 1
            data = await outer.remote.get(key, start, count, outer.version if outer.is_compared else "")
            if outer.sums and digests_of(data) != outer.sums_of(block):
                raise RemoteSilent(f"{key} at {outer.remote.place.url} has other bytes than were put there")
            if self.cache is None:
                return await self._passing(data, loop)
            keeping = loop.create_task(self._kept(self.cache, name, data, loop))
            if not self._room.locked():
                # A disk that is busy does not hold the reader up; until it is kept, the flight hands it out.
                self._keeping[name] = keeping
                keeping.add_done_callback(partial(self._forget_kept, name))
                return await self._passing(data, loop)
            return await keeping or await self._passing(data, loop)

    async def _kept(self, cache: Cache, name: str, data: bytes, loop: asyncio.AbstractEventLoop) -> Held | None:
        kept = await loop.run_in_executor(self._pool, cache.keep, name, data)
        self.is_passing = kept is None
        return kept

    async def _passing(self, data: bytes, loop: asyncio.AbstractEventLoop) -> Held:
        """A block that stays in memory while it is sent; it waits until there are not too many of these."""
        try:
            async with asyncio.timeout(PASSING_WAIT_S):
                await self._room.acquire()
        except TimeoutError as e:
            raise RemoteSilent("too many clients take too long over what cannot be kept here") from e
        # A file may be let go in any thread; the loop's end frees what is left.
        on_close = partial(_release, loop, self._room)
        return await loop.run_in_executor(self._pool, passing, data, on_close)

    def _forget(self, name: str, flight: asyncio.Task[Held]) -> None:
        if name not in self._keeping:
            del self._flights[name]
        _seen(flight)  # also where nobody waits any more

    def _forget_kept(self, name: str, keeping: asyncio.Task[Held | None]) -> None:
        del self._keeping[name]
        flight = self._flights.get(name)
        if flight is not None and flight.done():
            del self._flights[name]
        _seen(keeping)


class ComingSlices:
    """The pieces of files that make up a range of outside bytes, in order, while the next ones are fetched.

    Takes: the objects that follow one another, and the range of all their bytes together.
    """

    def __init__(self, blocks: Blocks, outers: list[Outer], start: int, count: int) -> None:
        self._blocks = blocks
        self._pieces = _pieces(outers, start, count)
        self._coming: deque[tuple[asyncio.Task[Held], int, int]] = deque()
        self._held: Held | None = None
        self._first: tuple[int, int, int] | None = None

    async def begin(self) -> None:
        """Gets the first block, before anything is promised. Raises: RemoteProblem."""
        self._first = await self._next()

    async def next(self) -> tuple[int, int, int] | None:
        """(descriptor, offset, count), None at the end. Raises: ConnectionResetError, as the head has gone out."""
        first, self._first = self._first, None
        if first is not None:
            return first
        try:
            return await self._next()
        except RemoteProblem as e:
            raise ConnectionResetError(f"the rest did not come: {e}") from e

    def close(self) -> None:
        """Lets the file go and wants nothing more; what is being fetched is kept for the next reader."""
        for task, _, _ in self._coming:
            task.add_done_callback(_seen)
            task.cancel()
        self._coming.clear()
        self._pieces = iter(())
        self._held = None

    async def _next(self) -> tuple[int, int, int] | None:
        self._held = None
        loop = asyncio.get_running_loop()
        ahead = 1 if self._blocks.is_passing else AHEAD
        while len(self._coming) < ahead and (piece := next(self._pieces, None)) is not None:
            outer, block, offset, count = piece
            self._coming.append((loop.create_task(self._blocks.get(outer, block)), offset, count))
        if not self._coming:
            return None
        task, offset, count = self._coming.popleft()
        self._held = await task
        return self._held.descriptor, offset, count


class OuterBytes:
    """Outside bytes for a thread that reads them, through the loop."""

    def __init__(self, blocks: Blocks, outer: Outer, loop: asyncio.AbstractEventLoop) -> None:
        self._blocks = blocks
        self._outer = outer
        self._loop = loop
        self._number = -1
        self._held: Held | None = None

    def read(self, count: int, offset: int) -> bytes:
        """As many bytes as asked for, unless the object ends. Raises: RemoteProblem. Not on the loop's thread."""
        found: list[bytes] = []
        while count and offset < self._outer.size:
            block, inside = divmod(offset, BLOCK_BYTES)
            if block != self._number or self._held is None:
                future = asyncio.run_coroutine_threadsafe(self._blocks.get(self._outer, block), self._loop)
                self._held, self._number = future.result(), block
            piece = os.pread(self._held.descriptor, min(count, self._outer.count_of(block) - inside), inside)
            found.append(piece)
            offset, count = offset + len(piece), count - len(piece)
        return b"".join(found)

    def pieces(self, start: int, count: int) -> Iterator[bytes]:
        """A range, a mebibyte at a time."""
        while count:
            piece = self.read(min(count, PIECE_BYTES), start)
            if not piece:
                raise RemoteSilent("an outside object is shorter than its index says")
            yield piece
            start, count = start + len(piece), count - len(piece)


def _pieces(outers: list[Outer], start: int, count: int) -> Iterator[tuple[Outer, int, int, int]]:
    """(object, block, offset in the block, count) of the range's bytes."""
    for outer in outers:
        if count <= 0:
            return
        if start >= outer.size:
            start -= outer.size
            continue
        while count > 0 and start < outer.size:
            block, inside = divmod(start, BLOCK_BYTES)
            taken = min(count, outer.count_of(block) - inside)
            yield outer, block, inside, taken
            start, count = start + taken, count - taken
        start = 0


def _release(loop: asyncio.AbstractEventLoop, room: asyncio.Semaphore) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(room.release)


def _seen(task: asyncio.Task[Held] | asyncio.Task[Held | None]) -> None:
    if not task.cancelled():
        task.exception()
