"""How does a plane's process begin and end? It opens its doors, says where, and waits to be told to stop."""

import asyncio
import errno
import json
import os
import resource
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

BACKLOG = 2048
"""Callers that may wait to be accepted; a Unix socket with a full queue refuses the next at once."""


LOG_BYTES_MAX = 16 * 2**20
"""A process' log has twice this at most: about 100,000 lines of what went wrong, the newest of them."""


async def listen_unix(factory: Callable[[], asyncio.Protocol], path: Path, replaces: bool = False) -> asyncio.Server:
    """Listens on `path` with mode 0600. What a dead process left there is replaced; so is, with `replaces`, a living
    one, which keeps the connections it has.

    Raises: OSError, also where a living process listens there already.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        if not replaces and probe.connect_ex(str(path)) == 0:
            raise OSError(errno.EADDRINUSE, "another process listens there", str(path))
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        return await asyncio.get_running_loop().create_unix_server(factory, str(path), backlog=BACKLOG)
    finally:
        os.umask(before)


async def stop_signal() -> None:
    """Returns once SIGTERM or SIGINT has come."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


def allow_many_files() -> None:
    """Raises the soft limit of open files to the hard one: each caller and each replica's connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def write_info(path: Path, port: int, url: str, **more: object) -> None:
    """Says, atomically, which process this is and where it listens. Raises: OSError, and leaves nothing then."""
    info = {"pid": os.getpid(), "started": started_ticks(), "port": port, "url": url, **more}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(info))
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def is_ours(path: Path) -> bool:
    """Whether what `write_info` wrote there tells of this process, and not of one that took its place."""
    try:
        return bool(json.loads(path.read_text())["pid"] == os.getpid())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def bound_log(bytes_max: int = LOG_BYTES_MAX) -> None:
    """Moves the file that our standard error goes into aside, once it is too long, and goes on in a new one.

    The file before is kept as `<name>.1`. Nothing is done where it is no file: a terminal, a pipe. Where there is no
    room for a new file the old one is kept on.
    """
    try:
        status = os.fstat(2)
        if not stat.S_ISREG(status.st_mode) or status.st_size < bytes_max:
            return
        path = Path(os.readlink("/proc/self/fd/2"))
        if not path.exists() or path.stat().st_ino != status.st_ino:
            return  # somebody else has moved it
        path.replace(path.with_name(f"{path.name}.1"))
        fresh = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.dup2(fresh, 2)
        finally:
            os.close(fresh)
    except OSError:
        return


def log_file() -> Path | None:
    """The file that our standard error goes into, None where it is none."""
    try:
        return Path(os.readlink("/proc/self/fd/2")) if stat.S_ISREG(os.fstat(2).st_mode) else None
    except OSError:
        return None


def follow_log(path: Path | None) -> None:
    """Goes on in the new file where another process has moved the log at `path` aside, as `bound_log` does."""
    try:
        if path is None or path.stat().st_ino == os.fstat(2).st_ino:
            return
        fresh = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.dup2(fresh, 2)
        finally:
            os.close(fresh)
    except OSError:
        return


def started_ticks() -> int:
    """When this process began, in the kernel's ticks: with the pid it names one process for ever."""
    stat = Path("/proc/self/stat").read_bytes()
    # The command in parentheses may hold spaces; field 22 counts from before it, so from after it it is the 20th.
    return int(stat.rpartition(b")")[2].split()[19])
