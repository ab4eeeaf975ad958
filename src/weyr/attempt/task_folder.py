"""What lies in a task's folder, and who may write it?

    wanted.json    the engine: id, generation, body (secrets only by name)
    begun.json     the launcher, with O_EXCL and before it forks: this task was started once
    state.json     the wrapper: pid, start, limits, notice, checkpoints
    exit.json      the wrapper, durably, at the very end; the engine where the wrapper died
    stop.json      the engine: please end. reclaim.json: the node goes away
    control        a FIFO that wakes the wrapper; a byte means "read your requests again"
    sandbox.json   bubblewrap: the sandbox's first process, and how it ended
    000001.log     its output, in numbered files, oldest dropped
    checkpoints/   the task's $WEYR_CHECKPOINT_DIR

The folder itself is locked (flock) by the wrapper for its life: free and no exit.json means that it died.
Few files, for each costs 0.1 ms to make. Standard library only: the launcher and the wrappers import this.
"""

import fcntl
import json
import os
import signal
import socket
import stat
import time
from importlib import import_module
from typing import Any, TypedDict

from weyr.attempt import bell

WANTED = "wanted.json"
BEGUN = "begun.json"
STATE = "state.json"
EXIT = "exit.json"
STOP = "stop.json"
RECLAIM = "reclaim.json"
CONTROL = "control"
CHECKPOINTS = "checkpoints"
SHIPPED = "shipped.json"
"""Which snapshot a task runs on whose folder is laid out on another machine."""
WORK = "work"
"""Where the copy of its folder lies, of a task that runs in one."""

MARK = "WEYR_TASK_FOLDER"
"""The variable by which a surviving process of a dead wrapper is known. An id would not do: two
data folders on one machine may hold tasks of the same name."""


class Ranks(TypedDict):
    """A member of a gang: `name` is the gang's and no other attempt's; `port` is free on the first member's machine."""

    name: str
    size: int
    rank: int
    port: int
    gpus: int


class BuildOrder(TypedDict):
    """A Python environment to have before the program starts, in `folder`; `argv` makes it."""

    folder: str
    argv: list[str]
    workdir: str
    env: dict[str, str]


class ContainerOrder(TypedDict):
    """The container that the program runs in, by its name, and the words that each command of its engine begins with.
    The engine keeps the memory limit."""

    engine: list[str]
    name: str
    is_podman: bool
    memory_bytes: int | None


class Order(TypedDict):
    """All that a wrapper needs to run a task. It travels over a socket and never touches a disk,
    for `env`, `masks` and `secret_files` hold secrets.

    `sandbox` is one as it is wanted; the machine that it runs on makes `prefix` of it, the words before `argv`, and
    `doors`, the ports of ours, at `doors_at`, that stand open in a network of its own: None where it gets none from us.
    In the same
    way `build` comes of `requirements`, and `container` of `image`."""

    id: str
    generation: int
    folder: str
    argv: list[str]
    workdir: str
    shipped: str
    """The snapshot that the machine lays out as `workdir`; "" where that is there already."""
    env: dict[str, str]
    masks: list[str]
    secret_folder: str
    secret_files: dict[str, str]
    cpu: float
    memory_bytes: int | None
    time_limit_s: float | None
    grace_s: float
    agent: list[str]
    save_s: float
    events: str
    socket: str
    ports: list[int]
    group: str
    ranks: Ranks
    lease_s: float
    """How long it may run on without being told that it still may; 0 for ever."""
    nice: int
    processes_max: int
    disk_bytes: int | None
    disk_folders: list[str]
    sandbox: dict[str, Any] | None
    prefix: list[str]
    doors: list[int] | None
    doors_at: str
    devices: list[str]
    accelerators: dict[str, Any] | None
    requirements: list[str]
    python: str
    build: BuildOrder | None
    image: str
    container: ContainerOrder | None
    notes: list[str]
    """What its log should say first."""


