"""What is there to copy? The files of a folder and the objects of a prefix, each by its path below."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from weyr.transfer.address import Local, Remote
from weyr.transfer.calls import Found, listed
from weyr.transfer.client import LocalTrouble, S3Client

Skip = Callable[[str, str], None]
"""Is told (what, why) of each that cannot be copied."""
PART_SUFFIX = ".weyr-part"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or object: `path` is relative, with slashes. `etag` is "" for a file."""

    path: str
    size: int
    modified_s: float
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which paths are meant: those that a pattern includes, less those that one excludes; all where none is given."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def has(self, path: str) -> bool:
        is_in = not self.include or any(_matches(path, pattern) for pattern in self.include)
        return is_in and not any(_matches(path, pattern) for pattern in self.exclude)


def files_of(folder: Local, choice: Choice, skip: Skip) -> Iterator[Entry]:
    """The regular files below a folder, also behind links. Raises: LocalTrouble where the folder cannot be read."""

    def below(path: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Entry]:
        try:
            found = sorted(os.scandir(path), key=lambda item: item.name)
        except OSError as e:
            if not prefix:
                raise LocalTrouble(f"{folder.path} cannot be read: {e.strerror}") from e
            skip(path, f"it cannot be read: {e.strerror}")
            return
        for item in found:
            name = prefix + item.name
            try:
                state = item.stat()
            except OSError as e:
                skip(item.path, f"it cannot be read: {e.strerror}")
                continue
            if stat.S_ISDIR(state.st_mode):
                identity = state.st_dev, state.st_ino
                if identity in above:
                    skip(item.path, "it is a link to a folder that it is in")
                else:
                    yield from below(item.path, f"{name}/", above | {identity})
            elif not stat.S_ISREG(state.st_mode):
                skip(item.path, "it is no regular file")
            elif item.name.startswith(".") and item.name.endswith(PART_SUFFIX):
                continue  # a download that was cut
            elif choice.has(name):
                if _is_unicode(name):
                    yield Entry(name, state.st_size, state.st_mtime)
                else:
                    skip(ascii(item.path), "its name is no Unicode, and keys are")

    top = os.stat(folder.path) if folder.path.exists() else None
    yield from below(str(folder.path), "", frozenset({(top.st_dev, top.st_ino)} if top else ()))


def objects_of(client: S3Client, folder: Remote, choice: Choice, with_markers: bool = False) -> Iterator[Entry]:
    """The objects under a prefix. `with_markers`: also those whose keys end with a slash, which mark folders."""
    for found in listed(client, folder.bucket, folder.key):
        if isinstance(found, Found) and (with_markers or not found.key.endswith("/")):
            path = found.key.removeprefix(folder.key)
            if choice.has(path):
                yield Entry(path, found.size, found.modified_s, found.etag)


def inside(folder: Path, path: str) -> Path:
    """Where an object's file lies below a folder. Raises: LocalTrouble for a key that would lie elsewhere."""
    names = path.split("/")
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise LocalTrouble("its key is no path of a file: it has an empty name, . or .. in it")
    if names[-1].startswith(".") and names[-1].endswith(PART_SUFFIX):
        raise LocalTrouble("its key ends like the name of a download that was cut")
    return folder.joinpath(*names)


def _matches(path: str, pattern: str) -> bool:
    """Whether a path, or its last name where the pattern has no slash, is what the pattern says."""
    return fnmatchcase(path, pattern) or ("/" not in pattern and fnmatchcase(path.rpartition("/")[2], pattern))


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeError:
        return False
    return True
