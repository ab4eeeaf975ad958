"""Which keys come next in a folder of plain files? In the order of S3's keys, and no further than is asked for.

A file's key is its path below the folder. Links are not followed, whatever they lead to; what is no plain file, has a
name that is not UTF-8, or a path too long for a key, is no object. A folder is read when keys of it are wanted.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weyr.gateway.s3.call import KEY_BYTES_MAX
from weyr.gateway.s3.listing import PAST, Entry, Page


@dataclass(frozen=True, slots=True)
class _Found:
    """A file, or with `is_folder` a common prefix that stands for all below it."""

    key: str
    path: str
    is_folder: bool = False


def page(root: Path, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """As `listing.page`, of a folder. Raises: OSError where the folder itself cannot be read."""
    if limit == 0:
        return Page((), False)
    if delimiter and after.startswith(prefix) and after.endswith(delimiter) and len(after) > len(prefix):
        after += PAST
    items: list[Entry | str] = []
    for item in _items(root, prefix, delimiter, after):
        if len(items) == limit:
            last = items[-1]
            return Page(tuple(items), True, last if isinstance(last, str) else last.key)
        items.append(item)
    return Page(tuple(items), False)


def _items(root: Path, prefix: str, delimiter: str, after: str) -> Iterator[Entry | str]:
    common = ""
    for found in _walk(str(root), "", prefix, after, is_folding=delimiter == "/"):
        if found.is_folder:
            yield found.key
            continue
        cut = found.key.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            folded = found.key[: cut + len(delimiter)]
            if folded != common:
                yield (common := folded)
            continue
        try:
            state = os.stat(found.path, follow_symlinks=False)
        except OSError:
            continue  # it went meanwhile
        yield Entry(found.key, state.st_size, etag_of(state), state.st_mtime_ns // 1_000_000)


def _walk(folder: str, base: str, prefix: str, after: str, is_folding: bool) -> Iterator[_Found]:
    """What is below `folder`, whose keys begin with `base`."""
    for name, is_folder in _named(folder, is_root=not base):
        key, path = base + name, os.path.join(folder, name)
        if is_folder:
            may_have = key.startswith(prefix) or prefix.startswith(key)
            is_behind = key > after or after.startswith(key)
            if not may_have or not is_behind or after.startswith(key + PAST):
                continue
            if is_folding and key.startswith(prefix) and len(key) > len(prefix):
                # A folder without an object in it is no prefix of anything.
                if next(_walk(path, key, prefix, after, is_folding=False), None) is not None:
                    yield _Found(key, path, is_folder=True)
                continue
            yield from _walk(path, key, prefix, after, is_folding)
        elif key > after and key.startswith(prefix) and len(key.encode()) <= KEY_BYTES_MAX:
            yield _Found(key, path)


def _named(folder: str, is_root: bool) -> list[tuple[str, bool]]:
    """The names in a folder in the order of their keys; those of folders end with a slash."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if _is_text(entry.name)]
    except OSError:
        if is_root:
            raise
        return []  # it went, or is closed to us
    names = [(f"{entry.name}/", True) for entry in found if entry.is_dir(follow_symlinks=False)]
    names += [(entry.name, False) for entry in found if entry.is_file(follow_symlinks=False)]
    return sorted(names)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def etag_of(state: os.stat_result) -> str:
    """What changes with the file: of its size, its time and its number, since nobody has read it.

    It has the form of an upload's of one part, so that no client takes it for the MD5 of the bytes.
    """
    text = f"{state.st_size}-{state.st_mtime_ns}-{state.st_ino}-{state.st_dev}"
    return f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}-1"
