"""How does a process change an index that another one writes? It sends operations and is answered after the commit.

A line is a Unix socket between the two. Frames go both ways, as many in a packet as there are: a number, a kind and a
pickle. What travels are functions of modules over values, between processes that one fork made; nobody else can have an
end of the socket.
"""

import asyncio
import itertools
import pickle
import socket
import struct
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import QUEUE_MAX, AnyIndex, Index, Transaction

T = TypeVar("T")
_HEAD = struct.Struct("=IQB")
WRITE, PIN, UNPIN, DONE, FAILED, FLUSH, FLUSHED = range(7)
FLUSHED_S = 5.0
"""So long a worker is waited for: it writes such down once a second anyhow."""


class Line(asyncio.Protocol):
    """One end of a line: cuts what comes into frames, and sends what is said in one turn of the loop at once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._came = b""
        self._said: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        came = self._came + data if self._came else data
        at, end = 0, len(came)
        while end - at >= _HEAD.size:
            length, number, kind = _HEAD.unpack_from(came, at)
            body = at + _HEAD.size
            if end - body < length:
                break
            at = body + length
            self.heard(kind, number, came[body:at])
        self._came = came[at:]

    def heard(self, kind: int, number: int, payload: bytes) -> None:
        raise NotImplementedError

    def say(self, kind: int, number: int, payload: bytes) -> None:
        if not self._said:
            self._loop.call_soon(self._flush)
        self._said += (_HEAD.pack(len(payload), number, kind), payload)

    def _flush(self) -> None:
        said, self._said = self._said, []
        if not self._transport.is_closing():
            self._transport.write(b"".join(said))


class NearLine(Line):
    """The end of the process that writes: does what a worker asks for, and cleans up after it when it has gone.

    Takes: `name`, which the worker's arriving blobs carry.
    """

    def __init__(self, index: Index, blobs: BlobStore, name: str) -> None:
        super().__init__()
        self._index = index
        self._blobs = blobs
        self._name = name
        self._pinned: list[list[int]] = []
        self._flushes: dict[int, asyncio.Future[bool]] = {}
        self._numbers = itertools.count()
        self.on_lost: Callable[[], None] = lambda: None

    def flush(self) -> "asyncio.Future[bool]":
        """Has the worker add to the index what it has counted. Gives whether it did; one that is gone has nothing."""
        number = next(self._numbers)
        future = self._flushes[number] = self._loop.create_future()
        self.say(FLUSH, number, b"")
        return future

    def heard(self, kind: int, number: int, payload: bytes) -> None:
        if kind == FLUSHED:
            if not (future := self._flushes.pop(number)).done():
                future.set_result(bool(payload))
            return
        asked = pickle.loads(payload)
        if kind == PIN:
            self._blobs.pin(asked)
            self._pinned.append(asked)
            self._answer(number, None, None)
        elif kind == UNPIN:
            self._pinned.remove(asked)
            self._blobs.unpin(asked)
        else:
            self._index.submit(asked, partial(self._answer, number), self._name)

    def connection_lost(self, exc: Exception | None) -> None:
        for blobs in self._pinned:
            self._blobs.unpin(blobs)
        self._pinned.clear()
        self._index.forget_arriving(self._name)
        self.on_lost()
        for future in self._flushes.values():
            if not future.done():
                future.set_result(True)

    def _answer(self, number: int, result: object, error: Exception | None) -> None:
        kind, said = (DONE, result) if error is None else (FAILED, error)
        try:
            payload = pickle.dumps(said, pickle.HIGHEST_PROTOCOL)
        except Exception as e:  # noqa: BLE001  an error may hold anything; the worker must be answered
            kind, payload = FAILED, pickle.dumps(RuntimeError(f"{said!r} cannot be sent: {e}"))
        self.say(kind, number, payload)


class Crew:
    """The workers that a process which writes has now."""

    def __init__(self) -> None:
        self._lines: set[NearLine] = set()

    def joined(self, line: NearLine) -> NearLine:
        """Counts a new worker in, until its line is cut."""
        self._lines.add(line)
        line.on_lost = lambda: self._lines.discard(line)
        return line

    @property
    def workers(self) -> int:
        return len(self._lines)

    async def flush(self) -> bool:
        """Has every worker add to the index what it has counted. False where one could not, or does not answer."""
        asked = [line.flush() for line in self._lines]
        done, late = await asyncio.wait(asked, timeout=FLUSHED_S) if asked else (set(), set())
        return not late and all(future.result() for future in done)


class Lines:
    """The lines of a process that writes: it gets an end of each, with the worker's name, by the socket `hand`."""

    def __init__(self, hand: socket.socket, line: Callable[[str], Line], loop: asyncio.AbstractEventLoop) -> None:
        self._hand = hand
        self._line = line
        self._loop = loop
        self._opening: set[asyncio.Task[object]] = set()
        hand.setblocking(False)
        loop.add_reader(hand.fileno(), self._take)

    def close(self) -> None:
        """Takes no more of them."""
        self._loop.remove_reader(self._hand.fileno())

    def _take(self) -> None:
        try:
            name, ends, _, _ = socket.recv_fds(self._hand, 64, 1)
        except BlockingIOError:
            return
        if not name:
            self.close()  # the keeper is gone, and so are we in a moment
            return
        end = socket.socket(fileno=ends[0])
        task = self._loop.create_task(self._loop.create_unix_connection(partial(self._line, name.decode()), sock=end))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)


