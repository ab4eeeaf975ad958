"""Which processes does a plane have, and what if one ends? One that writes the index, and workers that answer.

The keeper is the process that was started. It forks the others before it has a loop or a thread, does nothing but wait,
and can so fork anew at any time: a worker that ends is replaced, and where the one that writes ends, all begin anew.
The kernel ends them all when the keeper dies.
"""

import ctypes
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

_PR_SET_PDEATHSIG = 1
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
QUICK_S = 1.0
"""A process that ends sooner than this after its start is not replaced at once."""
STARTS_MAX = 5
"""So often in a row the process that writes may end at once."""
DRAIN_S = 15.0
CLOSE_S = 60.0
READY = b"ready"

log = logging.getLogger("weyr.s3")

_libc = ctypes.CDLL(None, use_errno=True)

First = Callable[[socket.socket], None]
"""What the process that writes does. Over the socket it says `READY`, or why it cannot start, and gets the workers'
lines, each with the worker's name."""
Worker = Callable[[int, str, socket.socket], None]
"""What a worker does: its place, its name that no other ever has, and its line to the process that writes."""


class FirstFailed(Exception):
    """The process that writes could not start, or ends again and again."""


@dataclass(slots=True)
class _Child:
    place: int
    pid: int
    began_s: float


class Keeper:
    """Starts `first` and `count` times `worker` in processes of their own, and keeps them."""

    def __init__(self, first: First, worker: Worker, count: int, ended: Callable[[int], None]) -> None:
        """Takes: `ended`, called with the place of a worker that ended."""
        self._first_role = first
        self._worker_role = worker
        self._count = count
        self._ended = ended
        self._first = _Child(0, 0, 0.0)
        self._hand: socket.socket | None = None
        self._workers: dict[int, _Child] = {}
        self._due: dict[int, float] = {}
        self._names = 0
        self._mask: set[signal.Signals] = set()
        self._is_stopping = False

    def run(self, ready: Callable[[], None]) -> None:
        """Returns after SIGTERM or SIGINT, when all have stopped. Calls `ready` once they answer.

        Raises: FirstFailed.
        """
        self._mask = {signal.Signals(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)}
        gc.collect()
        gc.freeze()  # what is loaded by now is the same in all, and stays on pages that they share
        try:
            self._begin()
            ready()
            quick = 0
            while self._wait():
                quick = quick + 1 if time.monotonic() - self._first.began_s < QUICK_S else 0
                if quick == STARTS_MAX:
                    raise FirstFailed("The process that writes the index ends again and again; the log says why.")
                self._begin()
            self._stop()
        finally:
            self._end_all()
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _begin(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._hand = ours
        self._first = self._forked(0, partial(self._first_role, theirs), [ours])
        theirs.close()
        said = ours.recv(64 * 1024)
        if said != READY:
            raise FirstFailed(said.decode() or "The process that writes the index died; the log says why.")
        for place in range(self._count):
            self._start_worker(place)

    def _start_worker(self, place: int) -> None:
        assert self._hand, "workers are started after the process that they send their writes to"
        self._names += 1
        name = str(self._names)
        near, far = socket.socketpair()
        try:
            self._workers[place] = self._forked(place, partial(self._worker_role, place, name, far), [near, self._hand])
            # Where it is gone, we are about to be told.
            with suppress(OSError):
                socket.send_fds(self._hand, [name.encode()], [near.fileno()])
        finally:
            near.close()
            far.close()

    def _forked(self, place: int, role: Callable[[], None], not_theirs: list[socket.socket]) -> _Child:
        keeper, pid = os.getpid(), os.fork()
        if pid:
            return _Child(place, pid, time.monotonic())
        code = 1
        try:
            _die_with(keeper)
            # Ctrl-C reaches all; the keeper says when who stops.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            for ours in not_theirs:
                ours.close()
            role()
            code = 0
        except BaseException:  # the process's edge: nothing of it may reach the keeper's code
            log.exception("s3.process_failed")
        finally:
            os._exit(code)

    # --- in the keeper

    def _wait(self) -> bool:
        """Keeps the workers until somebody wants all to stop (False) or the one that writes has ended (True)."""
        while True:
            now = time.monotonic()
            for place in [place for place, at in self._due.items() if at <= now]:
                del self._due[place]
                self._start_worker(place)
            timeout = min(self._due.values(), default=now + 3600) - now
            came = signal.sigtimedwait(_SIGNALS, max(timeout, 0))
            if came is not None and came.si_signo != signal.SIGCHLD:
                return False
            if self._reap():
                log.error("s3.first_ended pid=%d: all begin anew", self._first.pid)
                self._end_all()
                return True

    def _reap(self) -> bool:
        """Notices who has ended. Gives whether it is the one that writes."""
        is_first_gone = False
        while (pid := _ended_child()) is not None:
            is_first_gone |= pid == self._first.pid
            for child in [child for child in self._workers.values() if child.pid == pid]:
                del self._workers[child.place]
                self._ended(child.place)
                self._due[child.place] = max(time.monotonic(), child.began_s + QUICK_S)
                if not self._is_stopping:
                    log.warning("s3.worker_ended pid=%d", pid)
        if is_first_gone:
            self._first.pid = 0
        return is_first_gone

    def _stop(self) -> None:
        """The workers finish what they are at, then the one that writes does."""
        self._is_stopping = True
        self._due.clear()
        for child in self._workers.values():
            os.kill(child.pid, signal.SIGTERM)
        self._await(lambda: not self._workers, DRAIN_S)
        for child in self._workers.values():
            os.kill(child.pid, signal.SIGKILL)
        if self._first.pid:
            os.kill(self._first.pid, signal.SIGTERM)
            self._await(lambda: not self._first.pid, CLOSE_S)

    def _await(self, is_done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_done() and (left := deadline - time.monotonic()) > 0:
            signal.sigtimedwait({signal.SIGCHLD}, left)
            self._reap()

    def _end_all(self) -> None:
        """Ends whoever is left, at once."""
        self._due.clear()
        for child in [*self._workers.values(), self._first]:
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.pid = 0
        for place in list(self._workers):
            self._ended(place)
        self._workers.clear()
        if self._hand:
            self._hand.close()


def _ended_child() -> int | None:
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return pid or None


def _die_with(parent: int) -> None:
    """Has the kernel kill this process when `parent` dies. Raises: OSError."""
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
