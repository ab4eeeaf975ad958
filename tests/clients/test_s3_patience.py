"""How long may a connection stand still? The site's own clock is moved on, and nobody waits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from weyr.gateway.s3 import http
from weyr.gateway.s3.http import Connection, Site
from weyr.gateway.s3.messages import BodyBroken, Request, Response
from weyr.gateway.s3.shared import Counter, Shared

HEAD = b"PUT /lake/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
SOON_S = 60.0


class Seat:
    """A client's connection to a site of its own."""

    def __init__(self, site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.release = asyncio.Event()
        self._site = site
        self._reader = reader
        self._writer = writer

    @property
    def connection(self) -> Connection:
        (connection,) = self._site.connections
        assert isinstance(connection, Connection)
        return connection

    async def send(self, data: bytes) -> None:
        """Sends, and waits until it has arrived."""
        before = self._site.count.bytes_in
        self._writer.write(data)
        await until(lambda: self._site.count.bytes_in >= before + len(data))

    def wait(self, seconds: float) -> None:
        """Lets time pass: nothing moved for so long."""
        for connection in self._site.connections:
            connection.moved_at -= seconds
        self._site.close_stalled()

    async def told(self) -> bytes:
        """All that is answered until the connection is closed."""
        try:
            return await asyncio.wait_for(self._reader.read(), SOON_S)
        except ConnectionResetError:
            return b""


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not is_so():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def seated() -> AsyncIterator[Seat]:
    """A site that reads each body, and then answers once it is released."""

    async def handler(request: Request) -> Response:
        try:
            while await request.body.chunk():
                pass
        except BodyBroken as e:
            return Response(400, body=e.code.encode())
        await seat.release.wait()
        return Response(200)

    site = Site(handler, Counter(Shared(1), 0))
    server = await asyncio.get_running_loop().create_server(site.connect, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        seat = Seat(site, reader, writer)
        await until(lambda: len(site.connections) == 1)
        yield seat
        writer.close()
        await until(lambda: not site.connections)


async def a_head_that_never_ends(seat: Seat) -> None:
    for byte in (b"G", b"E", b"T", b" /", b"lake"):
        await seat.send(byte)
        seat.wait(http.HEAD_S / 6)
    seat.wait(http.HEAD_S / 4)
    assert await seat.told() == b""


async def a_body_that_never_comes(seat: Seat) -> None:
    await seat.send(HEAD)
    seat.wait(http.STALLED_S + 1)
    assert (await seat.told()).endswith(b"RequestTimeout")


async def a_body_that_drips(seat: Seat) -> None:
    await seat.send(HEAD + b"z" * 5000)
    for _ in range(7):
        await seat.send(b"z")
        seat.wait(http.STALLED_S / 8)
    seat.wait(http.STALLED_S / 4)
    assert (await seat.told()).endswith(b"RequestTimeout")


async def a_body_that_is_slow(seat: Seat) -> None:
    await seat.send(HEAD)
    for _ in range(10):
        await seat.send(b"z" * http.STEP_BYTES)
        seat.wait(http.STALLED_S / 2)
    assert not seat.connection.is_idle


async def nothing_asked(seat: Seat) -> None:
    seat.wait(http.IDLE_S + 1)
    assert await seat.told() == b""


async def an_answer_of_ours_that_takes_long(seat: Seat) -> None:
    await seat.send(b"GET /lake/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    seat.wait(3600)
    seat.release.set()
    assert (await seat.told()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "case",
    [a_head_that_never_ends, a_body_that_never_comes, a_body_that_drips, a_body_that_is_slow, nothing_asked,
     an_answer_of_ours_that_takes_long],
)  # fmt: skip
def test_who_stands_still_is_let_go_and_who_is_slow_is_not(case: Callable[[Seat], Awaitable[None]]) -> None:
    """One byte now and then holds no connection; a bad line does not cost an upload, nor does our own slowness."""

    async def played() -> None:
        async with seated() as seat:
            await case(seat)

    asyncio.run(played())
