"""Which blocks of outside objects lie on this machine? A folder of files with a bound, shared by every process.

    cache/blocks/3f/3f9a…    a block's bytes, then `weyrblk1` and their CRC-64; its name says what it is a block of
    cache/arriving/…         a block that is being written; whatever lies here at start is removed
    cache/lock               held while room is made or taken, so that processes agree on how much there is

A block counts only while its checksum holds, so nothing here is synced: what a power cut leaves behind is a miss. The
bound is kept by whoever takes room: what is arriving is counted with its whole size before its first byte. Those used
longest ago go first; a file's modification time is when it was last used.
"""

import contextlib
import fcntl
import hashlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anycrc import Model  # type: ignore[import-untyped]

BLOCK_BYTES = 8 * 2**20
MAGIC = b"weyrblk1"
TAIL_BYTES = len(MAGIC) + 8
FILES_MAX = 200_000
FULL_TO = 0.9
"""Making room goes down to this, so that it is not done for every block."""
ABANDONED_S = 600
_CRC = Model("CRC64-NVME")

log = logging.getLogger("weyr.s3")


def crc_of(data: bytes | memoryview) -> bytes:
    """The CRC-64 of a block; 11 GB/s."""
    return int(_CRC.calc(data)).to_bytes(8, "big")


class Held:
    """An open file with a block's bytes at its beginning; it is closed when nobody has it any more."""

    __slots__ = ("_on_close", "descriptor")

    def __init__(self, descriptor: int, on_close: Callable[[], None] | None = None) -> None:
        self.descriptor = descriptor
        self._on_close = on_close

    def __del__(self) -> None:
        os.close(self.descriptor)
        if self._on_close is not None:
            self._on_close()


