"""How do several processes share one port, and how does one take another's place without a caller noticing?

The listening socket itself is handed on, over a Unix socket beside the control socket: its queue of callers is one,
whoever accepts from it, so nobody who was let in by the kernel is lost when one of them ends. (With SO_REUSEPORT each
has a queue of its own, and callers in that of one who ends are reset.)
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from weyr.wire.process import BACKLOG

TIMEOUT_S = 5.0
GO = b"go"
SUFFIX = ".door"


class Giver:
    """Hands `door` to whoever asks at `path`, and calls `replaced` once one of them is to take our place."""

    def __init__(self, door: socket.socket, path: Path, replaced: Callable[[], None]) -> None:
        self._door, self._replaced, self._path = door, replaced, path
        self._loop = asyncio.get_running_loop()
        self._asking: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.setblocking(False)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(before)
        self._listener.listen(16)
        self._inode = path.stat().st_ino
        self._loop.add_reader(self._listener.fileno(), self._give)

    def close(self) -> None:
        if self._listener.fileno() < 0:
            return
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for asking in tuple(self._asking):
            self._forget(asking)
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def _give(self) -> None:
        try:
            asking, _ = self._listener.accept()
        except OSError:
            return
        asking.setblocking(False)
        try:
            socket.send_fds(asking, [b"!"], [self._door.fileno()])
        except OSError:
            asking.close()
            return
        self._asking.add(asking)
        self._loop.add_reader(asking.fileno(), self._hear, asking)

    def _hear(self, asking: socket.socket) -> None:
        try:
            said = asking.recv(16)
        except OSError:
            said = b""
        self._forget(asking)
        if said == GO:
            self._replaced()

    def _forget(self, asking: socket.socket) -> None:
        if asking in self._asking:
            self._asking.remove(asking)
            self._loop.remove_reader(asking.fileno())
            asking.close()


class Taken:
    """A door that another process has as well. `replace` tells it that we are in its place."""

    def __init__(self, door: socket.socket, giver: socket.socket) -> None:
        self.door, self._giver = door, giver

    def replace(self) -> None:
        with suppress(OSError):
            self._giver.sendall(GO)
        self._giver.close()

    def keep(self) -> None:
        """It goes on beside us."""
        self._giver.close()


def taken(path: Path) -> Taken | None:
    """The door of the process that gives at `path`; None where none does."""
    giver = socket.socket(socket.AF_UNIX)
    giver.settimeout(TIMEOUT_S)
    try:
        giver.connect(str(path))
        _, descriptors, _, _ = socket.recv_fds(giver, 1, 1)
    except OSError:
        giver.close()
        return None
    if not descriptors:
        giver.close()
        return None
    return Taken(socket.socket(fileno=descriptors[0]), giver)


def opened(host: str, port: int) -> socket.socket:
    """A door of our own. Raises: OSError where the port is taken."""
    door = socket.socket(socket.AF_INET)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
        door.listen(BACKLOG)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door
