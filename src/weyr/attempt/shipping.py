"""How does a task keep the files that it was begun with? A snapshot of its folder, named by what it holds.

    blobs/ab/abcd...         a file's bytes, named by their SHA-256
    snapshots/DIGEST.json    a manifest: folders, files and links with their modes; DIGEST is its own SHA-256
    versions/REF.json        which snapshot each of an object's last generations runs on
    seen/FOLDER.json         what was known of a folder's files, so that unchanged ones are not read again

All of it appears under its name whole. A snapshot that was cleared away is said to be gone, never quietly taken anew.
"""

import hashlib
import json
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from weyr.attempt import task_folder
from weyr.attempt.shipped_files import CannotShip, Entry, entries_of
from weyr.core.ref import Ref, ThingId

SHIPPED_FOLDER = ".shipped"
"""Its name, beside the tasks' folders."""
KEPT_MAX = 50
KEPT_BYTES_MAX = 10 << 30
GENERATIONS_KEPT = 4
SETTLE_NS = 1_000_000_000
"""A file that changed so shortly before it was read may change again within one tick of the file system's clock."""
TRIES = 3
CHUNK_BYTES = 1 << 20


class Snapshots:
    """The snapshots below one folder; what lies in `ours` is in none. Its threads queue here."""

    def __init__(
        self,
        store: Path,
        ours: Collection[Path] = (),
        kept_max: int = KEPT_MAX,
        bytes_max: int = KEPT_BYTES_MAX,
        settle_ns: int = SETTLE_NS,
    ) -> None:
        self._store, self._kept_max, self._bytes_max, self._settle_ns = store, kept_max, bytes_max, settle_ns
        self._lock = threading.Lock()
        # Data beside the code holds tokens, other tasks' files, and these snapshots.
        self._ours = {os.path.realpath(path) for path in (store, *ours)}
        self.read_files = 0
        """How many files were read since it was opened."""

    def of_version(self, id: ThingId, generation: int, folder: str, live: Collection[Ref]) -> str:
        """The digest of the snapshot that this generation of the object runs on, taken now where it is the first to
        ask. What objects in `live` run on is kept. Raises: CannotShip; OSError.

        A name is used once in an object's life. So where the thing that it was taken for comes again, either nothing
        ran on it yet, or the object was made anew and counts its generations from one again.
        """
        with self._lock:
            path = self._store / "versions" / f"{quote(id.ref.absolute, safe='')}.json"
            versions: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
            for version in versions:
                if (version["generation"], version["folder"]) == (generation, folder) and version["first"] != id.part:
                    return str(version["digest"])
            digest = self._take(folder)
            mine = {"generation": generation, "folder": folder, "first": id.part, "digest": digest}
            others = [each for each in versions if each["generation"] < generation]
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.sync()  # once for all files: a version that is written down has them after a power cut too
            kept = [*others, mine][-GENERATIONS_KEPT:]
            task_folder.write_json(str(path.parent), path.name, kept, is_durable=True)
            self._make_room({digest, *self._used_by(live)})
            return digest

    def take(self, folder: str) -> str:
        """The digest of what is in a folder now; its bytes are kept. Raises: CannotShip; OSError."""
        with self._lock:
            return self._take(folder)

    def lay_out(self, digest: str, into: Path) -> None:
        """Copies a snapshot into a new folder; each file is proved to be what it was. Raises: CannotShip; OSError."""
        manifest = self._manifest(digest)
        try:
            os.utime(self._manifest_path(digest))
        except FileNotFoundError:
            manifest = None
        if manifest is None:
            raise CannotShip("the copy of it was cleared away after others were used; apply the object again")
        into.mkdir(mode=0o700)
        for path, mode, what in manifest:
            to = into / path
            if stat.S_ISDIR(mode):
                to.mkdir(mode=0o700)
            elif stat.S_ISLNK(mode):
                to.symlink_to(what)
            else:
                self._copy(what, path, to)
                to.chmod(stat.S_IMODE(mode))
        for path, mode, _ in reversed(manifest):  # one that may not be written is filled first
            if stat.S_ISDIR(mode):
                (into / path).chmod(stat.S_IMODE(mode) | stat.S_IRWXU)  # the task's end takes it away

    # --- taking

    def _take(self, folder: str) -> str:
        if not os.path.isdir(folder):
            raise CannotShip(f"there is no folder {folder}")
        entries = entries_of(folder, but=self._ours)
        seen = self._store / "seen" / f"{hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:32]}.json"
        before = _seen_in(seen)
        after: dict[str, list[Any]] = {}
        manifest = []
        for entry in entries:
            what = entry.target
            if entry.is_file:
                what, is_settled = self._known(entry, before) or self._keep(folder, entry)
                if is_settled:
                    after[entry.path] = [*_mark(entry.stat), what]
            manifest.append((entry.path, entry.stat.st_mode, what))
        text = json.dumps(manifest).encode()
        digest = hashlib.sha256(text).hexdigest()
        _write(self._manifest_path(digest), text)
        _write(seen, json.dumps(after).encode())
        return digest

    def _known(self, entry: Entry, before: dict[str, list[Any]]) -> tuple[str, bool] | None:
        *mark, digest = before.get(entry.path, [""])
        if mark != _mark(entry.stat):
            return None
        try:
            is_whole = self._blob(digest).stat().st_size == entry.stat.st_size  # a power cut may have cut it short
        except FileNotFoundError:
            return None
        return (digest, True) if is_whole else None

    def _keep(self, folder: str, entry: Entry) -> tuple[str, bool]:
        """Reads a file into the store: its digest, and whether its state is proof of it from now on."""
        for _ in range(TRIES):
            now = time.time_ns()
            found, digest = self._read(os.path.join(folder, entry.path))
            if _mark(found) == _mark(entry.stat):
                return digest, now - max(found.st_mtime_ns, found.st_ctime_ns) > self._settle_ns
            entry = Entry(entry.path, os.lstat(os.path.join(folder, entry.path)))
        raise CannotShip(f"{entry.path} is written to while it is copied; name it in .weyrignore")

    def _read(self, path: str) -> tuple[os.stat_result, str]:
        """A file's state after it was read, and its digest. A link that took its place meanwhile is not followed."""
        self.read_files += 1
        self._store.mkdir(mode=0o700, parents=True, exist_ok=True)
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(source, "rb") as file, tempfile.NamedTemporaryFile(dir=self._store, delete=False) as part:
            try:
                digest = hashlib.sha256()
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    part.write(chunk)
                part.flush()
                blob = self._blob(digest.hexdigest())
                blob.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.replace(part.name, blob)
            except BaseException:
                os.unlink(part.name)
                raise
            return os.fstat(source), digest.hexdigest()

    # --- laying out

    def _copy(self, digest: str, path: str, to: Path) -> None:
        blob = self._blob(digest)
        try:
            with open(blob, "rb") as source, open(to, "xb") as target:
                _copy_bytes(source.fileno(), target.fileno())
        except FileNotFoundError as e:
            raise CannotShip(f"the copy of {path} was cleared away; apply the object again") from e
        with open(to, "rb") as copied:
            if hashlib.file_digest(copied, "sha256").hexdigest() != digest:
                blob.unlink(missing_ok=True)
                raise CannotShip(f"the copy of {path} is damaged; apply the object again")

    def _manifest(self, digest: str) -> list[tuple[str, int, str]] | None:
        """Paths, modes, and digests or targets; None where it is gone or damaged."""
        try:
            text = self._manifest_path(digest).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(text).hexdigest() != digest:
            return None
        return [(path, mode, what) for path, mode, what in json.loads(text)]

    def _manifest_path(self, digest: str) -> Path:
        return self._store / manifest_name(digest)

    def _blob(self, digest: str) -> Path:
        return self._store / blob_name(digest)

    # --- keeping few

    def keep_few(self, used: Collection[str]) -> None:
        """Clears away what was not laid out for long, but for these. Raises: OSError."""
        with self._lock:
            self._make_room(used)

    def _used_by(self, live: Collection[Ref]) -> set[str]:
        paths = [self._store / "versions" / f"{quote(ref.absolute, safe='')}.json" for ref in live]
        return {version["digest"] for path in paths if path.exists() for version in json.loads(path.read_text())}

    def _make_room(self, used: Collection[str]) -> None:
        """Clears away the snapshots that were not laid out for the longest, and the bytes that no other holds."""
        manifests = [*(self._store / "snapshots").glob("*.json")]
        manifests.sort(key=lambda path: (path.stem not in used, -path.stat().st_mtime_ns))
        kept: set[str] = set()
        held = 0
        for number, path in enumerate(manifests):
            files = {what for _, mode, what in self._manifest(path.stem) or () if stat.S_ISREG(mode)}
            blobs = [self._blob(what) for what in files - kept]
            held += sum(blob.stat().st_size for blob in blobs if blob.exists())
            if path.stem in used or (number < self._kept_max and held <= self._bytes_max):
                kept |= files
            else:
                path.unlink()
        for blob in (self._store / "blobs").glob("*/*"):
            if blob.name not in kept:
                blob.unlink()


def manifest_name(digest: str) -> str:
    """Where a snapshot's manifest lies below the folder of snapshots."""
    return f"snapshots/{digest}.json"


def blob_name(digest: str) -> str:
    """Where a file's bytes lie there."""
    return f"blobs/{digest[:2]}/{digest}"


def _seen_in(path: Path) -> dict[str, list[Any]]:
    """What was known of files; nothing where a power cut left half of it, and all are read."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _mark(found: os.stat_result) -> list[int]:
    """What changes with a file: nobody can set its ctime back."""
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _copy_bytes(source: int, target: int) -> None:
    """A copy that shares its blocks until one is written to, where the file system can."""
    try:
        while os.copy_file_range(source, target, CHUNK_BYTES << 6):
            pass
    except OSError:
        os.lseek(source, 0, os.SEEK_SET)
        os.ftruncate(target, 0)
        os.lseek(target, 0, os.SEEK_SET)
        with open(source, "rb", closefd=False) as a, open(target, "wb", closefd=False) as b:
            shutil.copyfileobj(a, b, CHUNK_BYTES)


def _write(path: Path, text: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".tmp")
    part.write_bytes(text)
    part.replace(path)
