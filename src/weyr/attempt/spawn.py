"""How is a command started so that it cannot outlive its wrapper, and a failure to start is told?

In two steps: a process is made, which costs the most, and waits; later it is told what to become. So that
can be done before anybody asks. Standard library only: the wrappers import this.
"""

import errno
import json
import os
import resource
import signal
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from weyr.attempt import processes

_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGCHLD, signal.SIGINT)
_OUT_OF_MEMORY_SCORE = b"200"
"""Where the whole machine runs out of memory, tasks go before the server and the planes."""


class Bounds(NamedTuple):
    """What the new process puts itself under: control groups, by their doors, and CPUs (none: all)."""

    doors: Sequence[str] = ()
    cpus: Sequence[int] = ()


class _Command(TypedDict):
    argv: list[str]
    workdir: str
    env: dict[str, str]
    doors: list[str]
    cpus: list[int]


class Recruit:
    """A process in a session of its own that waits to become a command.

    Takes open descriptors for its input, and for its output and errors together.
    """

    def __init__(self, stdin: int, output: int) -> None:
        order, self._tell = os.pipe2(os.O_CLOEXEC)
        self._report, report = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._tell)
                _serve(order, stdin, output, report, parent)
            finally:
                os._exit(127)
        os.close(order)
        os.close(report)

    def become(self, argv: Sequence[str], workdir: str, env: dict[str, str], bounds: Bounds | None = None) -> str:
        """Makes it the command. Gives why it could not be started, or ""."""
        bounds = bounds or Bounds()
        command = _Command(argv=list(argv), workdir=workdir, env=env, doors=list(bounds.doors), cpus=list(bounds.cpus))
        try:
            _write_all(self._tell, json.dumps(command).encode())
        except BrokenPipeError:
            return "its process was killed before it began"
        finally:
            os.close(self._tell)
        error = os.read(self._report, 4096).decode(errors="replace")  # "" as soon as the exec closed our pipe
        os.close(self._report)
        return error


def _serve(order: int, stdin: int, output: int, report: int, parent: int) -> None:
    """The new process: gets ready, waits for what to become, and becomes it."""
    os.setsid()
    processes.die_with_parent(parent, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    _volunteer()
    for number in _DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the task's secrets
    os.dup2(stdin, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    json.loads(b'["the pages that the order will need are copied now"]')
    text = _read_all(order)
    if not text:
        return  # not needed after all
    command: _Command = json.loads(text)
    try:
        for door in command["doors"]:
            _enter(door)
        if command["cpus"]:
            os.sched_setaffinity(0, command["cpus"])
        os.chdir(command["workdir"])
        _execute(command["argv"], command["env"])
    except (OSError, ValueError, TypeError) as e:
        name = command["argv"][0]
        os.write(report, f"{name} could not be started: {_told(e, command['workdir'])}".encode()[:4000])


def _execute(argv: list[str], env: dict[str, str]) -> None:
    """As os.execvpe, which imports and catches warnings first: half a millisecond. Raises: OSError."""
    name = argv[0]
    if "/" in name:
        os.execve(name, argv, env)
    failure: OSError = FileNotFoundError(errno.ENOENT, "no such program", name)
    for folder in env.get("PATH", os.defpath).split(":"):
        try:
            os.execve(f"{folder or '.'}/{name}", argv, env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as e:
            failure = e  # there, but not to be executed; another folder may have a better one
    raise failure


def _enter(door: str) -> None:
    fd = os.open(door, os.O_WRONLY)
    os.write(fd, b"0")
    os.close(fd)


def _volunteer() -> None:
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, _OUT_OF_MEMORY_SCORE)
        os.close(fd)
    except OSError:
        return  # a container that forbids it: the kernel then chooses by size


def _told(error: BaseException, workdir: str) -> str:
    if isinstance(error, OSError) and error.filename == workdir:
        return f"there is no folder {workdir}" if isinstance(error, FileNotFoundError) else str(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such program"
    return str(error)


def _write_all(fd: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(fd, view) :]


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 1 << 16):
        parts.append(part)
    return b"".join(parts)
