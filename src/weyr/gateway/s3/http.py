"""How do HTTP/1.1 requests become calls, and answers bytes? One asyncio protocol on uvloop and httptools.

It refuses to know what S3 is: the handler gets a `Request` and gives a `Response`. One task per connection takes
requests in turn, so pipelined ones are answered in order. Memory is bounded: reading is paused while a body waits.
"""

import asyncio
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from weyr.gateway.s3.arriving import Head, HeadRefused
from weyr.gateway.s3.crowd import Crowd
from weyr.gateway.s3.heads import head_of
from weyr.gateway.s3.messages import Body, BodyBroken, BodyStalled, FileSlices, Pieces, Request, Response
from weyr.gateway.s3.shared import Counter

PIPELINED_MAX = 8
SENDFILE_BYTES_MAX = 4 * 2**20
IDLE_S = 75.0
HEAD_S = 20.0
STALLED_S = 60.0
STEP_BYTES = 1024
"""A body that brings less than this in `STALLED_S` stands still: a byte now and then would hold a connection."""
REST_MAX = 64 * 1024
"""What is left of a refused body up to this is read and thrown away, so that the connection lives on."""
DISCARD_MAX = 16 * 2**20
"""Of a longer one so much is read after the answer, so that a client that does not listen while it sends gets it."""

log = logging.getLogger("weyr.s3")

Handler = Callable[[Request], Awaitable[Response]]
Refusal = Callable[[bool], Response]
"""The answer to what is no request at all; whether because its head is too long."""


def _plain_refusal(_is_too_long: bool) -> Response:
    return Response(400)


class Site(Crowd):
    """What the connections of one listening socket share: the handler, and who is connected."""

    def __init__(self, handler: Handler, counter: Counter, refusal: Refusal = _plain_refusal) -> None:
        super().__init__(counter)
        self.handler = handler
        self.refusal = refusal

    def connect(self) -> "Connection":
        return Connection(self)


