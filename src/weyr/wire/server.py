"""How are whole requests answered? One asyncio Protocol over httptools, without ASGI in between.

For doors whose bodies fit in memory: the model server and the planes' control sockets. Requests of one
connection are answered in their order, one at a time; the next is read only when the answer before it is out.
An answer may come piece by piece; a caller that reads slowly holds back its own pieces and nothing else.
"""

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import httptools

from weyr.wire.message import LAST_CHUNK, Request, Response, Streamed, chunk, refusal

Answer = Response | Streamed
Handler = Callable[[Request], Response | Future[Response] | Future[Answer]]
"""Answers at once, or with a future that is cancelled when the caller goes away."""

LINGER_S = 0.25
"""How long a draining server keeps idle connections: a request may be on its way over one of them."""

PIPELINE_MAX = 64

STALL_S = 60.0
"""How long a caller may leave a piece of its answer unread before the rest is given up."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caller may send. Sizes in bytes."""

    head_max: int = 64 * 2**10
    body_max: int = 128 * 2**20


class HttpServer:
    """The connections of one door, and what they have in common."""

    def __init__(self, handler: Handler, limits: Limits | None = None) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self.is_draining = False
        self._connections: set[_Connection] = set()

    def __call__(self) -> asyncio.Protocol:
        """A protocol for one more connection: pass the server itself as the protocol factory."""
        return _Connection(self, self._connections)

    @property
    def busy(self) -> int:
        """Connections with a request under way."""
        return sum(connection.is_busy for connection in self._connections)

    async def drain(self, listeners: Iterable[asyncio.Server], grace_s: float) -> bool:
        """Stops listening, lets what is under way end, closes the rest. False if `grace_s` was too short."""
        for listener in listeners:
            listener.close()
        self.is_draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace_s
        await asyncio.sleep(min(LINGER_S, grace_s))
        while self.busy and loop.time() < deadline:
            await asyncio.sleep(0.01)
        for connection in tuple(self._connections):
            connection.close()
        # Closed is not gone: what a slow caller has not read yet is still being written.
        while self._connections and loop.time() < deadline:
            await asyncio.sleep(0.01)
        return not self._connections


class _Connection(asyncio.Protocol):
    """One caller. `_queue` holds what was read and not yet answered; a Response in it ends the connection."""

    def __init__(self, server: HttpServer, connections: set["_Connection"]) -> None:
        self._server = server
        self._connections = connections
        self._queue: deque[tuple[Request, bool] | Response] = deque()
        self._pending: Future[Any] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_closing = False
        self._is_blocked = False
        self._parser = httptools.HttpRequestParser(self)
        self.on_message_begin()
        self._is_receiving = False

    @property
    def is_busy(self) -> bool:
        """Whether a request is being received, waits or is worked on."""
        return self._is_receiving or self._pending is not None or bool(self._queue)

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's, only alike.
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._is_closing = True
        self._is_receiving = False
        self._queue.clear()
        if self._pending:
            self._pending.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._queue.append(self._problem or refusal(400, "this is not an HTTP/1.1 request"))
        if not self._has_head:
            self._head_size += len(data)
            if self._head_size > self._server.limits.head_max:
                self._queue.append(refusal(431, f"the head is over {self._server.limits.head_max} bytes"))
        self._advance()

    def pause_writing(self) -> None:
        self._is_blocked = True
        self._writable.clear()

    def resume_writing(self) -> None:
        self._is_blocked = False
        self._writable.set()
        self._advance()

    # What httptools calls while it reads.

    def on_message_begin(self) -> None:
        self._is_receiving = True
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_size = 0
        self._head_size = 0
        self._has_head = True
        self._problem: Response | None = None

    def on_url(self, url: bytes) -> None:
        self._has_head = False
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._has_head = True
        if self._parser.should_upgrade():
            # httptools would take the head for the whole message; nobody who calls here has a use for it.
            self._refuse(501, "this speaks HTTP/1.1 and becomes nothing else")
        if int(self._headers.get(b"content-length", 0)) > self._server.limits.body_max:
            self._refuse(413, f"the body is over {self._server.limits.body_max} bytes")
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and not (self._pending or self._queue):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        self._body.append(piece)
        self._body_size += len(piece)
        if self._body_size > self._server.limits.body_max:
            self._refuse(413, f"the body is over {self._server.limits.body_max} bytes")

    def on_message_complete(self) -> None:
        self._is_receiving = False
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request = Request(self._parser.get_method(), self._target, self._headers, body)
        if len(self._queue) >= PIPELINE_MAX:
            self._refuse(400, f"more than {PIPELINE_MAX} requests wait on one connection")
        self._queue.append((request, self._parser.should_keep_alive()))

    def _refuse(self, status: int, message: str) -> None:
        """Ends the reading: httptools turns the exception into one of its own."""
        self._problem = refusal(status, message)
        raise ValueError(message)

    # Answering, in order.

    def _advance(self) -> None:
        while self._queue and not self._pending and not self._is_closing and not self._is_blocked:
            item = self._queue.popleft()
            if isinstance(item, Response):
                self._send(item, False, b"")
                return
            request, keeps_alive = item
            given = self._server.handler(request)
            if isinstance(given, Response):
                self._send(given, keeps_alive, request.method)
                continue
            self._pending = given
            given.add_done_callback(partial(self._settled, keeps_alive, request.method))
        if self._is_closing:
            return
        if self._queue:
            self._transport.pause_reading()
        elif not self._transport.is_reading():
            self._transport.resume_reading()

    def _settled(self, keeps_alive: bool, method: bytes, done: Future[Any]) -> None:
        self._pending = None
        if done.cancelled():
            return
        error = done.exception()
        response: Answer = refusal(500, f"{type(error).__name__}: {error}") if error else done.result()
        if isinstance(response, Streamed):
            # Also for a caller that has gone: somebody has to close the pieces.
            self._pending = asyncio.ensure_future(self._stream(response, keeps_alive))
            if self._is_closing:
                self._pending.cancel()
            return
        if self._is_closing:
            return
        self._send(response, keeps_alive, method)
        self._advance()

    async def _stream(self, response: Streamed, keeps_alive: bool) -> None:
        """Sends the pieces as they come. An error among them cuts the body short, so that nobody takes it for whole."""
        closes = not keeps_alive or self._server.is_draining
        is_whole = False
        try:
            self._transport.write(response.head(closes))
            async for piece in response.pieces:
                self._transport.write(chunk(piece))
                if self._is_blocked:
                    await asyncio.wait_for(self._writable.wait(), STALL_S)
            self._transport.write(LAST_CHUNK)
            is_whole = True
        except TimeoutError:
            # The connection is closed below; there is nobody to tell.
            pass
        finally:
            await response.pieces.aclose()
            self._pending = None
            if not is_whole:
                self._is_closing = True
                self._transport.close()
        if closes and is_whole:
            self._is_closing = True
            self._linger()
        self._advance()

    def _send(self, response: Response, keeps_alive: bool, method: bytes) -> None:
        closes = not keeps_alive or self._server.is_draining
        self._transport.write(response.encode(closes, with_body=method != b"HEAD"))
        if closes:
            self._is_closing = True
            self._linger()

    def _linger(self) -> None:
        """Closing at once with unread bytes would reset the connection and take the answer with it."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)
