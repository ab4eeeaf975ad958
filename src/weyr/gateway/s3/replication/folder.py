"""How does a replica lie in a folder? As plain files that people can read, and beside them what belongs to each.

    FOLDER/BUCKET/a/key                            the bytes, where the key can be a path
    FOLDER/BUCKET/.weyr/objects/3f/3f2a….json      what belongs to it, named by the SHA-256 of the key
    FOLDER/BUCKET/.weyr/bytes/3f/3f2a…             the bytes of a key that can be no path (a//b, .., a under a file a)
    FOLDER/BUCKET/.weyr/incoming/                  what is still arriving; removed when the folder is opened

The JSON says `file`, where the bytes lie, so nobody has to know when a key is a path. It counts only beside a file of
its size and its moment, which the file has as its time of change, so that after a crash none is described wrongly.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from weyr.gateway.s3.blobs import sync_folder
from weyr.gateway.s3.care.export import described_meta
from weyr.gateway.s3.replication.target import Item, Progress, TargetAway, Wanted
from weyr.gateway.s3.replication.verifying import verified

OWN = ".weyr"
NOTES = f"{OWN}/objects"
TRIES_MAX = 5
PIECE_BYTES = 2**20
_PART_MAX = 255
_FIELDS = {"key", "file", "size", "etag", "modified_ms", "sha256", "meta"}


class FolderTarget:
    """The folder `path`, with a folder for each bucket in it. Encrypted objects lie there plain."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._number = 0
        self._ready: set[str] = set()

    def bucket_for(self, bucket: str) -> str:
        return bucket

    def put(self, item: Item, progress: Progress) -> None:
        try:
            self._put(item)
        except OSError as e:
            raise TargetAway(f"{self._path}: {e.strerror or e}") from e

    def _put(self, item: Item) -> None:
        root = self._root(item.bucket)
        note = _note_path(root, item.key)
        there = _read(note)
        arriving = self._arriving(root, item.key)
        digest = hashlib.sha256()
        try:
            with arriving.open("wb") as file:
                for piece in verified(item):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.utime(file.fileno(), ns=(item.modified_ms * 10**6,) * 2)
                os.fsync(file.fileno())
            place = self._placed(root, item.key, arriving, there)
            self._describe(root, note, item, {"file": place, "sha256": digest.hexdigest()})
        finally:
            arriving.unlink(missing_ok=True)

    def _placed(self, root: Path, key: str, arriving: Path, there: Mapping[str, object] | None) -> str:
        """Gives the bytes their name, durably. Gives it, from the bucket's folder on."""
        is_aside = there is not None and str(there["file"]).startswith(f"{OWN}/")
        for place in [_aside(key)] if is_aside or not _is_path(key) else [key, _aside(key)]:
            if _renamed(root, arriving, place):
                return place
        raise TargetAway(f"{root}: the names for {key!r} change under our hands")

    def _describe(self, root: Path, note: Path, item: Item, there: Mapping[str, object]) -> None:
        arriving = self._arriving(root, item.key).with_suffix(".json")
        fields = {
            "key": item.key,
            **there,
            "size": item.size,
            "etag": item.etag,
            "parts": list(item.parts),
            "version": item.version,
            "modified_ms": item.modified_ms,
            "meta": described_meta(item.meta),
        }
        with arriving.open("w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        _make(note.parent, root)
        os.replace(arriving, note)
        sync_folder(note.parent)

    def put_tags(self, item: Item) -> bool:
        try:
            root = self._root(item.bucket)
            note = _note_path(root, item.key)
            there = _read(note)
            if there is None or there["etag"] != item.etag or not _is_whole(root, there):
                return False
            self._describe(root, note, item, {name: there[name] for name in ("file", "sha256")})
        except OSError as e:
            raise TargetAway(f"{self._path}: {e.strerror or e}") from e
        return True

    def has(self, item: Item) -> bool:
        root = self._path / item.bucket
        there = _read(_note_path(root, item.key))
        if there is None or there["etag"] != item.etag or not _is_whole(root, there):
            return False
        return there["meta"] == described_meta(item.meta)

    def delete(self, bucket: str, key: str, at_ms: int) -> None:
        try:
            root = self._root(bucket)
            note = _note_path(root, key)
            there = _read(note)
            if there is None and not _is_path(key):
                return
            file = root / (str(there["file"]) if there else key)
            if file.is_file() or file.is_symlink():
                file.unlink(missing_ok=True)
                sync_folder(file.parent)
                _prune(file.parent, root)
            note.unlink(missing_ok=True)
            if note.parent.is_dir():
                sync_folder(note.parent)
        except OSError as e:
            raise TargetAway(f"{self._path}: {e.strerror or e}") from e

    def abandon(self, bucket: str, key: str, upload: str) -> None:
        """There are none that outlive a call."""

    def fetch(self, wanted: Wanted) -> Iterator[bytes] | None:
        root = self._path / wanted.bucket
        there = _read(_note_path(root, wanted.key))
        if there is None or (there["etag"], there["size"]) != (wanted.etag, wanted.size):
            return None
        return _piece(root / str(there["file"]), wanted.start, wanted.count)

    def close(self) -> None:
        """Nothing is held."""

    def _root(self, bucket: str) -> Path:
        """A bucket's folder, made and cleared of what an earlier process left, once."""
        root = self._path / bucket
        if not self._path.is_dir():
            # It is never made anew: what is gone may be a disk that is not mounted.
            raise TargetAway(f"{self._path} is not there")
        if bucket not in self._ready or not root.is_dir():
            incoming = root / OWN / "incoming"
            incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            for entry in incoming.iterdir():
                entry.unlink(missing_ok=True)
            for folder in (incoming.parent, root, self._path, self._path.parent):
                sync_folder(folder)
            self._ready.add(bucket)
        return root

    def _arriving(self, root: Path, key: str) -> Path:
        # A key is worked on by one thread at a time, so its name is nobody else's.
        return root / OWN / "incoming" / _hash(key)


def _piece(path: Path, start: int, count: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while count and (data := file.read(min(count, PIECE_BYTES))):
            yield data
            count -= len(data)


def _renamed(root: Path, arriving: Path, place: str) -> bool:
    """Whether the bytes have their name now; not where a file stands where a folder would have to, or a folder does."""
    path = root / place
    for _ in range(TRIES_MAX):
        try:
            _make(path.parent, root)
            os.rename(arriving, path)
            sync_folder(path.parent)
            return True
        except (NotADirectoryError, IsADirectoryError, FileExistsError):
            return False
        except FileNotFoundError:
            continue  # somebody removed the folder, which had become empty
    return False


def _make(folder: Path, root: Path) -> None:
    """Makes a folder under `root`, its names durable. Raises: OSError."""
    made = []
    while not folder.is_dir():
        made.append(folder)
        folder = folder.parent
        if folder == root.parent:
            break
    for path in reversed(made):
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)


def _prune(folder: Path, root: Path) -> None:
    """Removes folders that became empty. Another thread may put something in one just then; that one stays."""
    while folder not in (root, root / OWN):
        try:
            folder.rmdir()
            sync_folder(folder.parent)
        except OSError:
            return
        folder = folder.parent


def _is_path(key: str) -> bool:
    """Whether a key can be a path below the bucket's folder that comes back as the same key."""
    parts = key.split("/")
    return parts[0] != OWN and all(
        part not in ("", ".", "..") and "\0" not in part and len(part.encode()) <= _PART_MAX for part in parts
    )


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _aside(key: str) -> str:
    name = _hash(key)
    return f"{OWN}/bytes/{name[:2]}/{name}"


def _note_path(root: Path, key: str) -> Path:
    name = _hash(key)
    return root / NOTES / name[:2] / f"{name}.json"


def _read(note: Path) -> dict[str, object] | None:
    """What belongs to an object, None where there is nothing or nothing that can be read."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and found.keys() >= _FIELDS else None
    except (OSError, ValueError):
        return None


def _is_whole(root: Path, there: Mapping[str, object]) -> bool:
    try:
        found = (root / str(there["file"])).stat()
        return (found.st_size, found.st_mtime_ns // 10**6) == (there["size"], there["modified_ms"])
    except OSError:
        return False
