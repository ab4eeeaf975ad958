"""Which processes are there, how much do they hold, and how are they ended whole?

Linux only: /proc and prctl. Standard library only: the launcher and the wrappers import this.
"""

import contextlib
import ctypes
import os
from collections.abc import Collection, Iterable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}.get(os.uname().machine, 0)
_IOPRIO_LAST = 2 << 13 | 7
"""The last place of the class that most programs are in."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own parent ends. Raises: OSError."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def die_with_parent(parent: int, signal_number: int) -> None:
    """Asks the kernel to send this process a signal when its parent dies. Raises: OSError."""
    if _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def stand_back(nice: int) -> None:
    """Lets others go first, at the CPUs and at the disks, as far as the kernel knows how."""
    os.nice(nice)
    # Where the kernel groups processes by session, as on most desktops, a process's own niceness counts only among
    # those of its session. It takes ten such wishes a second, and the next best is not to have asked.
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as file:
        file.write(str(nice))
    if _IOPRIO_SET:
        _libc.syscall(_IOPRIO_SET, 1, 0, _IOPRIO_LAST)


def boot_id() -> str:
    """Which start of this machine it is. Raises: OSError."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may hold spaces and brackets."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode().split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def start_ticks(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; with its pid it names one process for ever."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def cpu_ticks(pid: int) -> int:
    """What a process has computed, and its children that were waited for; 0 of one that is gone."""
    return sum(map(int, _stat(pid)[11:15]))


def group_of(pid: int) -> int | None:
    """The process group of a living process; None for one that is gone or a zombie."""
    fields = _stat(pid)
    return int(fields[2]) if fields and fields[0] not in "ZX" else None


def children(pid: int) -> list[int]:
    """The direct children of a process, of all its threads."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except (FileNotFoundError, ProcessLookupError):
        if not os.path.exists("/proc/self/task"):
            raise
    return found


def descendants(pid: int, but: Collection[int] = ()) -> list[int]:
    """Every process under `pid`, parents first; those in `but` and what is under them are left out."""
    found, waiting = [], [pid]
    while waiting:
        below = [child for child in children(waiting.pop()) if child not in but]
        found += below
        waiting += below
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    """What processes hold in memory together; pages they share count for each of them."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                total += int(file.read().split()[1]) * PAGE_BYTES
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return total


def proportional_bytes(pids: Iterable[int]) -> int:
    """As `resident_bytes`, but shared pages are shared out: dearer to read, and the truth."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith(b"Pss:"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return total


def marked(mark: str) -> list[int]:
    """Every living process of ours that was started with the environment entry `mark`, but us."""
    entry, found = mark.encode(), []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if entry in file.read().split(b"\0") and group_of(int(name)) is not None:
                    found.append(int(name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def count_of(user: int) -> int:
    """How many processes and threads a user has, as RLIMIT_NPROC counts them."""
    count = 0
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count


def signal_all(pids: Iterable[int], signal_number: int) -> None:
    """Sends a signal to each that is still there."""
    for pid in pids:
        try:
            os.kill(pid, signal_number)
        except (ProcessLookupError, PermissionError):
            continue


def signal_group(group: int, signal_number: int) -> None:
    """Sends a signal to a process group, if anything of it is left."""
    try:
        os.killpg(group, signal_number)
    except (ProcessLookupError, PermissionError):
        return
