"""How does a plane's process begin and end? It opens its doors, says where, and waits to be told to stop."""

import asyncio
import errno
import json
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

BACKLOG = 2048
"""Callers that may wait to be accepted; a Unix socket with a full queue refuses the next at once."""


async def listen_unix(factory: Callable[[], asyncio.Protocol], path: Path) -> asyncio.Server:
    """Listens on `path` with mode 0600. What a dead process left there is replaced.

    Raises: OSError, also where a living process listens there already.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
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


def write_info(path: Path, port: int, url: str) -> None:
    """Says, atomically, which process this is and where it listens."""
    info = {"pid": os.getpid(), "started": started_ticks(), "port": port, "url": url}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(info))
    os.replace(temporary, path)


def started_ticks() -> int:
    """When this process began, in the kernel's ticks: with the pid it names one process for ever."""
    stat = Path("/proc/self/stat").read_bytes()
    # The command in parentheses may hold spaces; field 22 counts from before it, so from after it it is the 20th.
    return int(stat.rpartition(b")")[2].split()[19])
