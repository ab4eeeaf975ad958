"""Who renews the lease of an attempt on a Slurm node? Its parent, as long as nobody can have begun it elsewhere.

Another attempt begins where Slurm says that this one's node is gone, and a server hears it. So it may run on while
slurmctld answers here, for a node that it calls down is one that it does not reach; and while the server says, by the
time of a file that all nodes share, that slurmctld does not answer it either, for then it begins nothing. A node that
reaches neither cannot know: once its lease is over, the attempt ends itself.

Standard library only: members import this.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

from weyr.attempt import processes

RENEWALS = 4
"""In the time of one lease: three may be lost."""
HEARD = frozenset({signal.SIGTERM, signal.SIGCHLD})
"""What Slurm sends to a step, and is passed on: to end, and to look into its folder, which the end of a child of ours
says as well, to no harm."""
SIGNALLED = 128
PING = ("scontrol", "ping")


def kept(run: Callable[[int], None], lease_s: float, hold: str, forget: int) -> int:
    """Runs this in a child, with a descriptor that says by each byte that it may go on; gives the child's exit code.

    `forget` is the child's alone: a lock that must be free once it is gone. `hold` is the server's file.
    """
    renewals, door = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    child = os.fork()
    if child == 0:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
            os.close(door)
            processes.die_with_parent(parent, signal.SIGTERM)
            run(renewals)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(renewals)
    os.close(forget)
    return _Keeper(child, door, lease_s / RENEWALS, hold).keep()


class _Keeper:
    """Asks slurmctld, looks at the file, passes on signals, until the child has ended."""

    def __init__(self, child: int, door: int, every_s: float, hold: str) -> None:
        self._child, self._door, self._every_s, self._hold = child, door, every_s, hold
        self._ping: subprocess.Popen[str] | None = None
        self._held_at = self._time_of_hold()

    def keep(self) -> int:
        at = time.monotonic()
        while True:
            found = signal.sigtimedwait(HEARD, max(0.0, at - time.monotonic()))
            if found:
                os.kill(self._child, found.si_signo)
            pid, status = os.waitpid(self._child, os.WNOHANG)
            if pid:
                self._give_up()
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else SIGNALLED - code
            self._hear()
            if time.monotonic() >= at:
                self._ask()
                at = time.monotonic() + self._every_s

    def _ask(self) -> None:
        self._give_up()
        with suppress(OSError):
            self._ping = subprocess.Popen(PING, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        held_at = self._time_of_hold()
        if held_at != self._held_at:
            self._held_at = held_at
            self._renew()

    def _hear(self) -> None:
        """Takes slurmctld's answer, once there is one."""
        if self._ping is None or self._ping.poll() is None:
            return
        if "is UP" in self._ping.communicate()[0]:
            self._renew()
        self._ping = None

    def _give_up(self) -> None:
        """Nobody answers: what was asked is asked anew."""
        if self._ping is not None:
            self._ping.kill()
            self._ping.communicate()
            self._ping = None

    def _renew(self) -> None:
        with suppress(BlockingIOError):  # full of renewals that were not heard yet
            os.write(self._door, b".")

    def _time_of_hold(self) -> int:
        """Opened, not only looked at: a network file system then asks its server."""
        with suppress(OSError), open(self._hold, "rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
        return 0
