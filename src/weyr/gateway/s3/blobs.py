"""Where do the bytes of objects lie? In files named by a number, made whole before they get their name.

    blobs/0000002a/0002a07f    the blob 172159: folders hold 4,096 blobs each, in the order they were begun
    incoming/172160            a blob that is still arriving; whatever lies here at start is removed
    incoming/172161-7          the same, in the seventh worker process that was started
    copying                    an empty file: who holds a shared lock on it copies blobs, and none is removed meanwhile

It refuses to know which object a blob belongs to: that is the index's knowledge.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from weyr.gateway.s3.shared import Numbers

PER_FOLDER = 4096
"""Blobs begun one after the other share a folder, so one fsync of it covers a whole group of them."""


class BlobStore:
    """The blob files under one folder. Numbers are given out in order and never twice.

    Takes: `name`, of the process, where several take in blobs.
    Promises: `publish` makes finished blobs durable under their names; a file under blobs/ is always whole.
    """

    def __init__(self, folder: Path, numbers: Numbers | None = None, name: str = "") -> None:
        self._numbers = numbers or Numbers()
        self._name = name
        self._blobs = folder / "blobs"
        self._incoming = folder / "incoming"
        self._folders: dict[int, int] = {}
        self._pins: dict[int, int] = {}
        self._unwanted: set[int] = set()
        self._stuck: set[Path] = set()
        self._lock = threading.Lock()
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        self._copying = _copying(folder)

    def recover(self, highest_known: int) -> int:
        """Removes what was still arriving and starts numbering after everything there is. Gives the first number."""
        for entry in os.scandir(self._incoming):
            os.unlink(entry.path)
        newest = max((int(entry.name, 16) for entry in os.scandir(self._blobs)), default=0)
        first = max(highest_known, (newest + 1) * PER_FOLDER) + 1
        self._numbers.begin(first)
        return first

    def has_any(self) -> bool:
        """Whether any blob has its name."""
        return any(True for _ in self._blobs.glob("*/*"))

    def new_id(self) -> int:
        """The number for a new blob."""
        return self._numbers.next()

    def path_of(self, blob: int) -> Path:
        return self._blobs / f"{blob // PER_FOLDER:08x}" / f"{blob:08x}"

    def begun(self, blob: int) -> Path:
        """The file of a blob that has arrived, or is arriving, in this process, and has not got its name."""
        return self._arriving(blob, self._name)

    def begin(self, blob: int) -> int:
        """Opens the arriving blob for writing. Gives a descriptor, which the caller closes."""
        return os.open(self.begun(blob), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def abandon(self, blob: int) -> None:
        """Removes an arriving blob, if it is there."""
        with self._lock:
            path = self.begun(blob)
            if not _drop(path):
                self._stuck.add(path)

    def remove_arriving(self, name: str) -> None:
        """Removes all that a process of this name has begun to take in."""
        for entry in os.scandir(self._incoming):
            if entry.name.endswith(f"-{name}"):
                with self._lock:
                    if not _drop(Path(entry.path)):
                        self._stuck.add(Path(entry.path))

    def _arriving(self, blob: int, name: str) -> Path:
        return self._incoming / (f"{blob}-{name}" if name else str(blob))

    def publish(self, blobs: Iterable[tuple[int, str]]) -> None:
        """Gives arrived and fsynced blobs their names, durably. Takes: each with the process that took it in.

        Raises: OSError; some of the blobs may then have their names, and none may be acknowledged.
        """
        folders = set()
        for blob, name in blobs:
            folders.add(blob // PER_FOLDER)
            self._folder(blob // PER_FOLDER)
            os.rename(self._arriving(blob, name), self.path_of(blob))
        for number in folders:
            os.fsync(self._folder(number))

    def put_back(self, blob: int) -> None:
        """Gives an arrived and fsynced blob the place of a damaged one of the same number, durably. Raises: OSError."""
        path = self.path_of(blob)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        os.rename(self.begun(blob), path)
        sync_folder(path.parent)
        sync_folder(self._blobs)

    def open(self, blob: int) -> int:
        """A descriptor to read the blob with. Raises: FileNotFoundError where it was removed meanwhile."""
        return os.open(self.path_of(blob), os.O_RDONLY | os.O_CLOEXEC)

    def remove(self, blobs: Iterable[int]) -> None:
        """Removes blobs that the index no longer names, and those that had to stay before.

        Those of an object that is being read go when it is done; while somebody copies, none goes.
        What the disk does not let go is tried again at the next call.
        """
        with self._lock:
            self._stuck = {path for path in self._stuck if not _drop(path)}
            self._unwanted.update(blobs)
            ready = self._unwanted - self._pins.keys()
            if not ready:
                return
            try:
                fcntl.flock(self._copying, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            try:
                self._unwanted -= {blob for blob in ready if _drop(self.path_of(blob))}
            finally:
                fcntl.flock(self._copying, fcntl.LOCK_UN)

    def pin(self, blobs: list[int]) -> None:
        """Keeps blobs while they are read. Either all of one object's are there afterwards or none is."""
        with self._lock:
            for blob in blobs:
                self._pins[blob] = self._pins.get(blob, 0) + 1

    def unpin(self, blobs: list[int]) -> None:
        """Ends one `pin` of the same blobs."""
        with self._lock:
            for blob in blobs:
                self._pins[blob] -= 1
                if not self._pins[blob]:
                    del self._pins[blob]
            is_awaited = not self._unwanted.isdisjoint(blobs)
        if is_awaited:
            self.remove(())

    def remove_unnamed(self, below: int, unnamed_of: Callable[[list[int]], Iterable[int]]) -> int:
        """Removes every blob numbered below `below` that `unnamed_of` (given ids) gives back. Gives how many."""
        removed = 0
        for folder in sorted(os.scandir(self._blobs), key=lambda entry: entry.name):
            ids = [int(entry.name, 16) for entry in os.scandir(folder.path)]
            unnamed = list(unnamed_of([blob for blob in ids if blob < below]))
            self.remove(unnamed)
            removed += len(unnamed)
            if (int(folder.name, 16) + 1) * PER_FOLDER <= below and not os.listdir(folder.path):
                os.rmdir(folder.path)
        return removed

    def close(self) -> None:
        for descriptor in self._folders.values():
            os.close(descriptor)
        self._folders.clear()
        os.close(self._copying)

    def _folder(self, number: int) -> int:
        """A descriptor of a blob folder, to fsync; the folder's own name is made durable when it is made."""
        if number not in self._folders:
            path = self._blobs / f"{number:08x}"
            if not path.exists():
                path.mkdir(mode=0o700)
                sync_folder(self._blobs)
            while len(self._folders) >= 8:
                os.close(self._folders.pop(next(iter(self._folders))))
            self._folders[number] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._folders[number]


@contextmanager
def kept_for_copying(folder: Path) -> Iterator[None]:
    """While the block runs no blob under `folder` is removed, whether or not a plane serves it.

    Promises: ends with this process, however it dies.
    """
    descriptor = _copying(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _copying(folder: Path) -> int:
    return os.open(folder / "copying", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _drop(path: Path) -> bool:
    """Removes a file if it is there; False where the disk does not let it go now."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable. Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pieces_of(segments: Iterable[tuple[int, int]], start: int, count: int) -> Iterator[tuple[int, int, int]]:
    """(blob, offset, count) of the segments' bytes from `start` on. Segments are (blob, size) pairs."""
    for blob, size in segments:
        if count <= 0:
            return
        if start < size:
            taken = min(size - start, count)
            yield blob, start, taken
            count -= taken
            start = 0
        else:
            start -= size


def read_at(descriptor: int, count: int, offset: int) -> bytes:
    """As many bytes as asked for, unless the file ends."""
    data = os.pread(descriptor, count, offset)
    while len(data) < count and (more := os.pread(descriptor, count - len(data), offset + len(data))):
        data += more
    return data
