"""What is on a disk when its power goes? A disk that writes down every write and flush, and its states after a cut.

`recorded_disk` mounts an ext4 whose block device is a file that this very module serves, in a process of its own, over
FUSE: whatever the kernel sends to the device comes by here, and into a log. A page that was never written back never
comes by. The log then gives, without another run, the device as it was at any instant (`Crash.at`): that is what a
clone of it would have held. What came since the last flush may besides be lost, reordered or torn, as a disk with a
volatile cache loses it.

Source: include/uapi/linux/fuse.h, protocol 7.31; dm-log-writes has the same idea for kernels with a device mapper.
"""

import ctypes
import errno
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

IMAGE_BYTES = 512 * 2**20
SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""
START_S = 60.0
NAME = "disk.img"

_RECORD = struct.Struct("<QQI")
"""When (monotonic nanoseconds), where, and how many bytes follow. A flush has the length `_FLUSH` and no bytes."""
_FLUSH = 0xFFFFFFFF
_PAUSE = threading.Event()


@dataclass(frozen=True)
class Written:
    """One entry of the log: bytes that reached the device, or with `length` -1 a flush of all before it."""

    at_ns: int
    offset: int
    position: int
    """Where in the log the bytes are."""
    length: int

    @property
    def is_flush(self) -> bool:
        return self.length < 0


@dataclass(frozen=True)
class RecordedDisk:
    """A mounted file system, and the log of what its device was sent."""

    path: Path
    base: Path
    log: Path

    def history(self) -> list[Written]:
        """All that the device was sent up to now."""
        found, position = [], 0
        data = self.log.read_bytes()
        while position + _RECORD.size <= len(data):
            at_ns, offset, length = _RECORD.unpack_from(data, position)
            position += _RECORD.size
            if length == _FLUSH:
                found.append(Written(at_ns, 0, position, -1))
                continue
            found.append(Written(at_ns, offset, position, length))
            position += length
        return found


@contextmanager
def recorded_disk(folder: Path) -> Iterator[RecordedDisk]:
    """Makes the disk in `folder` and mounts it at `folder`/disk. Needs the right to mount."""
    folder.mkdir(parents=True)
    base, log, served, path = (folder / name for name in ("base.img", "log", "served", "disk"))
    served.mkdir()
    path.mkdir()
    with base.open("wb") as image:
        image.truncate(IMAGE_BYTES)
    _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(base))
    _run("cp", "--sparse=always", str(base), str(folder / "live.img"))
    server = subprocess.Popen([sys.executable, __file__, str(served), str(folder / "live.img"), str(log)])
    try:
        _await(served / NAME, server)
        mount(served / NAME, path)
        try:
            yield RecordedDisk(path, base, log)
        finally:
            # Lazily: what a failed test left open must not hide why it failed.
            _run("umount", "--lazy", str(path))
    finally:
        _run("umount", "--lazy", str(served))
        server.send_signal(signal.SIGTERM)
        server.wait(START_S)


class Crash:
    """The device's states after power cuts, in a file that goes forward with them. Ask in order of time."""

    def __init__(self, disk: RecordedDisk, image: Path) -> None:
        self._history = disk.history()
        self._log = disk.log
        self._image = image
        self._safe = image.with_suffix(".flushed")
        _run("cp", "--sparse=always", str(disk.base), str(self._safe))
        self._done = 0

    @property
    def history(self) -> list[Written]:
        return self._history

    def at(self, count: int, loses: random.Random | None = None) -> Path:
        """An image of the device as it was when it had been sent `count` entries.

        Takes: `loses`, to have each write since the last flush dropped, torn or done before others, by chance.
        """
        flushes = (n for n in range(count - 1, -1, -1) if self._history[n].is_flush)
        safe = next(flushes, 0)
        assert safe >= self._done, "time goes forward"
        self._apply(self._safe, self._history[self._done : safe])
        self._done = safe
        _run("cp", "--sparse=always", str(self._safe), str(self._image))
        cached = self._history[safe:count]
        if loses is not None:
            cached = loses.sample(cached, loses.randrange(len(cached) + 1))
        self._apply(self._image, cached, loses)
        return self._image

    def _apply(self, path: Path, entries: Sequence[Written], tears: random.Random | None = None) -> None:
        with path.open("r+b") as image, self._log.open("rb") as log:
            for entry in entries:
                if entry.is_flush:
                    continue
                data = os.pread(log.fileno(), entry.length, entry.position)
                # Half of the writes that the cut touches come whole, of the others about half of the sectors.
                is_torn = tears is not None and tears.random() < 0.5
                step = SECTOR_BYTES if is_torn else len(data)
                for start in range(0, len(data), step):
                    if tears is None or not is_torn or tears.random() < 0.5:
                        os.pwrite(image.fileno(), data[start : start + step], entry.offset + start)


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """The file system of an image, as after a start: its journal is replayed."""
    at.mkdir(exist_ok=True)
    mount(image, at)
    try:
        yield at
    finally:
        _run("umount", "--lazy", str(at))


