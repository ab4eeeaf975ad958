"""How are files kept that nobody else may read? Mode 0600, put in place whole, checked before use."""

import os
import stat
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, Place, UserError


def read_private(path: Path) -> bytes | None:
    """The content of a file that only we can read; None if there is no such file.

    Raises: UserError where others could read or write it, where it belongs to somebody else, or where it
    is no plain file: its content is then nobody's secret, or not ours.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise UserError(_unreadable(path, e.strerror or str(e))) from e
    try:
        problem = _problem(path, os.fstat(fd))
        if problem:
            raise UserError(problem)
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)


def create_private(path: Path, content: bytes) -> bool:
    """Makes the file unless there is one, durably and never half. Whether it was made by this call.

    Raises: UserError where the folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = _drafted(path, content, is_synced=True)
        try:
            # A link, not a rename: it fails where a file is, so of two first starts one wins.
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    except OSError as e:
        raise UserError(_unwritable(path, e.strerror or str(e))) from e
    return True


def replace_private(path: Path, content: bytes) -> None:
    """Puts new content in place of the old: a reader sees the one or the other, and a kill loses neither.

    Not synced: for what is made anew from elsewhere after a power cut, which may lose both.
    Raises: UserError where the folder cannot be written.
    """
    try:
        draft = _drafted(path, content, is_synced=False)
        try:
            os.replace(draft, path)
        except OSError:
            draft.unlink()
            raise
    except OSError as e:
        raise UserError(_unwritable(path, e.strerror or str(e))) from e


def _drafted(path: Path, content: bytes, is_synced: bool) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            if is_synced:
                os.fsync(fd)
    except OSError:
        draft.unlink()  # named after this process: nobody else would ever write over it
        raise
    return draft


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _problem(path: Path, status: os.stat_result) -> Diagnostic | None:
    place = Place(str(path))
    if not stat.S_ISREG(status.st_mode):
        detail = f"{path} is a folder, a pipe or a device; Weyr keeps a key there."
        return Diagnostic("Not a plain file", detail, place=place, suggestion=f"ls -ld {path}")
    if status.st_uid != os.geteuid():
        detail = (
            f"{path} belongs to user {status.st_uid}, and Weyr runs as user {os.geteuid()}. It may not be yours to use."
        )
        return Diagnostic("File belongs to somebody else", detail, place=place, suggestion=f"ls -l {path}")
    if status.st_mode & 0o077:
        detail = (
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}: others on this machine can read or change it. "
            "What it holds must be taken as known to them."
        )
        return Diagnostic("File is not private", detail, place=place, suggestion=f"chmod 600 {path}")
    return None


def _unreadable(path: Path, reason: str) -> Diagnostic:
    detail = f"{path} cannot be read: {reason}. A link is not followed there."
    return Diagnostic("File cannot be read", detail, place=Place(str(path)), suggestion=f"ls -l {path}")


def _unwritable(path: Path, reason: str) -> Diagnostic:
    detail = f"{path} cannot be written: {reason}."
    return Diagnostic("File cannot be written", detail, place=Place(str(path)), suggestion=f"ls -ld {path.parent}")