class Cache:
    """The blocks under `folder`, at most `bytes_max` of them together. Its methods are for threads: they do I/O.

    Promises: a block that comes out is the one that went in; the files never take more than `bytes_max`.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self._blocks = folder / "blocks"
        self._arriving = folder / "arriving"
        self._bytes_max = bytes_max
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._is_failing = False
        self.hits = 0
        self.misses = 0
        self.damaged = 0
        self._lock_path = folder / "lock"
        self._lock_file = -1

    def recover(self) -> None:
        """Removes what was still arriving and what is over the bound. For the first process, before others begin."""
        with self._alone():
            for entry in os.scandir(self._arriving):
                os.unlink(entry.path)
            self._used()
            self._make_room(0)

    def find(self, name: str, size: int) -> Held | None:
        """The block of this name, verified; None where it is not here, or not whole."""
        path = self._path(name)
        try:
            held = Held(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        except FileNotFoundError:
            self.misses += 1
            return None
        except OSError as e:
            self._tell("s3.cache_unread %s", e)
            return None
        try:
            data = memoryview(_read(held.descriptor, size + TAIL_BYTES + 1))
            if len(data) == size + TAIL_BYTES and data[size:] == MAGIC + crc_of(data[:size]):
                os.utime(held.descriptor)
                self.hits += 1
                return held
        except OSError as e:
            log.warning("s3.cache_unread %s", e)
        self.damaged += 1
        log.warning("s3.cache_damaged %s: it is fetched again", path)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None

    def keep(self, name: str, data: bytes) -> Held | None:
        """Keeps a block and gives it open; None where there is no room for it, or the disk does not take it."""
        size = len(data) + TAIL_BYTES
        arriving = self._arriving / f"{os.getpid()}-{next(self._numbers)}"
        descriptor = -1
        try:
            descriptor = self._begin(arriving, size)
            if descriptor >= 0:
                _write(descriptor, data)
                _write(descriptor, MAGIC + crc_of(data))
                path = self._path(name)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                os.rename(arriving, path)
                self._is_failing = False
                return Held(descriptor)
        except OSError as e:
            if descriptor >= 0:
                os.close(descriptor)
            with contextlib.suppress(OSError):
                arriving.unlink(missing_ok=True)
            self._tell("s3.cache_unwritten %s: blocks pass through without being kept", e)
        return None

    def close(self) -> None:
        if self._lock_file >= 0:
            os.close(self._lock_file)

    def _begin(self, path: Path, size: int) -> int:
        """Takes room and gives an open file of that room, -1 where there can be none. Raises: OSError."""
        with self._alone():
            if not self._make_room(size):
                return -1
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                # A disk that is full says so here, before anything was fetched in vain.
                os.posix_fallocate(descriptor, 0, size)
                self._count(size)
            except OSError:
                os.close(descriptor)
                path.unlink()
                raise
            return descriptor

    # --- how much there is: a number in the lock file, counted anew where room is made

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            if self._lock_file < 0:
                # Here, and not at the beginning: a disk that is full then may not be full later.
                for path in (self._blocks, self._arriving):
                    path.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock_file = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _make_room(self, size: int) -> bool:
        """Whether `size` more fits, after what was used longest ago has gone where it did not."""
        if size > self._bytes_max:
            return False
        kept = os.pread(self._lock_file, 16, 0)
        used, count = int.from_bytes(kept[:8], "big"), int.from_bytes(kept[8:], "big")
        if len(kept) == 16 and used + size <= self._bytes_max and count < FILES_MAX:
            return True
        files = sorted(self._files())
        used, count = sum(file_size for _, file_size, _ in files), len(files)
        if used + size > self._bytes_max or count >= FILES_MAX:
            abandoned_ns = time.time_ns() - ABANDONED_S * 10**9
            for last_ns, file_size, path in files:
                if used + size <= self._bytes_max * FULL_TO and count < FILES_MAX * FULL_TO:
                    break
                # What is arriving is somebody's, unless who wrote it died.
                if last_ns < abandoned_ns or not path.startswith(f"{self._arriving}{os.sep}"):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(path)
                    used, count = used - file_size, count - 1
        self._write_count(used, count)
        return used + size <= self._bytes_max

    def _used(self) -> int:
        files = list(self._files())
        used = sum(size for _, size, _ in files)
        self._write_count(used, len(files))
        return used

    def _files(self) -> Iterator[tuple[int, int, str]]:
        """(last used, size, path) of everything that takes room."""
        folders = [self._arriving.as_posix(), *(entry.path for entry in os.scandir(self._blocks))]
        for folder in folders:
            for entry in os.scandir(folder):
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat()
                    yield found.st_mtime_ns, found.st_size, entry.path

    def _count(self, size: int) -> None:
        kept = os.pread(self._lock_file, 16, 0)
        self._write_count(int.from_bytes(kept[:8], "big") + size, int.from_bytes(kept[8:], "big") + 1)

    def _write_count(self, used: int, count: int) -> None:
        os.pwrite(self._lock_file, used.to_bytes(8, "big") + count.to_bytes(8, "big"), 0)

    def _path(self, name: str) -> Path:
        return self._blocks / name[:2] / name

    def _tell(self, text: str, error: OSError) -> None:
        """A disk that stays full is told of once."""
        if not self._is_failing:
            log.warning(text, error)
        self._is_failing = True


def name_of(identity: str, key: str, version: str, block: int) -> str:
    """A block's name: that of one version of one object of one place, and its number."""
    text = "\0".join((identity, key, version, str(block), str(BLOCK_BYTES)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:48]


def passing(data: bytes, on_close: Callable[[], None]) -> Held:
    """Bytes as an open file that lies in memory, for what is not kept."""
    held = Held(os.memfd_create("weyr-block", os.MFD_CLOEXEC), on_close)
    _write(held.descriptor, data)
    return held


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _read(descriptor: int, count: int) -> bytes:
    """The file's first bytes, as many as there are up to `count`."""
    data = os.pread(descriptor, count, 0)
    while 0 < len(data) < count and (more := os.pread(descriptor, count - len(data), len(data))):
        data += more
    return data
