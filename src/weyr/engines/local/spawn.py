"""How is a command started so that it cannot outlive its wrapper, and a failure to start is told?

Standard library only: the wrappers import this.
"""

import os
import resource
import signal
from collections.abc import Sequence
from typing import Protocol

from weyr.engines.local import processes

_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGCHLD, signal.SIGINT)
_OUT_OF_MEMORY_SCORE = "200"
"""Where the whole machine runs out of memory, tasks go before the server and the planes."""


class Enterable(Protocol):
    """Limits that the new process puts itself under before it becomes the command."""

    def enter(self) -> None: ...


def spawn(
    argv: Sequence[str], workdir: str, env: dict[str, str], stdin: int, output: int, limits: Enterable | None
) -> tuple[int, str]:
    """Starts a command in its own session. Gives its pid and why it could not be started, or "".

    Takes open descriptors for its input and for its output and errors together.
    """
    report, tell = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become(argv, workdir, env, stdin, output, limits, parent)
        except BaseException as e:  # noqa: BLE001 - a child that could not exec must end here
            os.write(tell, f"{argv[0]} could not be started: {_told(e, workdir)}".encode()[:4000])
        finally:
            os._exit(127)
    os.close(tell)
    error = os.read(report, 4096).decode(errors="replace")  # "" as soon as the exec closed our pipe
    os.close(report)
    return pid, error


def _become(
    argv: Sequence[str],
    workdir: str,
    env: dict[str, str],
    stdin: int,
    output: int,
    limits: Enterable | None,
    parent: int,
) -> None:
    os.setsid()
    processes.die_with_parent(parent, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    if limits:
        limits.enter()
        _volunteer()
    os.dup2(stdin, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for number in _DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the task's secrets
    os.chdir(workdir)
    os.execvpe(argv[0], list(argv), env)


def _volunteer() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(_OUT_OF_MEMORY_SCORE)
    except OSError:
        return  # a container that forbids it: the kernel then chooses by size


def _told(error: BaseException, workdir: str) -> str:
    if isinstance(error, OSError) and error.filename == workdir:
        return f"there is no folder {workdir}" if isinstance(error, FileNotFoundError) else str(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such program"
    return str(error)
