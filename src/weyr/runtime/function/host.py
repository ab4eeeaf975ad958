"""Who makes instances? A process that has loaded the function and forks itself for every connection.

A connection is an instance: it begins with it and ends with it. The host has no threads, so that a fork is sound; it
only accepts, answers the engine's probe, and ends instances whose connection is gone though they go on.
"""

import gc
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress

from weyr.runtime.function.calls import Calls
from weyr.runtime.function.instance import serve

READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
KILL_AFTER_S = 0.2
"""How long an instance may take to notice that nobody waits for it any more."""
STOP_S = 0.5


class _Child:
    """One instance: its process group, and our handle of its connection, which tells when the other side is gone."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid, self.line, self.kill_at = pid, line, float("inf")


class Host:
    """The parent of a function's instances."""

    def __init__(self, path: str, calls: Calls, concurrency: int, payload_max: int) -> None:
        self._calls, self._concurrency, self._payload_max = calls, concurrency, payload_max
        self._path = path
        self._door = socket.socket(socket.AF_UNIX)
        self._poll = select.poll()
        self._new: dict[int, socket.socket] = {}
        self._children: dict[int, _Child] = {}
        self._is_stopping = False

    def run(self) -> int:
        """Serves until SIGTERM. Gives 0."""
        self._door.bind(self._path)
        self._door.listen(128)
        self._door.setblocking(False)
        wake_out, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        self._poll.register(self._door, select.POLLIN)
        self._poll.register(wake_out, select.POLLIN)
        # What is loaded by now is shared by all instances, and no collector need touch it.
        gc.collect()
        gc.freeze()
        while not self._is_stopping:
            self._turn(wake_out)
        for child in self._children.values():
            _kill(child.pid, signal.SIGTERM)
        until = time.monotonic() + STOP_S
        while self._children and time.monotonic() < until:
            self._turn(wake_out)
        for child in self._children.values():
            _kill(child.pid, signal.SIGKILL)
        return 0

    def _stop(self, *_: object) -> None:
        self._is_stopping = True

    def _turn(self, wake_out: int) -> None:
        kill_at = min((child.kill_at for child in self._children.values()), default=float("inf"))
        wait_ms = None if kill_at == float("inf") else max(0, int((kill_at - time.monotonic()) * 1000) + 1)
        if self._is_stopping:
            wait_ms = 20
        for fd, _event in self._poll.poll(wait_ms):
            if fd == wake_out:
                while _drained(wake_out):
                    pass
            elif fd == self._door.fileno():
                self._accept()
            elif fd in self._new:
                self._begin(self._new.pop(fd))
            elif fd in self._children:
                self._poll.unregister(fd)
                self._children[fd].kill_at = time.monotonic() + KILL_AFTER_S
        self._reap()
        now = time.monotonic()
        for child in self._children.values():
            if child.kill_at <= now:
                child.kill_at = float("inf")
                _kill(child.pid, signal.SIGKILL)

    def _accept(self) -> None:
        try:
            line, _ = self._door.accept()
        except OSError:
            return
        self._new[line.fileno()] = line
        self._poll.register(line, select.POLLIN)

    def _begin(self, line: socket.socket) -> None:
        """The first bytes tell who calls: an engine that asks for a page, or the plane that wants an instance."""
        self._poll.unregister(line)
        try:
            first = line.recv(4, socket.MSG_PEEK)
            if first == b"GET ":
                line.recv(4096)
                line.sendall(READY)
                line.close()
                return
        except OSError:
            first = b""
        if not first or self._is_stopping:
            line.close()
            return
        pid = os.fork()
        if pid == 0:
            self._become_instance(line)
        self._children[line.fileno()] = _Child(pid, line)
        self._poll.register(line, select.POLLRDHUP)

    def _become_instance(self, line: socket.socket) -> None:
        status = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self._door.close()
            for other in (*self._new.values(), *(child.line for child in self._children.values())):
                other.close()
            line.setblocking(True)
            serve(line, self._calls, self._concurrency, self._payload_max)
            status = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        ended: set[int] = set()
        while self._children:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            ended.add(pid)
        for fd, child in list(self._children.items()):
            if child.pid in ended:
                # What it started and left behind goes with it: an instance's events end with the instance.
                _kill(child.pid, signal.SIGKILL)
                if child.kill_at == float("inf"):
                    with suppress(KeyError):  # it was killed for a connection that is gone
                        self._poll.unregister(fd)
                del self._children[fd]
                child.line.close()


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _drained(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except BlockingIOError:
        return b""
