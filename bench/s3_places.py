"""Which servers does the benchmark ask? Ours, the peers that can be installed, and the limits of the machine.

A peer runs from a Python (or npm prefix) of its own; none is a dependency of the project. Each says what it promises of
a PUT, since a server that keeps objects in memory does not do the same work as one that writes them down.
"""

import asyncio
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import boto3
import uvloop
from botocore.config import Config
from ports import answers, free_port
from s3_load import MIB, Load, Measured, Place, key_of

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.index import Index, Transaction
from weyr.gateway.s3.records import Meta
from weyr.gateway.s3.writes import NewBlob, NewObject, WriteCondition, put

READY_S = 90.0
KEY, SECRET = "BENCHKEY", "bench-secret-bench-secret"
KEYS_PER_WRITE = 2000


@dataclass(frozen=True)
class Peer:
    """A server that installs from a registry: how it is called there, how it is started, what a PUT of it promises."""

    package: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    keeps: str


PEERS = {
    "moto": Peer("moto[server]", ("-m", "moto.server", "-p", "{port}"), {}, "in memory"),
    "ministack": Peer("ministack", ("-m", "ministack"), {"GATEWAY_PORT": "{port}"}, "in memory"),
    "ministack-disk": Peer(
        "ministack",
        ("-m", "ministack"),
        {"GATEWAY_PORT": "{port}", "S3_PERSIST": "1", "S3_DATA_DIR": "{folder}", "STATE_DIR": "{folder}"},
        "on disk, no fsync",
    ),
}
NODE_PEER = "s3rver"


def keeps(name: str) -> str:
    """What a PUT means at each server."""
    return PEERS[name].keeps if name in PEERS else "on disk, no fsync" if name == NODE_PEER else "on disk, fsync"


