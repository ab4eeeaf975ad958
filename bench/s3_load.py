"""What does a client of an S3 do in the benchmark? One generator process, so many connections, signed requests.

It is to cost little, since it runs on the same cores: requests are signed before the clock starts, and a body that
comes is counted in a buffer that is used again, never looked at.
"""

import asyncio
import hashlib
import multiprocessing
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import psutil
import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KIB, MIB = 1024, 1024 * 1024
SIZES = {"4KiB": 4 * KIB, "1MiB": MIB, "64MiB": 64 * MIB}
CONNECTIONS = (1, 8, 32)
KEYS_PER_CONNECTION = 8
PAGE = 1000
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A server that is up: where, which keys open it, and whose CPU time is counted with its children's."""

    url: str
    pid: int
    key: str
    secret: str


@dataclass(frozen=True)
class Load:
    """PUT or GET of one size over so many connections."""

    method: str
    size: str
    connections: int

    @property
    def name(self) -> str:
        return f"{self.method.lower()}-{self.size}-{self.connections}"

    @property
    def bytes(self) -> int:
        return SIZES[self.size]


@dataclass(frozen=True)
class Measured:
    """Operations (or keys) in a second, and what each cost the server's processes."""

    per_s: float
    server_cpu_ms: float = 0.0


LOADS = [Load(method, size, count) for size in SIZES for count in CONNECTIONS for method in ("PUT", "GET")]


NOTHING = hashlib.sha256().hexdigest()


def signed(place: Place, method: str, path: str, query: str = "", length: int = 0, digest: str = NOTHING) -> bytes:
    """A request's head; its signature holds for a quarter of an hour. The digest is the body's, as SDKs have it."""
    url = f"{place.url}{path}{'?' if query else ''}{query}"
    request = AWSRequest(method, url, headers={"x-amz-content-sha256": digest})
    SigV4Auth(Credentials(place.key, place.secret), "s3", "us-east-1").add_auth(request)
    target = path + ("?" if query else "") + query
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {place.url.removeprefix('http://')}",
        f"Content-Length: {length}",
    ]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "host"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Client(asyncio.BufferedProtocol):
    """One connection that sends its requests in turn, the next when the last was answered."""

    def __init__(self, requests: list[bytes], body: bytes, stop_at: float, first: int = 0) -> None:
        self.done = first
        self.ended = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._body = body
        self._stop_at = stop_at
        self._buffer = bytearray(MIB)
        self._head = b""
        self._left = -1
        self._is_last = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's are its equal
        self._send()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        if self._left < 0:
            self._head += self._buffer[:count]
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            count = len(rest)
            length = _LENGTH.search(head)
            status = head[9:12]
            if status != b"200" or length is None:
                self.ended.set_exception(RuntimeError(f"the server answered {head[:300]!r} {rest[:300]!r}"))
                self._transport.abort()
                return
            self._left, self._head = int(length[1]), b""
            self._is_last = b"connection: close" in head.lower()
        self._left -= count
        if self._left == 0:
            self._left = -1
            self.done += 1
            # Whatever the time, each key is asked for once: those that read come after those that write.
            is_over = time.monotonic() > self._stop_at and self.done >= len(self._requests)
            if is_over or self._is_last:
                self._transport.close()
            else:
                self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        self._transport.write(self._requests[self.done % len(self._requests)])
        if self._body:
            self._transport.write(self._body)


async def drive(host: str, port: int, requests: list[bytes], body: bytes, stop_at: float) -> int:
    """One connection at a time until the end; some peers close theirs after every answer."""
    done = 0
    while time.monotonic() < stop_at or done < len(requests):
        make = partial(Client, requests, body, stop_at, done)
        _, client = await asyncio.get_running_loop().create_connection(make, host, port)
        await client.ended
        done = client.done
    return done


Said = tuple[int, float] | str
"""Operations and seconds, or what went wrong."""


def generate(place: Place, load: Load, seconds: float, results: "multiprocessing.Queue[Said]") -> None:
    """The generator's process."""
    body = os.urandom(load.bytes) if load.method == "PUT" else b""
    host, port = place.url.removeprefix("http://").split(":")
    keys = 1 if load.size == "64MiB" else KEYS_PER_CONNECTION
    signing = partial(signed, place, load.method, length=len(body), digest=hashlib.sha256(body).hexdigest())
    heads = [[signing(f"/bench/{load.size}/{c}/{k}") for k in range(keys)] for c in range(load.connections)]

    async def run() -> None:
        started = time.monotonic()
        done = await asyncio.gather(*(drive(host, int(port), requests, body, started + seconds) for requests in heads))
        results.put((sum(done), time.monotonic() - started))

    try:
        uvloop.run(run())
    except Exception as e:  # noqa: BLE001  the row says what happened
        results.put(str(e))