class Connection(asyncio.Protocol):
    """One client's connection. The httptools callbacks (`on_…`) build requests; `_serve` answers them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._socket: socket.socket | None = None
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None]
        self._is_lost = False
        self._is_paused = False
        self._is_busy = False
        self._can_write = True
        self._head = Head()
        self._last_words: bytes | None = None
        """What ends the connection once all requests before it are answered."""
        self._since_moved = 0
        self._incoming: Body | None = None
        self._is_in_head = False
        self._peer = ""
        self._body_bytes = 0
        self.moved_at = time.monotonic()

    # --- what asyncio and the parser call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in all but the class.
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self._site.met(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._site.left(self)
        gone = BodyBroken("the client closed the connection")
        for request in self._queue:
            request.body.end(gone)
        if self._incoming:
            self._incoming.end(gone)
        self._release(self._waiter)
        self._release(self._writable)
        if self._socket:
            asyncio.get_running_loop().remove_writer(self._socket.fileno())
            self._socket.close()

    def data_received(self, data: bytes) -> None:
        if self._last_words is not None:
            return
        self._site.count.bytes_in += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as e:
            reason = e.__context__
            self._end_with(self._site.refusal(isinstance(reason, HeadRefused) and reason.is_too_long))
        # While a head is arriving the clock runs on: one byte a second would hold a connection for hours.
        self._since_moved += len(data)
        if not self._is_in_head and (self._incoming is None or self._since_moved >= STEP_BYTES):
            self.moved_at, self._since_moved = time.monotonic(), 0

    def _feed(self, data: bytes) -> None:
        """To change to another protocol is an offer, which we do not take up."""
        while True:
            try:
                return self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as e:
                asked = self._queue[-1]
                if asked.method == "CONNECT" or asked.headers.get("content-length", "0") != "0":
                    # The parser takes what follows for the other protocol, a body too.
                    self._queue.pop()
                    return self._end_with(self._site.refusal(False))
                data = data[e.args[0] :]

    def _end_with(self, refusal: Response) -> None:
        """Nothing more can be understood on this connection. What was understood is answered first."""
        self._is_in_head = False
        self._last_words = b""
        if self._incoming:  # then it is that request's body, and its answer is the last
            self._incoming.end(BodyBroken("the body is not well formed"))
            self._incoming = None
        else:
            self._last_words = head_of(refusal, True, False) + refusal.body
            self._site.count.errors += 1
        self._release(self._waiter)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._release(self._writable)

    def on_message_begin(self) -> None:
        self._head, self._is_in_head = Head(), True

    def on_url(self, url: bytes) -> None:
        self._head.take_target(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head.take_header(name, value)

    def on_headers_complete(self) -> None:
        parser, headers = self._parser, self._head.headers
        body = Body(self, headers.get("expect", "").lower() == "100-continue")
        method, version = parser.get_method().decode(), parser.get_http_version()
        self._queue.append(self._head.request(method, version, body, parser.should_keep_alive(), self._peer))
        self._is_in_head, self._incoming = False, body
        if len(self._queue) > PIPELINED_MAX:
            self.pause()
        self._release(self._waiter)

    def on_body(self, data: bytes) -> None:
        assert self._incoming
        self._incoming.feed(data)

    def on_message_complete(self) -> None:
        if self._incoming:
            self._incoming.end()
        self._incoming = None

    # --- what bodies and the site call

    @property
    def is_idle(self) -> bool:
        return not self._is_busy and not self._queue

    @property
    def patience_s(self) -> float:
        """How long this connection may stand still, by what it waits for; for us a client waits without end."""
        if self._is_in_head:
            return HEAD_S
        if self.is_idle:
            return IDLE_S
        is_sending = self._incoming is not None and not self._is_paused
        is_taking = self._writable is not None and not self._writable.done()
        return STALLED_S if is_sending or is_taking else float("inf")

    def write(self, data: bytes) -> None:
        if not self._is_lost:
            self._transport.write(data)

    def pause(self) -> None:
        if not self._is_paused and not self._is_lost:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._is_paused and not self._is_lost:
            self._is_paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    def give_up(self) -> None:
        """Ends a connection that has stood still. A client whose body does not come is told so, once."""
        if self._incoming and not self._incoming.is_broken:
            self._incoming.end(BodyStalled("the body does not arrive"))
            self.moved_at = time.monotonic()
        else:
            self.abort()

    # --- the requests in turn

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_lost:
            if not self._queue and self._last_words is not None:
                self.write(self._last_words)
                break
            if not self._queue:
                self._waiter = loop.create_future()
                await self._waiter
                continue
            request = self._queue.popleft()
            self._is_busy = True
            self._site.count.requests += 1
            try:
                response = await self._site.handler(request)
                self._site.counter.show()
                await self._answer(request, response)
                self._site.counter.show()
            except (BodyBroken, ConnectionError):
                break
            except Exception:  # the connection's edge: nobody answers on it any more, so its client must not wait
                log.exception("s3.connection_failed %s %s", request.method, request.path)
                break
            self._is_busy = False
            self.moved_at = time.monotonic()
            self.resume()
        if not self._is_lost:
            self._transport.close()

    async def _answer(self, request: Request, response: Response) -> None:
        rest = request.body
        # A client that was never told to continue does not send its body, and one with a long way to go is cut off.
        is_last = response.close or not request.keep_alive or self._site.is_stopping
        is_cut = rest.is_awaited or request.bytes_left > REST_MAX
        head = head_of(response, is_last or is_cut, request.method == "HEAD")
        if response.status >= 400:
            self._site.count.errors += 1
        self._body_bytes = 0
        try:
            await self._send(head, response)
        finally:
            for told in response.done:
                told(self._body_bytes)
        if is_cut and not rest.is_awaited:
            self._transport.write_eof()
        if not rest.is_awaited:
            await self._discard(rest, DISCARD_MAX if is_cut else REST_MAX)
        if is_last or is_cut:
            raise ConnectionResetError("this was the connection's last answer")

    async def _send(self, head: bytes, response: Response) -> None:
        if response.pieces is not None:
            await self._send_pieces(head, response.pieces)
        elif response.files is not None:
            await self._send_files(head, response.files)
        else:
            self.write(head + response.body)
            self._site.count.bytes_out += len(head) + len(response.body)
            self._body_bytes = len(response.body)
            if not self._can_write:
                await self._drained()

    async def _discard(self, body: Body, bytes_max: int) -> None:
        """Reads what is left of a body that nobody wants, up to a bound."""
        start = body.taken
        while not body.is_complete and body.taken - start <= bytes_max:
            await body.chunk()

    async def _drained(self) -> None:
        while not self._can_write and not self._is_lost:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable
        if self._is_lost:
            raise ConnectionResetError("the client closed the connection")

    async def _send_files(self, head: bytes, files: FileSlices) -> None:
        """Sends head and files past the transport, on a second descriptor of its socket.

        uvloop has no `loop.sendfile` of its own and would copy through Python; a dup is safe to write to as
        long as the transport has nothing of its own to send, which is waited for first.
        """
        try:
            while self._transport.get_write_buffer_size():
                self._transport.set_write_buffer_limits(high=0)
                self._can_write = False
                await self._drained()
            out = self._own_socket()
            await self._sent(lambda data: out.send(data, socket.MSG_MORE), head)
            while piece := await files.next():
                await self._send_slice(out.fileno(), *piece)
        finally:
            files.close()

    async def _send_pieces(self, head: bytes, pieces: Pieces) -> None:
        """Sends bytes as they are made; the next ones are only made once the client has taken most of the last."""
        try:
            self.write(head)
            while piece := await pieces.next():
                self.write(piece)
                self._site.count.bytes_out += len(piece)
                self._body_bytes += len(piece)
                await self._drained()
                self.moved_at = time.monotonic()
        finally:
            pieces.close()

    async def _send_slice(self, out: int, descriptor: int, offset: int, count: int) -> None:
        end = offset + count
        while offset < end:
            try:
                sent = os.sendfile(out, descriptor, offset, min(end - offset, SENDFILE_BYTES_MAX))
            except BlockingIOError:
                await self._socket_writable(out)
                continue
            if not sent:
                # The head promised more than the file holds: the only honest end is a broken connection.
                raise ConnectionResetError("a blob is shorter than its index says")
            offset += sent
            self._site.count.bytes_out += sent
            self._body_bytes += sent
            self.moved_at = time.monotonic()

    async def _sent(self, send: Callable[[bytes], int], data: bytes) -> None:
        while data:
            try:
                data = data[send(data) :]
            except BlockingIOError:
                await self._socket_writable(self._own_socket().fileno())

    async def _socket_writable(self, out: int) -> None:
        loop = asyncio.get_running_loop()
        writable = self._writable = loop.create_future()
        loop.add_writer(out, self._release, writable)
        await writable
        if self._is_lost:
            raise ConnectionResetError("the client closed the connection")
        loop.remove_writer(out)

    def _own_socket(self) -> socket.socket:
        if self._is_lost:
            raise ConnectionResetError("the client closed the connection")
        if self._socket is None:
            self._socket = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
            self._socket.setblocking(False)
        return self._socket

    @staticmethod
    def _release(waiter: "asyncio.Future[None] | None") -> None:
        if waiter and not waiter.done():
            waiter.set_result(None)
