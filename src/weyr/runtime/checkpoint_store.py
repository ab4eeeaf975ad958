"""How does a checkpoint lie in a bucket so that half of one is never taken for a whole?

    <prefix>/<number, 8 digits>/files/...       the files, first
    <prefix>/<number, 8 digits>/manifest.json   their sizes and sums, last

Only what its manifest says, to the byte, is ever given back. The newest whole checkpoints are kept, the rest
is removed, manifests first. The store is any of obstore's; which one is the caller's affair.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import obstore
from obstore.store import LocalStore, MemoryStore, S3Store

Store = S3Store | LocalStore | MemoryStore

CHUNK_BYTES = 8 << 20
UPLOADS_AT_ONCE = 3
PLAIN_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""Names that every store takes as they are; others are stored under a number and named in the manifest."""


class NotWhole(Exception):
    """A checkpoint whose manifest is missing, or whose files are not what its manifest says."""


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One file: its path within the entry ("" where the entry is the file), and where it is stored."""

    path: str
    key: str
    size_bytes: int
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole checkpoint. `entry` is the name it had in the checkpoint folder."""

    number: int
    entry: str
    is_folder: bool
    mtime_ns: int
    folders: tuple[str, ...]
    files: tuple[SavedFile, ...]
    version: int = 1

    @property
    def name(self) -> str:
        """How people see it: `epoch-7#12` is entry epoch-7, the twelfth that was saved."""
        return f"{self.entry}#{self.number}"


