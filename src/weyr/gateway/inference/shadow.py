"""What would another version have answered? Copies of requests, sent once their callers have their answers.

Nobody waits for a copy, no caller is billed for one, and none is sent where too many are under way: it is dropped and
counted. What comes back is compared with what the caller got, and thrown away.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import httptools

from weyr.core.routes import Shadow
from weyr.gateway.inference.asked import Asked
from weyr.gateway.inference.likeness import Answer, Likeness
from weyr.gateway.inference.line import dial
from weyr.gateway.inference.replica import Replica
from weyr.gateway.inference.version import Version

if TYPE_CHECKING:
    from weyr.gateway.inference.exchange import Exchange

HEAD_ROOM = 64 * 2**10
AT_ONCE = 8
"""Copies that one shadow answers at a time."""
INLINE_MAX = 32 * 2**10
"""Longer answers are compared in a thread: reading a megabyte of JSON takes as long as a hundred requests."""
ADDS = b"connection: close\r\nweyr-shadow: 1\r\n"


class Shadowing:
    """One shadow of an endpoint. Its copies wait here for their turn."""

    def __init__(self, told: Shadow, version: Version, left: Callable[[Replica], None]) -> None:
        self.told, self._version, self._left = told, version, left
        self._likeness = Likeness.of(told.tolerance, told.ignore)
        self._credit = 0.0
        self._line = asyncio.Semaphore(AT_ONCE)
        self._copies: set[asyncio.Task[None]] = set()

    def takes_next(self) -> bool:
        """Whether the next request is one of its share, which is spread evenly and without chance."""
        self._credit += self.told.share
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    def put(self, request: bytes, answer: Answer, asked: Asked) -> None:
        """Sends a copy when it can, and compares with what the caller got."""
        if len(self._copies) >= self.told.waiting_max:
            self.drop()
            return
        copy = asyncio.get_running_loop().create_task(self._play(request, answer, asked))
        self._copies.add(copy)
        copy.add_done_callback(self._copies.discard)

    def drop(self) -> None:
        self._version.counts.shadow_dropped += 1

    async def _play(self, request: bytes, answer: Answer, asked: Asked) -> None:
        loop, counts = asyncio.get_running_loop(), self._version.counts
        async with self._line:
            replica = self._version.pick(loop.time(), asked)
            if replica is None:
                self.drop()
                return
            replica.inflight += 1
            try:
                async with asyncio.timeout(self.told.timeout_s):
                    other = await ask(replica.address.socket, request, self.told.body_max)
            except (OSError, ValueError):
                counts.shadow_failed += 1
                return
            finally:
                self._left(replica)
        if len(answer.body) + len(other.body) <= INLINE_MAX:
            is_alike = self._likeness.holds(answer, other)
        else:
            is_alike = await loop.run_in_executor(None, self._likeness.holds, answer, other)
        counts.shadow_compared += 1
        counts.shadow_differed += not is_alike
        counts.shadow_longer_s += other.took_s - answer.took_s


class Copy:
    """What is kept of one request that shadows get: the answer as it passes to the caller."""

    __slots__ = ("_bytes", "_max", "_told", "shadows")

    def __init__(self, shadows: list[Shadowing]) -> None:
        self.shadows = shadows
        self._told: list[bytes] = []
        self._bytes = 0
        self._max = max(shadow.told.body_max for shadow in shadows) + HEAD_ROOM

    def passed(self, data: bytes) -> None:
        """A piece of the answer went to the caller."""
        self._bytes += len(data)
        if self._bytes <= self._max:
            self._told.append(data)
        else:
            self._told.clear()

    def send(self, exchange: "Exchange", took_s: float) -> None:
        """The caller has its whole answer: the shadows' turn."""
        body = exchange.kept
        for shadow in self.shadows:
            longest = max(self._bytes - HEAD_ROOM, len(body or b""))
            answer = parsed(self._told, exchange.method, took_s) if longest <= shadow.told.body_max else None
            if body is None or not exchange.is_whole or answer is None:
                shadow.drop()
            else:
                shadow.put(copied(exchange.head, bytes(body), exchange.is_chunked), answer, exchange)


def copy_of(shadows: list[Shadowing]) -> Copy | None:
    """None where none of them takes the next request."""
    taking = [shadow for shadow in shadows if shadow.takes_next()]
    return Copy(taking) if taking else None


def copied(head: bytes, body: bytes, is_chunked: bool) -> bytes:
    """The request again, on a connection of its own, marked as a copy."""
    line, _, rest = head.partition(b"\r\n")
    if is_chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    return b"".join((line, b"\r\n", ADDS, rest, body))


async def ask(address: str, request: bytes, body_max: int) -> Answer:
    """One request on a connection of its own. Raises: OSError; ValueError where the answer is none, or too long."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    transport, reader = await dial(loop, lambda: _Reader(loop, body_max), address)
    try:
        transport.write(request)  # type: ignore[attr-defined]
        status, body = await reader.answer
    finally:
        transport.close()
    return Answer(status, body, loop.time() - began_at)


class _Reader(asyncio.Protocol):
    """Reads one answer until it is whole."""

    def __init__(self, loop: asyncio.AbstractEventLoop, body_max: int) -> None:
        self.answer: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        self._parsed = _Parsed(body_max)

    def data_received(self, data: bytes) -> None:
        try:
            is_whole = self._parsed.feed(data)
        except (httptools.HttpParserError, ValueError) as e:
            self._fail(ValueError(str(e)))
            return
        if is_whole and not self.answer.done():
            self.answer.set_result((self._parsed.status, bytes(self._parsed.body)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionResetError("the replica ended before its answer did"))

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _Parsed:
    """An answer as httptools reads it."""

    def __init__(self, body_max: int) -> None:
        self.status, self.body, self.is_whole = 0, bytearray(), False
        self._body_max = body_max
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bool:
        self._parser.feed_data(data)
        if len(self.body) > self._body_max:
            raise ValueError("the answer is too long to be compared")
        return self.is_whole

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.is_whole = self.status >= 200


def parsed(pieces: list[bytes], method: bytes, took_s: float) -> Answer | None:
    """An answer out of its bytes on the wire; None where they are not a whole one, or one whose end is not in it."""
    answer = _Parsed(2**30)
    try:
        is_whole = answer.feed(b"".join(pieces))
    except httptools.HttpParserError:
        return None
    return Answer(answer.status, bytes(answer.body), took_s) if is_whole and method != b"HEAD" else None
