"""How does a command get to where a task is? Into its control groups, its namespaces, its folder and its environment.

    python -m weyr.attempt.entering FD

FD is a pipe with a `Visit` as JSON. The command's exit code is ours; it ends with the task. Standard library only.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import termios
import time
from typing import TypedDict

from weyr.attempt import processes
from weyr.attempt.sandbox_status import status_of

NAMESPACES = ("user", "mnt", "ipc", "uts", "net", "pid")
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_CAPABILITIES_MAX = 64
KILLED = 137
"""As a shell tells of SIGKILL: the task ended, and the command with it."""
NOT_FOUND = 127
STANDS_WITHIN_S = 30.0
"""Much longer than any machine takes to make a sandbox; only bounds a visit to one that never stands."""
LOOK_S = 0.02
_libc = ctypes.CDLL(None, use_errno=True)


class Visit(TypedDict):
    """Where to go and what to do there. `main` is the task's first process, begun at `starttime`; `sandbox` the folder
    that tells of its sandbox, "" for none. `groups` are its control groups. With `has_terminal` the input is a
    terminal."""

    main: int
    starttime: int
    sandbox: str
    groups: list[str]
    workdir: str
    argv: list[str]
    has_terminal: bool


def visit(order: Visit) -> int:
    """Runs the command and gives its exit code. Raises: OSError where the task cannot be entered."""
    task = os.pidfd_open(order["main"])
    if processes.start_ticks(order["main"]) != order["starttime"]:
        raise ProcessLookupError("the task has ended")
    init = standing(order["sandbox"], task) if order["sandbox"] else 0
    env = _environment(order["main"])
    for folder in order["groups"]:
        if os.path.isdir(folder):
            with open(os.path.join(folder, "cgroup.procs"), "w") as file:
                file.write("0")
    if init:
        _enter_namespaces(init)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become(order, env, 0 if init else parent)
        except OSError as e:
            print(f"{order['argv'][0]}: {e.strerror}", file=sys.stderr)
        finally:
            os._exit(NOT_FOUND)
    return _outcome(pid, task)


def standing(folder: str, task: int) -> int:
    """The first process of the sandbox that the folder tells of, once a program runs in it: before that it has not
    left the machine's own files, and whoever came then would be in none, or in half of one.

    Takes: `task`, a handle of the task, whose end ends the wait. Raises: OSError where it does not stand in time.
    """
    deadline = time.monotonic() + STANDS_WITHIN_S
    while time.monotonic() < deadline:
        init = status_of(folder).init
        if init and processes.children(init):
            return init
        if select.select([task], [], [], LOOK_S)[0]:
            raise ProcessLookupError("the task has ended")
    raise TimeoutError("its sandbox does not stand yet")


def _environment(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/environ", "rb") as file:
        pairs = [entry.partition(b"=") for entry in file.read().split(b"\0") if entry]
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _enter_namespaces(pid: int) -> None:
    """Those that are not ours already. All are opened before the first is entered: the way may be gone after it."""
    doors = []
    for name in NAMESPACES:
        path = f"/proc/{pid}/ns/{name}"
        if os.readlink(path) != os.readlink(f"/proc/self/ns/{name}"):
            doors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    for door in doors:
        if _libc.setns(door, 0) != 0:
            raise OSError(ctypes.get_errno(), "the task's sandbox cannot be entered")


def _become(order: Visit, env: dict[str, str], parent: int) -> None:
    # From inside another namespace of processes its parent is 0 for as long as it lives, and for ever after.
    processes.die_with_parent(parent, signal.SIGKILL)
    os.setsid()
    if order["has_terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if order["sandbox"]:
        # What the task may not do, its visitor may not either.
        for number in range(_CAPABILITIES_MAX):
            _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.chdir(order["workdir"])
    os.execvpe(order["argv"][0], order["argv"], env)


def _outcome(pid: int, task: int) -> int:
    """Waits for the command, or for the task's end, which is its end too."""
    command = os.pidfd_open(pid)
    ready, _, _ = select.select([command, task], [], [])
    if command not in ready:
        signal.pidfd_send_signal(command, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main(argv: list[str]) -> int:
    with os.fdopen(int(argv[0])) as file:
        order: Visit = json.load(file)
    try:
        return visit(order)
    except OSError as e:
        print(f"the task cannot be entered: {e.strerror or e}", file=sys.stderr)
        return NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
