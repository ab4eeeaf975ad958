"""How fast is the S3 plane beside a peer and beside the limits of this machine?

    python bench/s3.py [--seconds 2] [--peers moto] [--rows get-4KiB-8,put-1MiB-8]

Each row is a load of one kind: one generator process, so many connections, signed requests with the body's real
SHA-256 (as SDKs send over http). Ours answers a PUT once it is fsynced; moto keeps it in memory. Limits:
`bare` is a uvloop protocol that parses nothing and answers a constant; `disk` writes and fsyncs files and does no more.
"""

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httptools
import psutil
import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "clients"))
from s3_plane import ADMIN, running_s3

KIB, MIB = 1024, 1024 * 1024
SIZES = {"4KiB": 4 * KIB, "1MiB": MIB, "64MiB": 64 * MIB}
KEYS_PER_CONNECTION = 8


@dataclass(frozen=True)
class Load:
    method: str
    size: str
    connections: int

    @property
    def name(self) -> str:
        return f"{self.method.lower()}-{self.size}-{self.connections}"


LOADS = [
    Load(m, s, c)
    for s, c in (("4KiB", 1), ("4KiB", 8), ("4KiB", 32), ("1MiB", 8), ("64MiB", 1))
    for m in ("PUT", "GET")
]


@dataclass(frozen=True)
class Measured:
    operations_per_s: float
    server_cpu_ms: float

    def text(self, load: Load) -> str:
        rate = f"{self.operations_per_s * 64:,.0f} MiB/s" if load.size == "64MiB" else f"{self.operations_per_s:,.0f}/s"
        return f"{rate} [{self.server_cpu_ms:.2f} ms]" if self.server_cpu_ms else rate


def signed(url: str, method: str, path: str, body: bytes) -> bytes:
    """A whole request's bytes; its signature holds for a quarter of an hour."""
    headers = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
    request = AWSRequest(method, url + path, headers=headers, data=body)
    SigV4Auth(Credentials(*ADMIN), "s3", "us-east-1").add_auth(request)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {url.removeprefix('http://')}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "host"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Client(asyncio.Protocol):
    """One connection that sends its requests in turn, the next when the last was answered."""

    def __init__(self, requests: list[bytes], stop_at: float) -> None:
        self.done = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._stop_at = stop_at
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._requests[0])  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            raise SystemExit(f"the server answered {self._parser.get_status_code()}")
        self.done += 1
        is_kept = self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        if time.monotonic() > self._stop_at or not is_kept:
            self._transport.close()
        else:
            self._transport.write(self._requests[self.done % len(self._requests)])  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(exc)


async def drive(host: str, port: int, requests: list[bytes], stop_at: float) -> int:
    """One connection at a time until the end; some peers close theirs after every answer."""
    done = 0
    while time.monotonic() < stop_at:
        make = asyncio.get_running_loop().create_connection(lambda: Client(requests, stop_at), host, port)
        _, client = await make
        await client.ended
        done += client.done
    return done


def generate(url: str, load: Load, seconds: float, results: "multiprocessing.Queue[tuple[int, float]]") -> None:
    """The generator's process."""
    body = os.urandom(SIZES[load.size]) if load.method == "PUT" else b""
    host, port = url.removeprefix("http://").split(":")
    keys = 1 if load.size == "64MiB" else KEYS_PER_CONNECTION

    async def run() -> None:
        sets = [
            [signed(url, load.method, f"/bench/{load.size}/{c}/{k}", body) for k in range(keys)]
            for c in range(load.connections)
        ]
        started = time.monotonic()
        done = await asyncio.gather(*(drive(host, int(port), requests, started + seconds) for requests in sets))
        results.put((sum(done), time.monotonic() - started))

    uvloop.run(run())


def measured(url: str, pid: int, load: Load, seconds: float) -> Measured:
    results: multiprocessing.Queue[tuple[int, float]] = multiprocessing.Queue()
    before = cpu_s(pid)
    process = multiprocessing.Process(target=generate, args=(url, load, seconds, results))
    process.start()
    while results.empty():
        assert process.is_alive() or not results.empty(), f"the generator of {load.name} failed"
        time.sleep(0.05)
    done, took_s = results.get()
    process.join()
    used_s = cpu_s(pid) - before
    return Measured(done / took_s, used_s / done * 1000)


