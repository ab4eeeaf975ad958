"""What does a replica answer? One kept connection to it, whose bytes pass on as they come.

The answer is parsed only to know its status and its end; the caller gets the replica's own bytes.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import httptools

from weyr.gateway.inference.fallback import FAILURES, falls_back
from weyr.gateway.inference.replica import Replica
from weyr.gateway.inference.trials import break_off
from weyr.gateway.inference.usage_event import UsageEvents, is_unasked
from weyr.gateway.inference.uses import count

if TYPE_CHECKING:
    from weyr.gateway.inference.attempt import Attempt
    from weyr.gateway.inference.exchange import Exchange
    from weyr.gateway.inference.plane import Plane

P = TypeVar("P", bound=asyncio.BaseProtocol)

HEAD_MAX = 256 * 2**10
AGAIN = frozenset({502, 503, 504})
"""Answers of a replica that does not serve now, where another may."""


async def connect(plane: "Plane", replica: Replica) -> "Line":
    """A new connection. Raises: OSError where the replica does not take it."""
    if replica.upstream is not None:
        return await replica.upstream.dial(plane.loop, lambda: FarLine(plane, replica))
    _, line = await dial(plane.loop, lambda: Line(plane, replica), replica.address.socket)
    return line


async def reach(attempt: "Attempt") -> None:
    """Connects to the replica and sends the request on; one that does not take a connection is left alone a while."""
    exchange, replica = attempt.exchange, attempt.replica
    try:
        async with asyncio.timeout(replica.version.connect_s):
            line = await connect(exchange.door.plane, replica)
    except OSError:
        # TimeoutError is one of them. Nothing was sent, so another replica may have it.
        now = time.monotonic()
        replica.refused(now)
        attempt.task = None
        attempt.leave(now)
        if not exchange.step:
            exchange.wake()
        elif not falls_back(exchange, 502):
            exchange.refuse(502, f"nobody in the chain of {exchange.name.decode('latin-1')} can be reached")
        return
    attempt.task = None
    replica.answered()
    exchange.send_on(attempt, line, time.monotonic())  # the loop's time is of when its turn began


async def dial(
    loop: asyncio.AbstractEventLoop, protocol: Callable[[], P], address: str
) -> tuple[asyncio.BaseTransport, P]:
    """A connection to where a replica listens: the path of a Unix socket, or host:port. Raises: OSError."""
    if address.startswith("/"):
        return await loop.create_unix_connection(protocol, address)
    host, _, port = address.rpartition(":")
    return await loop.create_connection(protocol, host, int(port))


class Line(asyncio.Protocol):
    """One connection to `replica`. It carries one attempt at a time, or lies idle."""

    def __init__(self, plane: "Plane", replica: Replica) -> None:
        self._plane = plane
        self._replica = replica
        self._attempt: Attempt | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.is_full = False
        self.heard_at = 0.0

    def begin(self, attempt: "Attempt") -> None:
        """Belongs to this attempt until its answer is whole."""
        self._attempt = attempt
        self._status = 0
        self._keeps_alive = self._has_head = self._is_complete = self._is_strange = self._ends_by_close = False
        self._gathered: list[bytes] = []
        if attempt.exchange.door.is_full:
            self.transport.pause_reading()

    def close(self) -> None:
        """Lets the replica go, after what was written has gone out."""
        self._attempt = None
        self.transport.close()

    def drop(self) -> None:
        """Lets the replica go at once: nobody waits for the answer, and it may notice."""
        self._attempt = None
        self.transport.abort()

    def hold_back(self, is_full: bool) -> None:
        """The caller reads slower than the replica writes, or has caught up."""
        if is_full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's, only alike.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            self._replica.forget(self)
        elif self._ends_by_close:
            attempt.answered(self._status, keeps_alive=False)
        else:
            attempt.lost()

    def data_received(self, data: bytes) -> None:
        attempt = self._attempt
        if attempt is None:
            # Nothing was asked, so this is no answer to anything.
            self.transport.abort()
            return
        self.heard_at = self._plane.now
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_strange = True
            if attempt.exchange.upgrades and self._status == 101:
                self._attempt = None
                attempt.agreed(b"".join((*self._gathered, data)))
                return
        except httptools.HttpParserError:
            self._is_strange = True
        if self._is_strange:
            # Bytes after the end of an answer could pass as the answer to somebody's next request.
            self._attempt = None
            self.transport.abort()
            attempt.lost()
            return
        if not self._has_head:
            self._gather(data)
            return
        if self._gathered:
            data = b"".join((*self._gathered, data))
            self._gathered = []
        exchange = attempt.exchange
        if not exchange.has_answer:
            if self._status in AGAIN and exchange.tries_another(self._status):
                self._attempt = None
                self.transport.abort()
                return
            if self._status in FAILURES and falls_back(exchange, self._status):
                return
            if not (self._is_complete and self._keeps_alive) or exchange.method == b"HEAD":
                self._look_at_head(exchange, data)
            adds = exchange.adds
            if exchange.allowance is not None:
                adds += exchange.allowance.fields
            if self._plane.is_draining:
                adds += b"connection: close\r\n"
            if adds:
                data = with_lines(data, adds)
        hit = attempt.passed(data)
        if self._is_complete and exchange.endpoint is not None:
            # Before its last byte goes: a kill in between would lose an answer that its caller has.
            count(exchange, exchange.endpoint, attempt, self._status)
        exchange.door.transport.write(data)
        if hit and not self._is_complete:
            break_off(exchange, hit)
            return
        if self._is_complete:
            self._attempt = None
            attempt.answered(self._status, self._keeps_alive)

    def pause_writing(self) -> None:
        self.is_full = True
        if self._attempt:
            self._attempt.exchange.door.adjust_reading()

    def resume_writing(self) -> None:
        self.is_full = False
        if self._attempt:
            self._attempt.exchange.door.adjust_reading()

    # What httptools calls while it reads.

    def on_message_begin(self) -> None:
        self._is_strange = self._is_complete

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status < 200:
            return
        self._has_head = True
        self._keeps_alive = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self._is_complete = self._has_head

    def _gather(self, data: bytes) -> None:
        self._gathered.append(data)
        if sum(map(len, self._gathered)) > HEAD_MAX and self._attempt:
            attempt, self._attempt = self._attempt, None
            self.transport.abort()
            attempt.lost()

    def _look_at_head(self, exchange: "Exchange", data: bytes) -> None:
        """Finds the end of answers whose end the parser cannot know."""
        if exchange.method == b"HEAD":
            # The head announces a body that does not come, and the parser would wait for it for ever.
            self._is_complete = True
            self._keeps_alive = self._keeps_alive and data.endswith(b"\r\n\r\n")
            self._parser = httptools.HttpResponseParser(self)
        elif not self._keeps_alive and not self._is_complete:
            head = data[: data.find(b"\r\n\r\n")].lower()
            self._ends_by_close = b"\r\ncontent-length:" not in head and b"\r\ntransfer-encoding:" not in head


class FarLine(Line):
    """A connection to a server elsewhere, for one attempt. The usage of a stream that the plane asked for, and the
    caller did not, is kept from him."""

    _usage: UsageEvents | None = None

    def begin(self, attempt: "Attempt") -> None:
        self._usage = UsageEvents() if is_unasked(bytes(attempt.exchange.kept or b"")) else None
        super().begin(attempt)

    def data_received(self, data: bytes) -> None:
        if self._usage is not None and self._attempt is not None:
            data = self._usage.feed(data)
        if data:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._usage is not None and self._attempt is not None and (rest := self._usage.rest()):
            super().data_received(rest)
        super().connection_lost(exc)


def with_lines(data: bytes, lines: bytes) -> bytes:
    """An answer's beginning with header lines after its status line."""
    at = 0
    while data[at + 9 : at + 10] == b"1":
        # What is said before the answer, such as 103 Early Hints, is a head of its own.
        at = data.find(b"\r\n\r\n", at) + 4
    end = data.find(b"\r\n", at) + 2
    return b"".join((data[:end], lines, data[end:]))
