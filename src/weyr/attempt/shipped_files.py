"""Which files of a folder go with a task? Everything but what is ignored, within bounds, and nothing that leads out."""

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

NEVER = frozenset({".git", ".venv", "__pycache__", ".weyr"})
IGNORE_FILES = (".weyrignore", ".gitignore")
"""At the folder's root; the first that is there counts alone."""
BYTES_MAX = 1 << 30
FILES_MAX = 100_000
NAMED = 3


class CannotShip(Exception):
    """Why a folder cannot be shipped, as a sentence about it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or symbolic link; `path` is relative to the folder, `target` a link's."""

    path: str
    stat: os.stat_result
    target: str = ""

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.stat.st_mode)


def entries_of(
    folder: str, bytes_max: int = BYTES_MAX, files_max: int = FILES_MAX, but: Collection[str] = ()
) -> list[Entry]:
    """What is shipped of a folder, folders before what they hold; sockets and pipes are left out, and so are the
    folders in `but`, by their real paths.

    Raises: CannotShip; OSError.
    """
    root = os.path.realpath(folder)
    found, held = [], 0
    for entry in _walk(root, "", _ignored(Path(root)), but):
        found.append(entry)
        held += entry.stat.st_size if entry.is_file else 0
        # Looked through a little further, to name what is large; never a whole disk.
        if len(found) > 4 * files_max:
            break
    if held > bytes_max or len(found) > files_max:
        raise CannotShip(_too_much(found, held, bytes_max, files_max))
    return found


def _ignored(root: Path) -> GitIgnoreSpec:
    for name in IGNORE_FILES:
        if (root / name).is_file():
            return GitIgnoreSpec.from_lines((root / name).read_text(errors="surrogateescape").splitlines())
    return GitIgnoreSpec.from_lines(())


def _walk(root: str, below: str, ignored: GitIgnoreSpec, but: Collection[str]) -> Iterator[Entry]:
    with os.scandir(os.path.join(root, below)) as listing:
        children = sorted(listing, key=lambda child: child.name)
    for child in children:
        path = os.path.join(below, child.name)
        is_folder = child.is_dir(follow_symlinks=False)
        if child.name in NEVER or child.path in but or ignored.match_file(f"{path}/" if is_folder else path):
            continue
        found = os.lstat(child.path)  # what scandir knows may be of before
        if stat.S_ISLNK(found.st_mode):
            yield Entry(path, found, _target_of(root, path))
        elif stat.S_ISREG(found.st_mode):
            yield Entry(path, found)
        elif stat.S_ISDIR(found.st_mode):
            yield Entry(path, found)
            yield from _walk(root, path, ignored, but)


def _target_of(root: str, path: str) -> str:
    """A copy of an absolute link, or of one that leaves the folder, would let the task write outside of its copy."""
    target = os.readlink(os.path.join(root, path))
    lies_at = os.path.realpath(os.path.join(root, path))
    if os.path.isabs(target) or os.path.commonpath([root, lies_at]) != root:
        raise CannotShip(
            f"the link {path} leads to {target}, out of the folder; put what it names into the folder, make it a "
            "relative link, or name it in .weyrignore"
        )
    return target


def _too_much(found: list[Entry], held: int, bytes_max: int, files_max: int) -> str:
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for entry in found:
        top = entry.path.partition("/")[0]
        counts[top] += 1
        sizes[top] += entry.stat.st_size if entry.is_file else 0
    largest = (sizes if held > bytes_max else counts).most_common(NAMED)
    named = ", ".join(f"{name} ({_mib(sizes[name])} MiB in {counts[name]:,} entries)" for name, _ in largest)
    return (
        f"it holds at least {_mib(held)} MiB in {len(found):,} entries, and at most {_mib(bytes_max)} MiB in "
        f"{files_max:,} are shipped; the largest are {named}; name what no task needs in .weyrignore"
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f}"
