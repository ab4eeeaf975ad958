"""How is a folder kept in one file, so that a broken one is never taken for a whole one?

A gzipped tar: `weyr-backup.json` first (who made it, when, in which layout), then the files, then `SHA256SUMS` of
all of them. Any tar and sha256sum can open and check it. A file without its sums at the end is not whole.
"""

import fcntl
import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from weyr.core.diagnostic import Diagnostic, UserError

HEAD = "weyr-backup.json"
SUMS = "SHA256SUMS"
FORMAT = 1
PIECE_BYTES = 1 << 20
HEAD_BYTES_MAX = 1 << 20
COMPRESSION = 1
"""The fastest: blobs are often compressed already, and a copy that takes long is made seldom."""

OnBytes = Callable[[int], None]


class ArchiveWriter:
    """An archive in the making, under another name. `seal` gives it its own; until then there is none.

    Promises: the file is readable by its owner alone, from its first byte on. A kill leaves at most
    `.<name>.part`, which the next try removes.
    """

    def __init__(self, path: Path, on_bytes: OnBytes) -> None:
        """Raises: OSError; BlockingIOError where somebody else is making the same one."""
        self._path, self._part = path, path.with_name(f".{path.name}.part")
        self._on_bytes = on_bytes
        self._sums: list[str] = []
        self._raw = _claimed(self._part)
        self._zip = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", compresslevel=COMPRESSION)
        # `seal` closes it; there is no block that it could be open for.
        self._tar = tarfile.open(fileobj=self._zip, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    @property
    def files(self) -> int:
        return len(self._sums)

    def begin(self, head: Mapping[str, Any]) -> None:
        """The head, which says what it takes to restore the rest."""
        self.add_text(HEAD, json.dumps({"format": FORMAT, **head}).encode())

    def add_text(self, name: str, text: bytes) -> None:
        self._add(name, io.BytesIO(text), len(text))

    def add(self, name: str, file: Path, size: int | None = None) -> None:
        """A file as long as it is now; it may grow meanwhile, and what is added then is left out.

        Raises: OSError, also where it is shorter than `size`.
        """
        with file.open("rb") as stream:
            self._add(name, stream, os.fstat(stream.fileno()).st_size if size is None else size)

    def seal(self) -> int:
        """Closes it, and gives it its name, durably. Gives its size. Raises: OSError."""
        text = "".join(self._sums).encode()
        self._tar.addfile(_entry(SUMS, len(text)), io.BytesIO(text))
        self._tar.close()
        self._zip.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        size = os.fstat(self._raw.fileno()).st_size
        os.rename(self._part, self._path)
        self._raw.close()
        _sync(self._path.parent)
        return size

    def abandon(self) -> None:
        """Removes what there is of it."""
        self._part.unlink(missing_ok=True)
        self._raw.close()

    def _add(self, name: str, stream: BinaryIO, size: int) -> None:
        hashing = _Hashing(stream, self._on_bytes)
        self._tar.addfile(_entry(name, size), hashing)
        self._sums.append(f"{hashing.sha256.hexdigest()}  {name}\n")


def head_of(path: Path) -> dict[str, Any]:
    """What an archive says of itself, without reading the rest. Raises: UserError."""
    with _reading(path) as members:
        return _head(path, *next(members, (None, None)))


def extract(path: Path, into: Path, on_bytes: OnBytes) -> int:
    """Unpacks an archive into an empty folder, each file for its owner alone. Gives how many.

    Raises: UserError where anything in it is not as it was when it was made; what was unpacked is then of no use.
    """
    found: dict[str, str] = {}
    sums = None
    with _reading(path) as members:
        for member, stream in members:
            if sums is not None:
                raise UserError(_broken(path, "something follows its list of sums"))
            if member.name == SUMS:
                sums = stream.read().decode()
            elif member.name == HEAD:
                found[HEAD] = hashlib.sha256(stream.read()).hexdigest()
            else:
                found[member.name] = _unpacked(_inside(path, into, member.name), stream, on_bytes)
    if sums is None:
        raise UserError(_broken(path, "its list of sums is missing: it ends too early"))
    said = {name: digest for digest, _, name in (line.partition("  ") for line in sums.splitlines())}
    wrong = sorted(name for name in said.keys() | found.keys() if said.get(name) != found.get(name))
    if wrong:
        raise UserError(_broken(path, f"{wrong[0]} is not what was put into it ({len(wrong)} files are not)"))
    return len(found) - 1


def _claimed(part: Path) -> BinaryIO:
    """The file, emptied, for this process alone. Raises: OSError; BlockingIOError where another has it."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not part.exists() or part.stat().st_ino != os.fstat(descriptor).st_ino:
            # Its maker gave it its name between our two calls: it is finished, and must not be emptied.
            raise BlockingIOError(f"{part} was finished at this moment")
        os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "wb")


class _Hashing:
    """A stream that is hashed as it is read."""

    def __init__(self, stream: BinaryIO, on_bytes: OnBytes) -> None:
        self._stream, self._on_bytes = stream, on_bytes
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.sha256.update(piece)
        self._on_bytes(len(piece))
        return piece


@contextmanager
def _reading(path: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, BinaryIO]]]:
    """The members of an archive, one after the other. Whatever cannot be read of it is a Diagnostic."""
    try:
        with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as zipped, tarfile.open(
            fileobj=zipped, mode="r|"
        ) as tar:  # fmt: skip
            yield _members(tar, zipped)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError) as e:
        raise UserError(_broken(path, str(e) or type(e).__name__)) from e
    except OSError as e:
        detail = f"{e.filename or path}: {e.strerror or e}."
        raise UserError(Diagnostic("The backup cannot be read", detail, suggestion=f"ls -l {path}")) from e


def _members(tar: tarfile.TarFile, zipped: gzip.GzipFile) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
    for member in tar:
        stream = tar.extractfile(member)
        if not member.isreg() or stream is None:
            raise tarfile.ReadError(f"{member.name} is no plain file")
        yield member, stream  # type: ignore[misc]  # typed as IO[bytes]
    while zipped.read(PIECE_BYTES):
        pass  # to the very end, where gzip keeps its own sum


def _head(path: Path, member: tarfile.TarInfo | None, stream: BinaryIO | None) -> dict[str, Any]:
    if member is None or stream is None or member.name != HEAD:
        raise UserError(_broken(path, f"it does not begin with {HEAD}; is it a backup of Weyr's?"))
    try:
        head = json.loads(stream.read(HEAD_BYTES_MAX))
    except ValueError as e:
        raise UserError(_broken(path, f"{HEAD} cannot be read: {e}")) from e
    if not isinstance(head, dict) or not isinstance(head.get("format"), int):
        raise UserError(_broken(path, f"{HEAD} does not say in which format it is"))
    return head


def _inside(path: Path, into: Path, name: str) -> Path:
    """Where a member goes: below the folder, whatever its name tries."""
    parts = Path(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise UserError(_broken(path, f"{name!r} would lie outside the folder"))
    return into / name


def _unpacked(to: Path, stream: BinaryIO, on_bytes: OnBytes) -> str:
    """Writes a file; gives its digest."""
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    hashing = _Hashing(stream, on_bytes)
    with open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        while piece := hashing.read(PIECE_BYTES):
            file.write(piece)
    return hashing.sha256.hexdigest()


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _broken(path: Path, why: str) -> Diagnostic:
    detail = f"{path} is not whole, or was changed: {why}. Nothing was restored."
    return Diagnostic("The backup is broken", detail, suggestion=f"gzip -t {path}")
