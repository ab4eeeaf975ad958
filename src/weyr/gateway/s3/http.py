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

from weyr.gateway.s3.heads import head_of
from weyr.gateway.s3.messages import Body, BodyBroken, FileSlices, Pieces, Request, Response, origin_of
from weyr.gateway.s3.shared import Counter

HEAD_BYTES_MAX = 32 * 1024
HEADERS_MAX = 200
PIPELINED_MAX = 8
SENDFILE_BYTES_MAX = 4 * 2**20
IDLE_S = 75.0
HEAD_S = 20.0
STALLED_S = 60.0
DISCARD_MAX = 16 * 2**20
"""A refused body up to this is read and thrown away, so that the connection lives on; a longer one is cut off."""

log = logging.getLogger("weyr.s3")

Handler = Callable[[Request], Awaitable[Response]]


class Site:
    """What the connections of one listening socket share: the handler, the counter, and who is connected."""

    def __init__(self, handler: Handler, counter: Counter) -> None:
        self.handler = handler
        self.connections: set[Connection] = set()
        self.counter = counter
        self.count = self.counter.now
        self.is_stopping = False

    def met(self, connection: "Connection") -> None:
        self.connections.add(connection)
        self._count_connections()

    def left(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        self._count_connections()

    def _count_connections(self) -> None:
        self.count.connections = len(self.connections)
        self.counter.show()

    def connect(self) -> "Connection":
        return Connection(self)

    def close_stalled(self) -> None:
        """Ends connections that have stood still for too long. To be called every few seconds."""
        now = time.monotonic()
        for connection in list(self.connections):
            if now - connection.moved_at > connection.patience_s:
                connection.abort()

    async def stop(self, grace_s: float) -> None:
        """Lets running requests finish for up to `grace_s` and ends every connection."""
        self.is_stopping = True
        for connection in list(self.connections):
            if connection.is_idle:
                connection.abort()
        deadline = time.monotonic() + grace_s
        while self.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()


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
        self._head_bytes = 0
        self._target = b""
        self._headers: dict[str, str] = {}
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
        # While a head is arriving the clock runs on: one byte a second would hold a connection for hours.
        if not self._is_in_head:
            self.moved_at = time.monotonic()
        self._site.count.bytes_in += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self._transport.close()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._release(self._writable)

    def on_message_begin(self) -> None:
        self._target, self._headers, self._head_bytes, self._is_in_head = b"", {}, 0, True

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known},{text}"
        if len(self._headers) > HEADERS_MAX:
            raise ValueError("too many headers")

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX:
            raise ValueError("the request's head is too long")

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        target = self._target.decode("latin-1")
        if not target.startswith("/"):
            target = origin_of(target, self._headers)
        path, _, query = target.partition("?")
        body = Body(self, self._headers.get("expect", "").lower() == "100-continue")
        method = self._parser.get_method().decode()
        self._incoming = body
        self._queue.append(
            Request(method, path, query, self._headers, body, self._parser.should_keep_alive(), self._peer)
        )
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

    # --- the requests in turn

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_lost:
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
        is_cut = rest.is_awaited or not (rest.is_complete or await self._discard(rest, 64 * 1024))
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
            await self._discard(rest, DISCARD_MAX)
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

    async def _discard(self, body: Body, bytes_max: int) -> bool:
        """Reads what is left of a body nobody wants. Gives whether it came to its end within `bytes_max`."""
        start = body.taken
        while not body.is_complete:
            if body.taken - start > bytes_max or not await body.chunk():
                return body.is_complete
        return True

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