def measured(place: Place, load: Load, seconds: float) -> Measured:
    """Raises: RuntimeError with what the server said."""
    results: multiprocessing.Queue[Said] = multiprocessing.Queue()
    before = cpu_s(place.pid)
    process = multiprocessing.Process(target=generate, args=(place, load, seconds, results))
    process.start()
    said = results.get()
    process.join()
    if isinstance(said, str):
        raise RuntimeError(said)
    done, took_s = said
    return Measured(done / took_s, (cpu_s(place.pid) - before) / done * 1000)


def cpu_s(pid: int) -> float:
    if not pid:
        return 0.0
    process = psutil.Process(pid)
    return float(sum(sum(p.cpu_times()[:2]) for p in [process, *process.children(recursive=True)]))


# --- lists


def key_of(number: int) -> str:
    """A hundred keys to a folder."""
    return f"d{number // 100:06}/k{number % 100:02}"


async def _asked(place: Place, query: str, bucket: str) -> bytes:
    host, port = place.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=8 * MIB)
    try:
        return await _page(reader, writer, place, query, bucket)
    finally:
        writer.close()


async def _page(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Place, query: str, bucket: str
) -> bytes:
    writer.write(signed(place, "GET", f"/{bucket}", query=query))
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200" not in head[:16]:
        raise RuntimeError(f"the list was refused: {head[:200]!r}")
    if length := _LENGTH.search(head):
        return await reader.readexactly(int(length[1]))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


def listed(place: Place, keys: int, bucket: str) -> Measured:
    """Keys in a second, of a full listing by pages of a thousand. Raises: RuntimeError where not all are listed."""

    async def run() -> int:
        count, token = 0, ""
        while True:
            # In the order in which a signature wants them.
            query = (f"continuation-token={quote(token, safe='')}&" if token else "") + f"list-type=2&max-keys={PAGE}"
            body = await _asked(place, query, bucket)
            count += body.count(b"<Key>")
            if b"<IsTruncated>true" not in body:
                return count
            found = re.search(rb"<NextContinuationToken>([^<]+)", body)
            assert found, "a truncated page without a token"
            token = found[1].decode()

    before, started = cpu_s(place.pid), time.monotonic()
    count = asyncio.run(run())
    took_s = time.monotonic() - started
    if count != keys:
        raise RuntimeError(f"{count} of {keys} keys were listed")
    return Measured(keys / took_s, (cpu_s(place.pid) - before) / (keys / PAGE) * 1000)


def page_in_the_middle(place: Place, keys: int, bucket: str, times: int = 5) -> Measured:
    """Pages in a second, each one of up to a thousand folders from the middle on."""
    after = quote(key_of(keys // 2), safe="")
    query = f"delimiter=%2F&list-type=2&max-keys={PAGE}&start-after={after}"
    folders = min(PAGE, keys // 200)

    async def run() -> None:
        for _ in range(times):
            body = await _asked(place, query, bucket)
            # The folder in whose midst the page begins may be one of it or not: servers differ.
            if not folders - 1 <= body.count(b"<CommonPrefixes>") <= folders + 1:
                raise RuntimeError(f"{body.count(b'<CommonPrefixes>')} of {folders} folders were listed")

    before, started = cpu_s(place.pid), time.monotonic()
    asyncio.run(run())
    return Measured(times / (time.monotonic() - started), (cpu_s(place.pid) - before) / times * 1000)


def fill_by_puts(place: Place, numbers: range, bucket: str, until: Callable[[], bool]) -> bool:
    """Puts keys of one byte over 16 connections. Gives False where `until` said stop before all were there."""
    host, port = place.url.removeprefix("http://").split(":")
    digest = hashlib.sha256(b"x").hexdigest()

    async def fill(mine: Iterator[int]) -> bool:
        for number in mine:
            if until():
                return False
            heads = [signed(place, "PUT", f"/{bucket}/{key_of(number)}", length=1, digest=digest)]
            await drive(host, int(port), heads, b"x", 0)
        return True

    async def run() -> bool:
        numbers_left = iter(numbers)
        return all(await asyncio.gather(*(fill(numbers_left) for _ in range(16))))

    return asyncio.run(run())