class FarIndex(AnyIndex):
    """The index in `folder` as a worker has it: read here, written by the process at the other end of `line`."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(folder, loop)
        self.flushed: Callable[[], Coroutine[None, None, bool]] | None = None
        """What adds to the index all that this process has counted; the process that writes may ask for it."""
        self._flushing: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[object]] = {}
        self._is_gone = False
        self._line = _FarLine(self._answered, self._lost)

    @property
    def line(self) -> Line:
        """The protocol for the worker's end of the socket."""
        return self._line

    def write(self, operation: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        return cast("asyncio.Future[T]", self._asked(WRITE, operation))

    async def pin(self, blobs: list[int]) -> None:
        await self._asked(PIN, blobs)

    def unpin(self, blobs: list[int]) -> None:
        if not self._is_gone:
            self._line.say(UNPIN, next(self._numbers), pickle.dumps(blobs, pickle.HIGHEST_PROTOCOL))

    def _asked(self, kind: int, what: object) -> "asyncio.Future[object]":
        if self._is_gone:
            raise OSError("the process that writes the index is gone")
        if len(self._waiting) > QUEUE_MAX:
            raise S3Error("SlowDown")
        payload = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        number = next(self._numbers)
        future = self._waiting[number] = self._loop.create_future()
        self._line.say(kind, number, payload)
        return future

    def _answered(self, kind: int, number: int, payload: bytes) -> None:
        if kind == FLUSH:
            task = self._loop.create_task(self._flush(number))
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)
            return
        future = self._waiting.pop(number)
        if future.done():
            return  # nobody waits any more
        said = pickle.loads(payload)
        if kind == DONE:
            future.set_result(said)
        else:
            future.set_exception(said)

    async def _flush(self, number: int) -> None:
        is_done = self.flushed is None or await self.flushed()
        if not self._is_gone:
            self._line.say(FLUSHED, number, b"1" if is_done else b"")

    def _lost(self) -> None:
        self._is_gone = True
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(OSError("the process that writes the index has died"))


class _FarLine(Line):
    def __init__(self, answered: Callable[[int, int, bytes], None], lost: Callable[[], None]) -> None:
        super().__init__()
        self._answered = answered
        self._lost = lost

    def heard(self, kind: int, number: int, payload: bytes) -> None:
        self._answered(kind, number, payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()
