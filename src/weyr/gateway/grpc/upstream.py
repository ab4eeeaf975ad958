"""How is a request sent on over HTTP/1.1? Over a connection that is kept, one request at a time on each.

An answer is taken whole. A caller that leaves closes the connection, which cancels the request at the other end.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import httptools

KEPT_MAX = 64


class Gone(Exception):
    """The other end could not be reached, or went away before it had answered; the text says which."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response with its whole body. Header names are in lower case."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class Upstream:
    """The other end: `host:port`, or the path of a Unix socket."""

    def __init__(self, place: str) -> None:
        self.place = place
        host, _, port = place.rpartition(":")
        self._tcp = (host, int(port)) if port.isdigit() and "/" not in place else None
        self._kept: list[_Link] = []

    async def ask(self, request: bytes) -> Reply:
        """Takes a whole request as it goes over the wire. Raises: Gone."""
        while self._kept:
            link = self._kept.pop()
            if not link.is_lost:
                break
        else:
            link = await self._opened()
        try:
            reply = await link.ask(request)
        except BaseException:
            link.close()
            raise
        if link.is_reusable and len(self._kept) < KEPT_MAX:
            self._kept.append(link)
        else:
            link.close()
        return reply

    def close(self) -> None:
        for link in self._kept:
            link.close()
        self._kept.clear()

    async def _opened(self) -> "_Link":
        loop = asyncio.get_running_loop()
        try:
            if self._tcp:
                _, link = await loop.create_connection(_Link, *self._tcp)
            else:
                _, link = await loop.create_unix_connection(_Link, self.place)
        except OSError as e:
            raise Gone(f"nobody answers at {self.place}: {e}") from e
        return link


class _Link(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.is_lost = False
        self.is_reusable = False
        self._waiting: asyncio.Future[Reply] | None = None

    async def ask(self, request: bytes) -> Reply:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self.is_reusable = False
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's, only alike.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as e:
            self._fail(f"the other end does not speak HTTP: {e}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._fail("the other end went away before it had answered")

    # What httptools calls while it reads.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, piece: bytes) -> None:
        self._body.append(piece)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return  # an interim answer: the real one follows
        self.is_reusable = self._parser.should_keep_alive()
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(Reply(status, self._headers, b"".join(self._body)))

    def _fail(self, message: str) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(Gone(message))