def mount(image: Path, at: Path) -> None:
    _run("mount", "-o", "loop", str(image), str(at))


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"a disk of this test's own is needed to cut its power: {done.stderr.strip()}\n"
        "These tests mount one (loop, FUSE, ext4): run them as root"
    )


def _await(path: Path, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while not path.exists():
        assert server.poll() is None, "the recorded disk could not be served: run these tests as root"
        assert time.monotonic() < deadline, "the recorded disk was not served in time"
        _PAUSE.wait(0.005)


# --- the process that serves the device's file: as much of FUSE as one file of a fixed size needs

_HEADER = struct.Struct("<IIQQIIIHH")
_ANSWER = struct.Struct("<IiQ")
_WRITE = struct.Struct("<QQIIQII")
_INIT = struct.Struct("<IIIIHHIIHHI7I")
_BUFFER_BYTES = 2**20 + 2**16
_MAX_WRITE = 2**20
_BIG_WRITES, _MAX_PAGES = 1 << 5, 1 << 22
_KEEP_CACHE = 1 << 1
_ROOT, _FILE = 1, 2


class _Server:
    """Answers the kernel's requests one after the other, so the log is the order in which the device did them."""

    def __init__(self, fuse: int, image: int, log: int) -> None:
        self._fuse = fuse
        self._image = image
        self._log = log
        self._size = os.fstat(image).st_size
        self._answers = {
            1: self._lookup, 3: self._attributes, 4: self._attributes, 14: self._open, 15: self._read,
            16: self._write, 17: self._capacity, 18: self._nothing, 20: self._flush, 25: self._nothing,
            26: self._begin, 27: self._open, 29: self._nothing, 38: self._nothing,
        }  # fmt: skip

    def run(self) -> None:
        """Serves until the file system is unmounted."""
        while True:
            try:
                request = os.read(self._fuse, _BUFFER_BYTES)
            except OSError as e:
                if e.errno == errno.ENODEV:
                    return
                if e.errno in (errno.ENOENT, errno.EINTR):
                    continue
                raise
            _, code, unique, node, *_ = _HEADER.unpack_from(request)
            if code in (2, 36, 42):
                continue  # forget and interrupt have no answer
            answer = self._answers.get(code)
            error, body = (0, answer(node, request)) if answer else (-errno.ENOSYS, b"")
            if body is None:
                error, body = -errno.ENOENT, b""
            os.write(self._fuse, _ANSWER.pack(_ANSWER.size + len(body), error, unique) + body)

    def _begin(self, _node: int, request: bytes) -> bytes:
        readahead = struct.unpack_from("<I", request, _HEADER.size + 8)[0]
        pages = _MAX_WRITE // 4096
        return _INIT.pack(7, 31, readahead, _BIG_WRITES | _MAX_PAGES, 0, 0, _MAX_WRITE, 1, pages, 0, 0, *[0] * 7)

    def _attribute(self, node: int) -> bytes:
        size, mode = (0, 0o40700) if node == _ROOT else (self._size, 0o100600)
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _lookup(self, _node: int, request: bytes) -> bytes | None:
        if request[_HEADER.size :].rstrip(b"\0") != NAME.encode():
            return None
        return struct.pack("<QQQQII", _FILE, 0, 3600, 3600, 0, 0) + self._attribute(_FILE)

    def _attributes(self, node: int, _request: bytes) -> bytes:
        return struct.pack("<QII", 3600, 0, 0) + self._attribute(node)

    def _open(self, _node: int, _request: bytes) -> bytes:
        return struct.pack("<QII", 1, _KEEP_CACHE, 0)

    def _capacity(self, _node: int, _request: bytes) -> bytes:
        return bytes(80)

    def _nothing(self, _node: int, _request: bytes) -> bytes:
        return b""

    def _read(self, _node: int, request: bytes) -> bytes:
        _, offset, size, *_ = _WRITE.unpack_from(request, _HEADER.size)
        return os.pread(self._image, size, offset)

    def _write(self, _node: int, request: bytes) -> bytes:
        _, offset, size, *_ = _WRITE.unpack_from(request, _HEADER.size)
        data = memoryview(request)[_HEADER.size + _WRITE.size :][:size]
        os.pwrite(self._image, data, offset)
        os.writev(self._log, [_RECORD.pack(time.monotonic_ns(), offset, size), data])
        return struct.pack("<II", size, 0)

    def _flush(self, _node: int, _request: bytes) -> bytes:
        os.write(self._log, _RECORD.pack(time.monotonic_ns(), 0, _FLUSH))
        return b""


def _serve(served: str, image: str, log: str) -> None:
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    library = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0"
    if library.mount(b"weyr-recorded-disk", served.encode(), b"fuse", 0, options.encode()) != 0:
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
    files = os.open(image, os.O_RDWR | os.O_CLOEXEC), os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    _Server(fuse, *files).run()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
