"""How does a process get a network of its own, in which the engine's doors still stand?

It leaves the machine's network, and opens the doors' ports on the loopback of its new one: whoever got those sockets
may live in the old. Linux only. Standard library only: the wrappers import this.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
from collections.abc import Sequence

from weyr.attempt import processes

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFADDR = 0x8916
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41
HERE = "127.0.0.1"
_BACKLOG = 128
_FILES_MAX = 1024
PIECE_BYTES = 65536
HELD_BYTES_MAX = 1 << 20
"""How much of one direction is held for a slow reader before the sender has to wait."""
_libc = ctypes.CDLL(None, use_errno=True)


def leave_network(address: str = HERE) -> None:
    """Moves this process into a network that has nothing but a loopback, at `address` as well. Raises: OSError."""
    user, group = os.getuid(), os.getgid()
    flags = _CLONE_NEWNET if user == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    if _libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "no network of its own could be made")
    if user != 0:  # it takes a user namespace, in which we stay who we are
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        fcntl.ioctl(door, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP_RUNNING))
        if address != HERE:
            named = struct.pack("16sHH4s16x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(door, _SIOCSIFADDR, named)


def open_doors(ports: Sequence[int], address: str = HERE) -> list[socket.socket]:
    """Listens on these ports of this process's loopback, at that address. Raises: OSError."""
    doors = []
    for port in ports:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((address, port))
        door.listen(_BACKLOG)
        doors.append(door)
    return doors


def relay(doors: Sequence[int], ports: Sequence[int], address: str = HERE) -> int:
    """Starts a process that carries what comes in at `doors`, listening sockets, to `ports` of that address. Gives its
    pid.

    It ends with its parent. Raises: OSError.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            processes.die_with_parent(parent, signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _close_but(doors)  # above all the lock that says that a wrapper lives
            _Relay({socket.socket(fileno=fd): port for fd, port in zip(doors, ports, strict=True)}, address).serve()
        finally:
            os._exit(0)
    for fd in doors:
        os.close(fd)
    return pid


def _close_but(kept: Sequence[int]) -> None:
    first = 3
    for fd in sorted(kept):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, _FILES_MAX)


class _Relay:
    """Two sockets for each connection, and what is on its way between them."""

    def __init__(self, doors: dict[socket.socket, int], address: str) -> None:
        self._address = address
        self._poll = select.poll()
        self._doors = {door.fileno(): (door, port) for door, port in doors.items()}
        self._ends: dict[int, socket.socket] = {}
        self._peer: dict[int, int] = {}
        self._held: dict[int, bytearray] = {}
        """By descriptor: what is still to be written to it."""
        self._finished: set[int] = set()
        """Descriptors from which nothing more will come."""
        for fd in self._doors:
            self._poll.register(fd, select.POLLIN)

    def serve(self) -> None:
        while True:
            for fd, event in self._poll.poll():
                if fd in self._doors:
                    self._accept(*self._doors[fd])
                elif fd in self._ends:
                    self._carry(fd, event)

    def _accept(self, door: socket.socket, port: int) -> None:
        inside, _ = door.accept()
        outside = socket.socket()
        for one in (inside, outside):
            one.setblocking(False)
        # Begun and not waited for: until it is there, what is written to it waits; a refusal is read from it.
        if outside.connect_ex((self._address, port)) not in (0, errno.EINPROGRESS):
            inside.close()
            outside.close()
            return
        for one, other in ((inside, outside), (outside, inside)):
            self._ends[one.fileno()], self._peer[one.fileno()] = one, other.fileno()
            self._held[one.fileno()] = bytearray()
            self._poll.register(one.fileno(), select.POLLIN)

    def _carry(self, fd: int, event: int) -> None:
        try:
            if event & (select.POLLIN | select.POLLHUP | select.POLLERR) and fd not in self._finished:
                self._take(fd)
            if event & select.POLLOUT:
                self._give(fd)
        except OSError:
            self._close(fd)
            return
        peer = self._peer[fd]
        if {fd, peer} <= self._finished and not self._held[fd] and not self._held[peer]:
            self._close(fd)
            return
        self._wait_for(fd)
        self._wait_for(peer)

    def _take(self, fd: int) -> None:
        peer = self._peer[fd]
        with contextlib.suppress(BlockingIOError):
            piece = self._ends[fd].recv(PIECE_BYTES)
            if piece:
                self._held[peer] += piece
            else:
                self._finished.add(fd)
        self._give(peer)

    def _give(self, fd: int) -> None:
        held = self._held[fd]
        with contextlib.suppress(BlockingIOError):
            while held:
                del held[: self._ends[fd].send(held)]
        if not held and self._peer[fd] in self._finished:
            with contextlib.suppress(OSError):
                self._ends[fd].shutdown(socket.SHUT_WR)

    def _wait_for(self, fd: int) -> None:
        may_read = fd not in self._finished and len(self._held[self._peer[fd]]) < HELD_BYTES_MAX
        self._poll.modify(fd, (select.POLLIN if may_read else 0) | (select.POLLOUT if self._held[fd] else 0))

    def _close(self, fd: int) -> None:
        for end in (fd, self._peer[fd]):
            self._poll.unregister(end)
            self._ends.pop(end).close()
            self._peer.pop(end)
            self._held.pop(end)
            self._finished.discard(end)
