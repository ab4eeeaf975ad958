"""How is a file opened that is certainly below a folder? Part by part, and through no link."""

import os
import stat
from pathlib import Path


class NotInside(Exception):
    """The name does not lead to a plain file below the folder."""


def open_inside(folder: Path, name: str) -> int:
    """A descriptor of a plain file below `folder`, part by part and through no link. Raises: NotInside, OSError."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise NotInside(f"{name!r} does not name a file below the folder")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for position, part in enumerate(parts):
            kind = os.O_NONBLOCK if position == len(parts) - 1 else os.O_DIRECTORY
            inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotInside(f"{name!r} is no plain file")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