def write_json(folder: str, name: str, value: object, is_durable: bool = False) -> None:
    """Replaces a record as a whole: a reader sees the old one or the new one. Raises: OSError.

    Durable means that it survives a power cut once this returns: synced under its final name, which the
    journal then holds as well. A cut before that can leave an empty record, which reads as none.
    """
    path, part = os.path.join(folder, name), os.path.join(folder, f".{name}.tmp")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write_whole(fd, part, json.dumps(value).encode())
        os.replace(part, path)
        if is_durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def _write_whole(fd: int, path: str, text: bytes) -> None:
    """Writes all of it, or leaves no file: a disk that is nearly full takes a part, and says so only afterwards."""
    try:
        view = memoryview(text)
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        os.unlink(path)
        raise


def read_json(folder: str, name: str) -> dict[str, Any] | None:
    """A record, or None where there is none, or an empty one. Raises: OSError, ValueError where it cannot be read."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    if not text.strip(b"\0"):
        return None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"{name} in {folder} is not a JSON object")
    return value


def begin(folder: str, details: dict[str, Any]) -> bool:
    """Claims the one start that a task has. False where it was claimed before. Raises: OSError.

    Not durable: no process outlives the power cut that would undo the claim.
    """
    path = os.path.join(folder, BEGUN)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    try:
        _write_whole(fd, path, json.dumps(details).encode())  # else nobody began, and the claim must not stand
    finally:
        os.close(fd)
    return True


def refuse(folder: str, why: str) -> None:
    """Records that a task was not begun, and never can be where it was to run. Raises: OSError."""
    end = {"reason": "refused", "exit_code": None, "signal": None, "detail": why, "ended_at": time.time()}
    write_json(folder, EXIT, end, is_durable=True)


def lock(folder: str) -> int | None:
    """Takes a task's lock; gives its descriptor, or None where somebody holds it. Raises: OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def wake(folder: str) -> None:
    """Tells the wrapper to read its requests. Nobody there is no error: it reads them when it starts."""
    try:
        fd = os.open(os.path.join(folder, CONTROL), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        _nudge(folder)
        return
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.write(fd, b"!")
        else:
            _nudge(folder)
    except BlockingIOError:
        return  # the FIFO is full of wake-ups already
    finally:
        os.close(fd)


def _nudge(folder: str) -> None:
    """Wakes a wrapper whose FIFO could not be made, or was taken away. The signal that tells of a child's end does
    nothing to a stranger who has that pid by now."""
    try:
        os.kill(int((read_json(folder, STATE) or {})["wrapper"]), signal.SIGCHLD)
    except (OSError, ValueError, KeyError, TypeError):
        return


def far(door: str, file: str, url: str, token: str) -> str:
    """An `events` for `tell` on any machine: `door`'s datagram socket where somebody listens at it; else `file`, whose
    time is set, and the server's API at `url`, asked with the task's `token`."""
    return json.dumps({"door": door, "file": file, "url": url, "token": token})


def ring(path: str) -> None:
    """Says by a file's time that something happened: to whoever looks at it, on whichever machine."""
    try:
        with open(path, "w") as file:
            os.utime(file.fileno())
    except OSError:
        return


def tell(events: str, id: str, event: str, patience_s: float = 0.0) -> None:
    """Wakes the loop by a datagram, if one listens. Nothing hangs on it: the records are what counts.

    Where ten others wait at the door already, it tries for `patience_s`. `events` is the door's path, or as `far` gives
    it.
    """
    if not events.startswith("{"):
        _knock(events, id, event, patience_s)
        return
    ways = json.loads(events)
    if not _knock(ways["door"], id, event, patience_s):
        ring(ways["file"])
        # Beside the task, which must not wait for a server that is away; its end waits for a while. Loaded here, for
        # what threading does in each process that the launcher forks costs more than the rest of the fork.
        caller = import_module("threading").Thread(target=bell.call, args=(ways["url"], ways["token"]), daemon=True)
        caller.start()
        caller.join(patience_s)


def _knock(door: str, id: str, event: str, patience_s: float) -> bool:
    """Whether somebody listens at that door, and was told or has enough to hear already."""
    if not door:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mine:
            mine.settimeout(patience_s)
            mine.sendto(json.dumps({"id": id, "event": event}).encode(), door)
    except (BlockingIOError, TimeoutError):
        return True
    except OSError:
        return False
    return True