def cpu_s(pid: int) -> float:
    if not pid:
        return 0.0
    process = psutil.Process(pid)
    return sum(sum(p.cpu_times()[:2]) for p in [process, *process.children(recursive=True)])


@contextmanager
def ours() -> Iterator[tuple[str, int]]:
    with tempfile.TemporaryDirectory() as folder, running_s3(Path(folder)) as s3:
        s3.client().create_bucket(Bucket="bench")
        assert s3.process
        yield s3.url, s3.process.pid


@contextmanager
def moto() -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "moto.server", "-p", str(port := free_port())]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert time.monotonic() < deadline, "moto did not start"
            time.sleep(0.1)
        import boto3

        keys = {"aws_access_key_id": ADMIN[0], "aws_secret_access_key": ADMIN[1]}
        boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(Bucket="bench")
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def limit(load: Load, seconds: float) -> Measured:
    """What this machine could do at best: the disk for a PUT, a server that thinks nothing for a GET."""
    if load.method == "PUT":
        return disk_limit(SIZES[load.size], seconds)
    process = multiprocessing.Process(target=bare_server, args=(port := free_port(), SIZES[load.size]), daemon=True)
    process.start()
    while not answers(port):
        time.sleep(0.02)
    try:
        return measured(f"http://127.0.0.1:{port}", process.pid or 0, load, seconds)
    finally:
        process.terminate()
        process.join()


def disk_limit(size: int, seconds: float) -> Measured:
    body, done = os.urandom(size), 0
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            descriptor = os.open(f"{folder}/{done % 64}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.write(descriptor, body)
            os.fsync(descriptor)
            os.close(descriptor)
            done += 1
        return Measured(done / (time.monotonic() - started), 0.0)


def bare_server(port: int, size: int) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    if size > MIB:
        sendfile_server(port, head, size)
        return
    answer = head + os.urandom(size)

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._write: Callable[[bytes], None] = transport.write  # type: ignore[attr-defined]

        def data_received(self, data: bytes) -> None:
            self._write(answer)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(run())


def sendfile_server(port: int, head: bytes, size: int) -> None:
    """A blocking thread per connection: sendfile and nothing else."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process
    file.write(os.urandom(size))
    file.flush()

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(head)
            sent = 0
            while sent < size:
                sent += os.sendfile(connection.fileno(), file.fileno(), sent, size - sent)

    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


PEERS = {"moto": moto}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each row runs")
    parser.add_argument("--peers", default="moto", help="peers to run beside, separated by commas; empty for none")
    parser.add_argument("--rows", default="", help="rows to run, separated by commas; all if empty")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    loads = [load for load in LOADS if not options.rows or load.name in options.rows.split(",")]
    table: dict[str, dict[str, Measured]] = {load.name: {} for load in loads}
    servers = {"weyr": ours, **{name: PEERS[name] for name in options.peers.split(",") if name}}
    for name, start in servers.items():
        with start() as (url, pid):
            for load in loads:
                table[load.name][name] = measured(url, pid, load, options.seconds)
    for load in loads:
        table[load.name]["limit"] = limit(load, options.seconds)
    if options.json:
        print(json.dumps({row: {n: vars(m) for n, m in cells.items()} for row, cells in table.items()}, indent=1))
        return
    print(
        f"{'row':<16}"
        + "".join(f"{name:>28}" for name in [*servers, "limit"])
        + f"{'weyr / peers':>16}{'limit / weyr':>14}"
    )
    for load in loads:
        cells = table[load.name]
        best = max((cells[name].operations_per_s for name in servers if name != "weyr"), default=0.0)
        mine = cells["weyr"].operations_per_s
        ratio = f"{mine / best:.1f}" if best else "-"
        row = "".join(f"{cells[name].text(load):>28}" for name in [*servers, "limit"])
        print(f"{load.name:<16}{row}{ratio:>16}{cells['limit'].operations_per_s / mine:>14.2f}")


if __name__ == "__main__":
    main()
