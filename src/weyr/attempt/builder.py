"""The environment that a task needs is made before it: who makes it, and who waits?

One process of `weyr.attempt.environment` makes it under a lock, whoever else wants the same one; its words go to the
task's log. While the task lives its wrapper holds the lock, shared, so that nobody clears the environment away.
Standard library only: the wrappers import this.
"""

import fcntl
import os
import select

from weyr.attempt.logs import TaskLog
from weyr.attempt.output import Output
from weyr.attempt.spawn import Bounds, Recruit
from weyr.attempt.task_folder import BuildOrder

TRIES_MAX = 20
READY = ".ready"
"""Written last of all: an environment without it is half built, and counts as none."""


class Builder:
    """One environment on its way. `error` says why there is none; `pid` is 0 while nobody builds."""

    def __init__(self, order: BuildOrder, nice: int, log: TaskLog, poll: select.poll) -> None:
        self._order, self._nice, self._log, self._poll = order, nice, log, poll
        self._tries = 0
        self.output: Output | None = None
        self.pid = 0
        self.error = ""
        self.is_ready = False
        self._next()

    def ended(self, status: int) -> None:
        """Its process is gone, with this from wait4."""
        self.pid = 0
        if self.output is not None:
            self.output.drain()
        if status == 0:
            self._next()
        else:
            self.error = "its Python environment could not be made; its log says why"

    def _next(self) -> None:
        """Takes the environment if it is there, else has it made."""
        try:
            self.is_ready = hold(self._order["folder"])
            if self.is_ready:
                return
            self._tries += 1
            if self._tries > TRIES_MAX:
                self.error = "its Python environment is cleared away each time that it is made: there is no room for it"
                return
            self._begin()
        except OSError as e:
            self.error = f"its Python environment cannot be used: {e}"

    def _begin(self) -> None:
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read, False)
        recruit = Recruit(null, write)
        os.close(null)
        os.close(write)
        self.output = Output(read, self._log, self._poll)
        argv, env = self._order["argv"], self._order["env"]
        self.error = recruit.become(argv, self._order["workdir"], env, Bounds(nice=self._nice))
        self.pid = 0 if self.error else recruit.pid


def hold(folder: str) -> bool:
    """Keeps an environment from being cleared away while this process lives. False where it is not there, whole, or
    somebody works on it just now. Raises: OSError."""
    os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
    fd = os.open(folder + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.utime(os.path.join(folder, READY))  # when it was used last; who looks for room begins with the oldest
    except (BlockingIOError, FileNotFoundError, NotADirectoryError):
        os.close(fd)
        return False
    return True