@contextmanager
def ours(workers: int, keys: Mapping[str, int]) -> Iterator[Place]:
    """Our own, with buckets of so many keys, put through the index's own operations."""
    with tempfile.TemporaryDirectory(prefix="weyr-bench-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        for bucket, count in keys.items():
            fill_index(data, bucket, count)
        weyr = str(Path(sys.executable).with_name("weyr"))
        port = free_port()
        command = [weyr, "s3", "serve", "--data", str(data), "--port", str(port), "--user", f"bench:{KEY}:{SECRET}"]
        with running([*command, "--workers", str(workers)], port, {}) as pid:
            yield made(Place(f"http://127.0.0.1:{port}", pid, KEY, SECRET), "bench")


@contextmanager
def peer(name: str, python: str) -> Iterator[Place]:
    kind, port = PEERS[name], free_port()
    with tempfile.TemporaryDirectory(prefix="weyr-bench-") as folder:
        fill = partial(str.format, port=port, folder=folder)
        command = [python, *(fill(argument) for argument in kind.arguments)]
        with running(command, port, {key: fill(value) for key, value in kind.environment.items()}) as pid:
            yield made(Place(f"http://127.0.0.1:{port}", pid, KEY, SECRET), "bench")


@contextmanager
def node_peer(prefix: Path) -> Iterator[Place]:
    """s3rver has one user."""
    with tempfile.TemporaryDirectory(prefix="weyr-bench-") as folder:
        port = free_port()
        script = prefix / "node_modules" / "s3rver" / "bin" / "s3rver.js"
        command = ["node", str(script), "-d", folder, "-a", "127.0.0.1", "-p", str(port), "-s", "--no-vhost-buckets"]
        with running(command, port, {}) as pid:
            yield made(Place(f"http://127.0.0.1:{port}", pid, "S3RVER", "S3RVER"), "bench")


@contextmanager
def python_of(name: str, given: Mapping[str, str]) -> Iterator[str]:
    """A Python that has the peer: one that was named, or a virtual environment that lasts as long as the block."""
    package = PEERS[name].package
    if name in given:
        yield given[name]
        return
    with tempfile.TemporaryDirectory(prefix="weyr-bench-venv-") as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", package], check=True)
        yield python


def made(place: Place, bucket: str) -> Place:
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5})
    keys = {"aws_access_key_id": place.key, "aws_secret_access_key": place.secret, "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=place.url, config=config, **keys).create_bucket(Bucket=bucket)
    return place


@contextmanager
def running(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """A server's process until the block ends. Raises: RuntimeError where it does not come up."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment})
        try:
            deadline = time.monotonic() + READY_S
            while not answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} did not come up: {log.read()[-500:].decode(errors='replace')}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def fill_index(data: Path, bucket: str, count: int) -> None:
    """A bucket of so many keys of one byte, as they would be after so many PUTs."""

    async def run() -> None:
        blobs = BlobStore(data)
        index = Index(data, blobs, asyncio.get_running_loop())
        index.start()
        await index.write(partial(bucket_writes.create, name=bucket, owner="bench", now_ms=1))
        for first in range(0, count, KEYS_PER_WRITE):
            numbers = range(first, min(count, first + KEYS_PER_WRITE))
            ids = [blobs.new_id() for _ in numbers]
            await index.write(partial(put_many, bucket=bucket, first=first, ids=ids))
        index.close()
        blobs.close()

    uvloop.run(run())


def put_many(transaction: Transaction, bucket: str, first: int, ids: list[int]) -> None:
    etag = hashlib.md5(b"x").hexdigest()
    for number, blob in enumerate(ids, first):
        new = NewObject(key_of(number), 1, etag, 1, "", Meta(), (NewBlob(blob, 1, b"x"),))
        put(transaction, bucket, new, WriteCondition())


# --- limits


def disk_limit(load: Load, seconds: float, folder: Path) -> Measured:
    """Files written and fsynced by as many threads, and nothing else."""
    body, stop_at = os.urandom(load.bytes), time.monotonic() + seconds

    def write(thread: int) -> int:
        done = 0
        while time.monotonic() < stop_at or not done:
            descriptor = os.open(folder / f"{thread}-{done % 4}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.write(descriptor, body)
            os.fsync(descriptor)
            os.close(descriptor)
            done += 1
        return done

    started = time.monotonic()
    with ThreadPoolExecutor(load.connections) as pool:
        done = sum(pool.map(write, range(load.connections)))
    return Measured(done / (time.monotonic() - started))


def hash_limit(load: Load) -> Measured:
    """What bounds every server that answers with an MD5 and verifies the signed SHA-256: all cores at nothing else."""
    body = os.urandom(min(load.bytes, MIB))
    started, rounds = time.perf_counter(), max(1, 8 * MIB // len(body))
    for _ in range(rounds):
        hashlib.md5(body).digest()
        hashlib.sha256(body).digest()
    per_s = rounds * len(body) / (time.perf_counter() - started)
    return Measured(per_s / load.bytes * len(os.sched_getaffinity(0)))


def digest_rate(name: str) -> float:
    """Bytes in a second that one core digests."""
    body, started = os.urandom(16 * MIB), time.perf_counter()
    hashlib.new(name, body).digest()
    return len(body) / (time.perf_counter() - started)


@contextmanager
def bare(size: int) -> Iterator[Place]:
    """A server that parses nothing: small answers from memory on uvloop, larger ones by sendfile from threads."""
    port = free_port()
    code = f"import s3_places; s3_places.bare_server({port}, {size})"
    environment = {"PYTHONPATH": str(Path(__file__).parent)}
    with running([sys.executable, "-c", code], port, environment) as pid:
        yield Place(f"http://127.0.0.1:{port}", pid, KEY, SECRET)


def bare_server(port: int, size: int) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    if size >= MIB:
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
    with tempfile.TemporaryFile() as file, socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        file.write(bytes(size))
        file.flush()

        def serve(connection: socket.socket) -> None:
            while connection.recv(65536):
                connection.sendall(head, socket.MSG_MORE)
                sent = 0
                while sent < size:
                    sent += os.sendfile(connection.fileno(), file.fileno(), sent, size - sent)

        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
