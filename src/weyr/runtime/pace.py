"""How does work in the background keep out of a program's way, and come forward when time is short? Linux only."""

import contextlib
import ctypes
import os

FAR_BACK = 19
"""The last place at the CPUs: beside a program that stands at 5 it gets a twentieth of one that both want."""
BACK = 10
"""Where nobody may come forward again: a last save under a notice must not starve beside other tasks."""

_libc = ctypes.CDLL(None, use_errno=True)
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}.get(os.uname().machine, 0)
_IO_IDLE, _IO_NORMAL = 3 << 13, 0


class Pace:
    """Where this process stands among the others, all its threads together."""

    def __init__(self) -> None:
        self._home = os.getpriority(os.PRIO_PROCESS, 0)

    def stand_back(self) -> None:
        """Lets everybody else go first, at the CPUs and at the disks."""
        _stand(max(self._home, FAR_BACK if self._may_return() else BACK), _IO_IDLE)

    def come_forward(self) -> None:
        """Back to where it began, as far as this user may."""
        _stand(self._home, _IO_NORMAL)

    def _may_return(self) -> bool:
        """Whether the kernel lets us raise our own priority: root may, and who has a limit for it (`ulimit -e`)."""
        try:
            os.setpriority(os.PRIO_PROCESS, 0, self._home + 1)
            os.setpriority(os.PRIO_PROCESS, 0, self._home)
        except PermissionError:
            return False
        return True


def _stand(nice: int, io: int) -> None:
    """Places each thread: to Linux each has a priority of its own, and a new one takes that of who began it."""
    for thread in map(int, os.listdir("/proc/self/task")):
        if _IOPRIO_SET:
            _libc.syscall(_IOPRIO_SET, 1, thread, io)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PROCESS, thread, nice)