class CheckpointStore:
    """The checkpoints of one job under one prefix. Raises: obstore's errors where the store does not answer."""

    def __init__(self, store: Store, prefix: str, keep: int = 3) -> None:
        self._store, self._prefix, self._keep = store, prefix.strip("/"), max(1, keep)
        self._last: dict[str, _Stored] = {}
        self._whole: set[int] = set()

    def numbers(self) -> list[int]:
        """Every number that was begun, whole or not, oldest first."""
        found = obstore.list_with_delimiter(self._store, prefix=self._prefix)["common_prefixes"]
        names = [prefix.rstrip("/").rpartition("/")[2] for prefix in found]
        return sorted(int(name) for name in names if name.isdigit())

    def manifest(self, number: int) -> Manifest:
        """Raises: NotWhole where there is none or it cannot be read."""
        try:
            text = bytes(obstore.get(self._store, self._at(number, "manifest.json")).bytes())
        except (obstore.exceptions.NotFoundError, FileNotFoundError) as e:
            raise NotWhole(f"checkpoint {number} has no manifest") from e
        try:
            fields = json.loads(text)
            files = tuple(SavedFile(**file) for file in fields.pop("files"))
            return Manifest(**fields | {"files": files, "folders": tuple(fields["folders"])})
        except (ValueError, KeyError, TypeError) as e:
            raise NotWhole(f"the manifest of checkpoint {number} cannot be read") from e

    def save(self, entry: Path, number: int) -> Manifest:
        """Uploads an entry under a new number. Whoever reads meanwhile sees no checkpoint there.

        Raises: OSError where the entry changes or goes away under our hands.
        """
        before = entry.stat()
        files, folders = _walk(entry)
        stored = {path: self._put(entry, path, number, index) for index, path in enumerate(files)}
        after = entry.stat()
        if (before.st_mtime_ns, before.st_ino) != (after.st_mtime_ns, after.st_ino):
            raise OSError(f"{entry.name} was changed while it was being saved")
        saved = tuple(each.file for each in stored.values())
        manifest = Manifest(number, entry.name, entry.is_dir(), before.st_mtime_ns, tuple(folders), saved)
        obstore.put(self._store, self._at(number, "manifest.json"), json.dumps(asdict(manifest)).encode())
        self._last = stored
        self._whole.add(number)
        return manifest

    def restore(self, manifest: Manifest, folder: Path) -> Path:
        """Brings a checkpoint back into `folder`, all of it or nothing. Raises: NotWhole, OSError."""
        new = folder / f".{manifest.number}.tmp"
        _remove(new)
        if manifest.is_folder:
            for name in ("", *manifest.folders):
                _inside(new, name).mkdir(mode=0o700, parents=True)
        try:
            for file in manifest.files:
                self._get(manifest.number, file, _inside(new, file.path))
        except NotWhole:
            _remove(new)
            raise
        # Never in the future: what the task saves next has to be newer, also after a clock that ran ahead.
        mtime_ns = min(manifest.mtime_ns, time.time_ns())
        os.utime(new, ns=(mtime_ns, mtime_ns))
        to = _inside(folder, manifest.entry)
        _remove(to)
        new.rename(to)
        return to

    def trim(self, numbers: Iterable[int]) -> None:
        """Removes all of these but the newest whole checkpoints, and what uploads that were cut off left behind."""
        whole: list[int] = []
        for number in sorted(numbers, reverse=True):
            if len(whole) >= self._keep:
                self._remove(number)
            elif self._is_whole(number):
                whole.append(number)
            elif whole:
                self._remove(number)

    def _is_whole(self, number: int) -> bool:
        """Whether it has a manifest. One that had one keeps it until it is removed here, or loses to newer ones."""
        if number not in self._whole:
            try:
                self._whole.add(self.manifest(number).number)
            except NotWhole:
                return False
        return True

    def _at(self, number: int, *rest: str) -> str:
        return "/".join([*([self._prefix] if self._prefix else []), f"{number:08d}", *rest])

    def _put(self, entry: Path, path: str, number: int, index: int) -> "_Stored":
        """Stores one file, and takes its sum as it goes up. What the last checkpoint had under this path is copied
        within the store instead.
        """
        name = path or entry.name
        key = f"files/{name}" if PLAIN_PATH.fullmatch(name) else f"files/.{index}"
        to = self._at(number, key)
        with open(entry / path if path else entry, "rb") as file:
            stat, pieces = os.fstat(file.fileno()), _Summing(file.fileno())
            first = pieces.read()
            begin, last = pieces.sum.hexdigest(), self._last.get(path)
            if not (last and (last.begin, last.file.size_bytes) == (begin, stat.st_size)):
                self._upload(to, stat.st_size, itertools.chain([first], pieces))
            elif pieces.finish() != last.file.sha256 or not self._copy(last.key, to):
                # Alike only as far as its first piece, or not there any more: this one is read twice.
                file.seek(0)
                pieces = _Summing(file.fileno())
                self._upload(to, stat.st_size, pieces)
        saved = SavedFile(path, key, pieces.size_bytes, pieces.sum.hexdigest(), stat.st_mode & 0o777)
        return _Stored(saved, to, begin)

    def _upload(self, to: str, size_bytes: int, pieces: Iterable[bytes]) -> None:
        if size_bytes <= CHUNK_BYTES:
            obstore.put(self._store, to, b"".join(pieces), use_multipart=False)
        else:
            obstore.put(self._store, to, iter(pieces), chunk_size=CHUNK_BYTES, max_concurrency=UPLOADS_AT_ONCE)

    def _copy(self, key: str, to: str) -> bool:
        """Whether the store could copy it. A rule may have removed it, and some stores copy nothing."""
        try:
            obstore.copy(self._store, key, to)
        except (obstore.exceptions.BaseError, OSError):
            return False
        return True

    def _get(self, number: int, file: SavedFile, to: Path) -> None:
        seen, size_bytes = hashlib.sha256(), 0
        try:
            with open(to, "xb", opener=lambda path, flags: os.open(path, flags, file.mode | 0o600)) as out:
                for chunk in obstore.get(self._store, self._at(number, file.key)).stream(min_chunk_size=CHUNK_BYTES):
                    out.write(chunk)
                    seen.update(chunk)
                    size_bytes += len(chunk)
        except (obstore.exceptions.NotFoundError, FileNotFoundError) as e:
            raise NotWhole(f"checkpoint {number} lacks {file.key}") from e
        if (size_bytes, seen.hexdigest()) != (file.size_bytes, file.sha256):
            raise NotWhole(f"{file.key} of checkpoint {number} is not what was saved")

    def _remove(self, number: int) -> None:
        """The manifest goes first: from then on this is no checkpoint any more."""
        names = [meta["path"] for page in obstore.list(self._store, self._at(number)) for meta in page]
        for name in sorted(names, key=lambda name: not name.endswith("/manifest.json")):
            try:
                obstore.delete(self._store, name)
            except (obstore.exceptions.NotFoundError, FileNotFoundError):
                continue  # somebody else tidied up: a lifecycle rule, perhaps


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file of the checkpoint that we saved last: its whole key, and the sum of its first piece."""

    file: SavedFile
    key: str
    begin: str


class _Summing:
    """A file's bytes in pieces, with their sum and count as they pass."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.sum, self.size_bytes = hashlib.sha256(), 0

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk

    def read(self) -> bytes:
        """The next piece; b"" at the end."""
        chunk = os.read(self._fd, CHUNK_BYTES)
        self.sum.update(chunk)
        self.size_bytes += len(chunk)
        return chunk

    def finish(self) -> str:
        """The sum of the whole file, in hexadecimal."""
        for _ in self:
            pass
        return self.sum.hexdigest()


def _walk(entry: Path) -> tuple[list[str], list[str]]:
    """The files and the folders of an entry, as paths within it. Raises: OSError for what cannot be saved."""
    if not entry.is_dir():
        return [""], []
    files: list[str] = []
    folders: list[str] = []
    for at, below, names in os.walk(entry, onerror=_raise):
        for name in below:
            if os.path.islink(os.path.join(at, name)):
                raise OSError(f"{entry.name} has a link to a folder ({name}); only files and folders are saved")
            folders.append(os.path.relpath(os.path.join(at, name), entry))
        files += [os.path.relpath(os.path.join(at, name), entry) for name in names]
    return sorted(files), sorted(folders)


def _raise(error: OSError) -> None:
    raise error


def _inside(folder: Path, name: str) -> Path:
    """A path within a folder. A manifest comes from a bucket: it must not lead us out."""
    if name.startswith("/") or ".." in name.split("/"):
        raise NotWhole(f"{name!r} is no name of a file in a checkpoint")
    return folder / name if name else folder


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
