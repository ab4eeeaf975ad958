"""What are a request and its answer? The values between the HTTP protocol and whoever answers."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

BODY_BUFFER_MAX = 512 * 1024


class Reading(Protocol):
    """The connection that a body comes from, as far as the body steers it."""

    def write(self, data: bytes) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class BodyBroken(Exception):
    """The connection ended before the body did."""

    code = "IncompleteBody"


class BodyStalled(BodyBroken):
    """The body does not arrive."""

    code = "RequestTimeout"


class Stream(Protocol):
    """Bytes that arrive: a request's body, or a part of it."""

    async def chunk(self, at_least: int = 1) -> bytes: ...


class Body:
    """The bytes of one request's body, in the order they came. `chunk` gives b"" once at the end."""

    __slots__ = ("_chunks", "_connection", "_ended", "_waiter", "_wanted", "buffered", "ended_s", "is_awaited", "taken")

    def __init__(self, connection: Reading, is_awaited: bool) -> None:
        self.buffered = 0
        self.taken = 0
        self.ended_s = 0.0
        """When the last byte had come, on the clock that only rises."""
        self.is_awaited = is_awaited
        """The client waits for `100 Continue` before it sends anything."""
        self._connection = connection
        self._chunks: list[bytes] = []
        self._ended: BodyBroken | bool = False
        self._waiter: asyncio.Future[None] | None = None
        self._wanted = 1

    @property
    def is_complete(self) -> bool:
        """Every byte has been received and taken."""
        return self._ended is True and not self._chunks

    @property
    def is_ended(self) -> bool:
        """Every byte has been received."""
        return self._ended is True

    @property
    def is_broken(self) -> bool:
        """It will never be complete."""
        return isinstance(self._ended, BodyBroken)

    async def chunk(self, at_least: int = 1) -> bytes:
        """All bytes that have come since the last call, waiting until there are `at_least` or all the rest.

        Takes: `at_least` up to BODY_BUFFER_MAX; a few large pieces cost less than many small ones.
        Raises: BodyBroken where the connection went away first.
        """
        if self.is_awaited:
            self.is_awaited = False
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._wanted = max(1, min(at_least, BODY_BUFFER_MAX))
        while self.buffered < self._wanted and not self._ended:
            self._connection.resume()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not self._chunks:
            if isinstance(self._ended, BodyBroken):
                raise self._ended
            return b""
        chunks, self._chunks = self._chunks, []
        self.taken += self.buffered
        self.buffered = 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self.buffered += len(data)
        if self.buffered > BODY_BUFFER_MAX:
            self._connection.pause()
        if self.buffered >= self._wanted:
            self._wake()

    def end(self, broken: BodyBroken | None = None) -> None:
        self._ended = self._ended or broken or True
        self.ended_s = time.monotonic()
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


@dataclass(slots=True)
class Request:
    """One request. `path` and `query` are as sent, still percent-encoded; header names are lower-case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Body
    keep_alive: bool = True
    peer: str = ""
    """The address of the client."""

    @property
    def bytes_left(self) -> float:
        """How much of the body has not been received; infinite where nobody says how long it is."""
        announced = self.headers.get("content-length", "")
        if self.body.is_ended:
            return 0
        return int(announced) - self.body.taken - self.body.buffered if announced.isdigit() else float("inf")

    sent_path: str = ""
    """The path as it was sent, where the bucket was in the host's name and `path` has it now; "" where it is `path`."""


class FileSlices(Protocol):
    """Open files to send pieces of: (descriptor, offset, count) in order, None at the end. Closed by whoever sends
    them."""

    async def next(self) -> tuple[int, int, int] | None: ...
    def close(self) -> None: ...


class Pieces(Protocol):
    """Bytes that are made while they are sent; b"" at the end. Closed by whoever sends them."""

    async def next(self) -> bytes: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class Response:
    """The answer. With `files` or `pieces`, `body` is empty and `length` says how many bytes they are together.

    `length` alone (a HEAD) is announced and nothing is sent.
    """

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    files: FileSlices | None = None
    pieces: Pieces | None = None
    length: int | None = None
    close: bool = False
    done: tuple[Callable[[int], None], ...] = ()
    """Each is called with how many bytes of the body went out, once that is over, however it ended."""
