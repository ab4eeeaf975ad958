"""How fast do model weights come from a bucket that is elsewhere: cold, warm, and without Weyr in between?

    python bench/s3_cache.py                      256 MiB from another Weyr behind a line of 20 ms and 85 MB/s
    python bench/s3_cache.py --delay-ms 50 --mib 1024

The remote is a second `weyr s3 serve` on this machine, in one process, behind a line that holds each request up by the
delay, and carries each connection's answers at the speed that Amazon's S3 gives one (85 to 90 MB/s:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html, 2026-11). Everybody may
read both, so that nobody signs. `direct` is the client at the remote, through the same line; `local` is a bucket
of the door itself, which no cache can beat. Cold has an empty block cache each time; warm has everything there. Each is
the best of three.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

MIB = 2**20
WEYR = Path(sys.executable).with_name("weyr")
PART = 8 * MIB
TIMES = 3
EVERYBODY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=256, help="size of the weights")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="how long the line holds each request up")
    parser.add_argument("--stream-mb-s", type=float, default=85.0, help="how fast one connection is; 0 for no limit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weyr-bench-") as folder, ExitStack() as held:
        run(Path(folder), options.mib * MIB, options.delay_ms / 1000, options.stream_mb_s * 1e6, held)


def run(folder: Path, size: int, delay_s: float, bytes_per_s: float, held: ExitStack) -> None:
    far = served(folder / "far", held, "--workers=1")
    line = Line(far, delay_s, bytes_per_s)
    held.callback(line.close)
    keys = {"WEYR_REMOTE_WEIGHTS_ACCESS_KEY_ID": "KEY", "WEYR_REMOTE_WEIGHTS_SECRET_ACCESS_KEY": "a-secret"}
    near = served(folder / "near", held, f"--remote=weights=s3://weights?endpoint={line.url}", **keys)
    body = os.urandom(MIB) * (size // MIB)
    for url, bucket in ((far, "weights"), (near, "local")):
        s3 = client(url)
        s3.create_bucket(Bucket=bucket)
        s3.upload_fileobj(_file(folder, body), bucket, "model")
    for url, bucket in ((far, "weights"), (near, "local"), (near, "weights")):
        policy = {"Statement": [EVERYBODY["Statement"][0] | {"Resource": f"arn:aws:s3:::{bucket}/*"}]}
        client(url).put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def clear() -> None:
        for block in (folder / "near" / "cache" / "blocks").glob("*/*"):
            block.unlink()

    def nothing() -> None: ...

    cases: list[tuple[str, str, str, int, Callable[[], None]]] = [
        ("direct, one stream", line.url, "weights", 1, nothing),
        ("direct, 8 ranges at once", line.url, "weights", 8, nothing),
        ("door cold, one stream", near, "weights", 1, clear),
        ("door cold, 8 ranges at once", near, "weights", 8, clear),
        ("door warm, one stream", near, "weights", 1, nothing),
        ("door warm, 8 ranges at once", near, "weights", 8, nothing),
        ("local, one stream", near, "local", 1, nothing),
        ("local, 8 ranges at once", near, "local", 8, nothing),
    ]
    figures = {}
    for name, url, bucket, at_once, before in cases:
        figures[name] = min(timed(f"{url}/{bucket}/model", size, at_once, before) for _ in range(TIMES))
    base = figures["direct, one stream"]
    line_is = f"{1000 * delay_s:.0f} ms a request, {bytes_per_s / 1e6:.0f} MB/s a connection"
    print(f"{size // MIB} MiB, {line_is}, {os.cpu_count()} CPUs for everybody\n")
    print(f"{'':30}{'MB/s':>8}{'seconds':>9}{'ratio':>8}")
    for name, seconds in figures.items():
        print(f"{name:30}{size / seconds / 1e6:8.0f}{seconds:9.2f}{base / seconds:8.2f}")


def timed(url: str, size: int, at_once: int, before: Callable[[], None]) -> float:
    before()
    began = time.perf_counter()
    if at_once == 1:
        got = fetched(url, "")
    else:
        with ThreadPoolExecutor(at_once) as pool:
            ranges = [f"bytes={start}-{min(start + PART, size) - 1}" for start in range(0, size, PART)]
            got = sum(pool.map(lambda part: fetched(url, part), ranges))
    assert got == size, f"{got} bytes came of {size}"
    return time.perf_counter() - began


_kept = threading.local()


def fetched(url: str, part: str) -> int:
    """Reads and counts, over a connection that each thread keeps."""
    parts = urlsplit(url)
    if getattr(_kept, "host", "") != parts.netloc:
        _kept.host, _kept.connection = parts.netloc, http.client.HTTPConnection(parts.netloc, timeout=60)
    _kept.connection.request("GET", parts.path, headers={"Range": part} if part else {})
    response = _kept.connection.getresponse()
    assert response.status in (200, 206), response.read()[:500]
    buffer, got = bytearray(MIB), 0
    while count := response.readinto(buffer):
        got += count
    return got


def served(data: Path, held: ExitStack, *arguments: str, **environment: str) -> str:
    """A door of its own; gives its URL."""
    command = [str(WEYR), "s3", "serve", "--data", str(data), "--port", "0", "--json", "--user=me:KEY:a-secret"]
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | environment
    )
    held.callback(process.wait)
    held.callback(process.terminate)
    assert process.stdout is not None
    return str(json.loads(process.stdout.readline())["url"])


def client(url: str):
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="KEY",
        aws_secret_access_key="a-secret",
        config=Config(s3={"addressing_style": "path"}),
    )


def _file(folder: Path, body: bytes):
    path = folder / "model"
    path.write_bytes(body)
    return path.open("rb")


class Line:
    """Passes connections on, each request later and each answer no faster than it may be."""

    def __init__(self, target: str, delay_s: float, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        parts = urlsplit(target)
        self._target, self._delay_s = (parts.hostname, parts.port), delay_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                end, _ = self._listener.accept()
                there = socket.create_connection(self._target)
                threading.Thread(target=self._asked, args=(end, there), daemon=True).start()
                threading.Thread(target=self._answered, args=(there, end), daemon=True).start()

    def _asked(self, source: socket.socket, sink: socket.socket) -> None:
        """What goes to the server waits first: that is once for each request, however long its answer is."""
        with suppress(OSError):
            while data := source.recv(MIB):
                time.sleep(self._delay_s)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)

    def _answered(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            buffer, due = bytearray(MIB), time.perf_counter()
            while count := source.recv_into(buffer):
                sink.sendall(memoryview(buffer)[:count])
                if self._bytes_per_s:
                    now = time.perf_counter()
                    due = max(due, now - 0.05) + count / self._bytes_per_s
                    time.sleep(max(0.0, due - now))
            sink.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
