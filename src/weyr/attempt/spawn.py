"""How is a command started so that it cannot outlive its wrapper, and a failure to start is told?

In two steps: a process is made, which costs the most, and waits; later it is told what to become. So that
can be done before anybody asks. Standard library only: the wrappers import this.
"""

import errno
import fcntl
import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypedDict, TypeVar

from weyr.attempt import namespaces, processes
from weyr.attempt.limits import Limits
from weyr.attempt.sandbox_status import STATUS, STATUS_FD
from weyr.attempt.task_folder import Order

T = TypeVar("T")
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGCHLD, signal.SIGINT)
_OUT_OF_MEMORY_SCORE = b"200"
"""Where the whole machine runs out of memory, tasks go before the server and the planes."""


LANG = "C.UTF-8"
PADDING = "." * 1500
"""Room in the words and the environment of a process with a program loaded for those of what it becomes."""
REPORT_BYTES = 4096
KILLED = "its process was killed before it began"
FILES_PASSED_MAX = 16


class Bounds(NamedTuple):
    """What the new process puts itself under: control groups, by their doors, and CPUs (none: all).

    `nice` is how far it stands back; `file_bytes` bounds each file it writes and `processes` its user's processes,
    where the kernel counts those: -1 for no bound. `ports` are the doors at `address` in a network of its own,
    None for the machine's network. `files` maps descriptors to paths that it has open for writing.
    """

    doors: Sequence[str] = ()
    cpus: Sequence[int] = ()
    nice: int = 0
    file_bytes: int = -1
    processes: int = -1
    ports: Sequence[int] | None = None
    address: str = namespaces.HERE
    files: Mapping[str, str] = {}


def bounds_of(order: Order, limits: Limits) -> Bounds:
    """What the program of an order is put under."""
    path = os.path.join(order["folder"], STATUS)
    return Bounds(
        limits.doors,
        limits.cpus,
        order["nice"],
        -1 if order["disk_bytes"] is None or order["container"] else order["disk_bytes"],
        order["processes_max"] if limits.processes_by == "rlimit" else -1,
        order["doors"],
        order["doors_at"],
        {str(STATUS_FD): path} if order["prefix"] else {},
    )


class Command(TypedDict):
    argv: list[str]
    workdir: str
    env: dict[str, str]
    bounds: dict[str, object]


class Recruit:
    """A process in a session of its own that waits to become a command.

    Takes open descriptors for its input, and for its output and errors together. `loaded` may be an interpreter and a
    module of ours: it then waits as a Python that has loaded the module (`weyr.attempt.ahead`).
    """

    def __init__(self, stdin: int, output: int, loaded: tuple[str, str] | None = None) -> None:
        order, self._tell = os.pipe2(os.O_CLOEXEC)
        self._report, report = socket.socketpair()
        self.doors: list[int] = []
        """The sockets at which the doors of its own network were opened."""
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._tell)
                _serve(order, stdin, output, report, parent, loaded)
            finally:
                os._exit(127)
        os.close(order)
        report.close()

    def become(self, argv: Sequence[str], workdir: str, env: dict[str, str], bounds: Bounds | None = None) -> str:
        """Makes it the command. Gives why it could not be started, or ""."""
        bounds = bounds or Bounds()
        command = Command(argv=list(argv), workdir=workdir, env=env, bounds=bounds._asdict())
        try:
            _write_all(self._tell, json.dumps(command).encode())
        except BrokenPipeError:
            return KILLED
        finally:
            os.close(self._tell)
        with self._report:
            error = b""
            while True:
                text, passed, _, _ = socket.recv_fds(self._report, REPORT_BYTES, FILES_PASSED_MAX)
                self.doors += passed
                if not text:  # the exec closed its end
                    return error.decode(errors="replace")
                error += text if not passed else b""


def recruited(output: int, loaded: tuple[str, str] | None = None) -> Recruit:
    """A recruit without input. It has `output` alone: ours is closed."""
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    recruit = Recruit(null, output, loaded)
    os.close(null)
    os.close(output)
    return recruit


def begun(
    recruit: Recruit, output: int, argv: Sequence[str], workdir: str, env: dict[str, str], bounds: Bounds
) -> tuple[Recruit, str]:
    """Makes a recruit, or one in its place, the command; gives which, and why it could not be started, or "".

    One that was killed while it waited is no reason for a task to fail, of which nothing had begun. `output` is the end
    of its output's pipe that is read.
    """
    error = recruit.become(argv, workdir, env, bounds)
    if error != KILLED:
        return recruit, error
    recruit = recruited(os.open(f"/proc/self/fd/{output}", os.O_WRONLY | os.O_CLOEXEC))
    return recruit, recruit.become(argv, workdir, env, bounds)


def _serve(
    order: int, stdin: int, output: int, report: socket.socket, parent: int, loaded: tuple[str, str] | None
) -> None:
    """The new process: gets ready, waits for what to become, and becomes it."""
    os.setsid()
    # Out of the way of the files that the command is to have at numbers of its own.
    report = socket.socket(fileno=fcntl.fcntl(report.detach(), fcntl.F_DUPFD_CLOEXEC, 64))
    processes.die_with_parent(parent, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    _volunteer()
    for number in _DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the task's secrets
    os.dup2(stdin, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if loaded:
        os.set_inheritable(order, True)
        os.set_inheritable(report.fileno(), True)
        execute(*_words_ahead(*loaded, order, report.fileno()))
    json.loads(b'["the pages that the order will need are copied now"]')
    text = read_all(order)
    if not text:
        return  # not needed after all
    command: Command = json.loads(text)
    undertaken(command, report, lambda: execute(command["argv"], command["env"]))


def _words_ahead(python: str, module: str, order: int, report: int) -> tuple[list[str], dict[str, str]]:
    words = [python, "-I", "-m", "weyr.attempt.ahead", str(order), str(report), module, PADDING]
    return words, {"LANG": LANG, "WEYR_AHEAD": PADDING, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def undertaken(command: Command, report: socket.socket, become: Callable[[], T]) -> T | None:
    """Puts this process under the command's bounds, and lets it become that; what fails is reported, and gives None."""
    try:
        _bind(Bounds(**command["bounds"]), report)  # type: ignore[arg-type]  # as `become` wrote it
        os.chdir(command["workdir"])
        return become()
    except (OSError, ValueError, TypeError) as e:
        name = command["argv"][0]
        report.sendall(f"{name} could not be started: {_told(e, command['workdir'])}".encode()[:4000])
        return None


def _bind(bounds: Bounds, report: socket.socket) -> None:
    """Puts this process under its bounds. Raises: OSError."""
    for door in bounds.doors:
        _enter(door)
    if bounds.cpus:
        os.sched_setaffinity(0, bounds.cpus)
    if bounds.nice:
        processes.stand_back(bounds.nice)
    if bounds.file_bytes >= 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bounds.file_bytes, bounds.file_bytes))
    if bounds.processes >= 0:
        most = processes.count_of(os.getuid()) + bounds.processes
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    if bounds.ports is not None:
        namespaces.leave_network(bounds.address)
        doors = namespaces.open_doors(bounds.ports, bounds.address)
        if doors:
            socket.send_fds(report, [b"doors"], [door.fileno() for door in doors])
        for listener in doors:
            listener.close()  # now, not when it is forgotten: its number may be a file's by then
    for number, path in bounds.files.items():
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(fd, int(number))
        os.set_inheritable(int(number), True)  # where it is that number already, dup2 does nothing


def execute(argv: list[str], env: dict[str, str]) -> None:
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


def read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 1 << 16):
        parts.append(part)
    return b"".join(parts)
