"""Who forks the wrappers? A small process that outlives the server and costs nothing while it waits.

Run as `python -I -S launcher.py --socket PATH --info FILE`: no site-packages, standard library only, so
that each fork of it stays small. One request per connection, a JSON line; one JSON line back:

    {"do": "start", "orders": [...], "epoch": 3}  → {"answers": ["", "already", "why not", ...]}
    {"do": "expect", "program": "...", "count": 2} → {"pid": ...}: so many may be asked for at once, or none
    {"do": "ping"}                    → {"pid": ...}         {"do": "stop"} → ends; wrappers go on

If it is killed, running wrappers go on as well, and the next request starts another launcher.
"""

import contextlib
import fcntl
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import types
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

REQUEST_BYTES_MAX = 64 << 20
REQUEST_S = 5.0
FILES_MAX = 1024
LOOK_MS = 5_000
LOCK_TRIES_MAX = 300
NO_HANDLE_S = 0.05
IDLE_MS = 20
"""A spare is made when nobody has asked for anything this long: not in the way of a task that starts."""
LOADED_IDLE_MS = 300
"""One with a program loaded costs fifty times as much to make: not in the way of what was just woken."""
MORE_IDLE_MS = 1_000
"""And a second one is made when the first has been: two that load at once are both late."""
PROGRAMS = {"weyr.runtime.function": 16 << 20, "weyr.runtime.serve": 256 << 20, "weyr.runtime.health": 16 << 20}
"""The programs that somebody waits for while they start, as what is called sleeps no longer; and what each takes."""
LOADED_MAX = 3
SHARE = 16
"""More than one is kept loaded only in a sixteenth of the memory that is free."""


def _import_without_packages() -> None:
    """Makes our own modules importable without running any `__init__` on the way, whatever they import."""
    root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    for name in ("weyr", "weyr.attempt", "weyr.engines", "weyr.engines.local"):
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [os.path.join(root, *name.split(".")[1:])]
            sys.modules[name] = package


_import_without_packages()

from weyr.attempt import ahead, limits, processes, standby, task_folder  # noqa: E402 - needs the line above
from weyr.engines.local import epochs  # noqa: E402


class Launcher:
    """Accepts requests one after the other; a start takes about a millisecond."""

    def __init__(self, door: socket.socket, path: str, wake: int, folder: str) -> None:
        self._door, self._path, self._wake = door, path, wake
        self._epochs = epochs.Epochs(folder)
        self._inode = os.stat(path).st_ino
        self._trees = limits.hierarchies()
        self._boot = processes.boot_id()
        self._spares: defaultdict[str, deque[tuple[socket.socket, int]]] = defaultdict(deque)
        """Wrappers made ahead, with their pids, the oldest first: "" for any task, or by the program that they have
        loaded."""
        self._expected: dict[str, int] = {}
        self._doorbells: dict[int, tuple[str, str]] = {}
        """By wrapper: whom to tell, of which task, where it dies and cannot."""
        self.is_stopping = False

    def serve(self) -> bool:
        """Works until it is told to end, or cannot be reached any more: then it gives False."""
        poll = select.poll()
        poll.register(self._door, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        gc.disable()
        gc.freeze()  # a forked child that collects would touch, and so copy, every page
        while not self.is_stopping:
            lacking = self._lacking()
            ready = poll.poll(LOOK_MS if lacking is None else self._patience_ms(lacking))
            for fd, _ in ready:
                if fd == self._wake:
                    os.read(self._wake, 4096)
                else:
                    self._serve_one()
            self._reap()
            if not ready and lacking is not None:
                self._make_spare(lacking)
            if self._is_cut_off():
                return False
        return True

    def _is_cut_off(self) -> bool:
        """Whether nobody can reach us any more, for somebody removed the folder with our socket."""
        try:
            return os.stat(self._path).st_ino != self._inode
        except OSError:
            return True

    def _serve_one(self) -> None:
        try:
            connection, _ = self._door.accept()
        except OSError:
            # Without a free handle the caller goes on waiting at the door: not to ask again as fast as we can.
            select.select([], [], [], NO_HANDLE_S)
            return
        with connection:
            connection.settimeout(REQUEST_S)
            try:
                if _is_ours(connection):
                    answer = self._answer(json.loads(_read_line(connection)))
                    connection.sendall(json.dumps(answer).encode() + b"\n")
            except (OSError, ValueError, KeyError) as e:
                print(f"launcher: a request failed: {e!r}", file=sys.stderr, flush=True)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request.get("do"):
            case "start":
                if refusal := self._epochs.refusal(int(request.get("epoch", 0))):
                    return {"error": refusal}
                return {"answers": [self._start(order) for order in request["orders"]]}
            case "expect":
                self._expect(str(request["program"]), int(request["count"]))
                return {"pid": os.getpid()}
            case "ping":
                return {"pid": os.getpid()}
            case "stop":
                self.is_stopping = True
                return {"pid": os.getpid()}
            case other:
                return {"error": f"{other!r} is nothing that a launcher does"}

    def _start(self, order: task_folder.Order) -> str:
        """Starts a task at most once, whoever asks and however often: "" the first time, "already" after."""
        folder = order["folder"]
        try:
            lock = task_folder.lock(folder)
            if lock is None:
                return "already"
            try:
                groups = limits.group_folders(order["group"], self._trees)
                claim = {"boot": self._boot, "groups": groups, "launcher": os.getpid()}
                if order["container"]:
                    claim["container"] = order["container"]
                if not task_folder.begin(folder, claim):
                    return "already"
                pid = self._hand_over(order, lock) or _fork(folder)
                if pid == 0:
                    self._become_wrapper([lock], lambda: (order, lock))
                self._doorbells[pid] = (order["events"], order["id"])
            finally:
                os.close(lock)  # the child's copy of it holds the lock from here
        except OSError as e:
            return f"the task's folder cannot be used: {e}"
        return ""

    def _lacking(self) -> str | None:
        """The spare that is to be made next: of each program one, before there are more of any."""
        if not self._spares[""]:
            return ""
        for program in self._expected:
            if not self._spares[program]:
                return program
        for program, count in self._expected.items():
            if len(self._spares[program]) < min(count, LOADED_MAX) and self._has_room(program):
                return program
        return None

    def _patience_ms(self, program: str) -> int:
        if not program:
            return IDLE_MS
        return MORE_IDLE_MS if self._spares[program] else LOADED_IDLE_MS

    def _has_room(self, program: str) -> bool:
        """Whether the machine has the memory for one more."""
        return (len(self._spares[program]) + 1) * PROGRAMS[program] * SHARE <= limits.available_bytes()

    def _make_spare(self, program: str) -> None:
        """Makes one wrapper ahead of its order: a task then starts without waiting for
        two forks and the pages that they copy. It ends by itself when our end of its socket closes."""
        ours, theirs = socket.socketpair()
        pid = _fork("")
        if pid == 0:
            loaded = (sys.executable, program) if program else None
            self._become_wrapper([theirs.fileno()], lambda: _receive(theirs), loaded)
        theirs.close()
        self._spares[program].append((ours, pid))

    def _expect(self, program: str, count: int) -> None:
        if count and program in PROGRAMS:
            self._expected[program] = count
        else:
            self._expected.pop(program, None)
        spares = self._spares[program]
        while len(spares) > count:
            spares.pop()[0].close()

    def _hand_over(self, order: task_folder.Order, lock: int) -> int:
        """Gives an order and its task's lock to the spare wrapper, whose pid it gives; 0 where there is none alive."""
        program = "" if order["prefix"] else ahead.at_hand(order["argv"], order["env"], sys.executable, [*PROGRAMS])
        text = json.dumps(order).encode()
        while spares := self._spares[program] or self._spares[""]:
            spare, pid = spares.popleft()
            with spare:
                try:
                    socket.send_fds(spare, [len(text).to_bytes(8, "big")], [lock])
                    spare.sendall(text)
                except OSError:
                    continue  # it was killed while it waited
            return pid
        return 0

    def _reap(self) -> None:
        """Takes the exits of wrappers. Their records are on disk; only of one that died is anything to be told."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            events, id = self._doorbells.pop(pid, ("", ""))
            if status:
                self._end_left()
                task_folder.tell(events, id, "gone")

    def _end_left(self) -> None:
        """Ends what a killed wrapper left to us: whatever a task does to hide, its processes have no other parent."""
        mine = {*self._doorbells, *(pid for spares in self._spares.values() for _, pid in spares)}
        processes.signal_all([pid for pid in processes.children(os.getpid()) if pid not in mine], signal.SIGKILL)

    def _become_wrapper(
        self,
        keep: list[int],
        receive: Callable[[], tuple[task_folder.Order, int] | None],
        loaded: tuple[str, str] | None = None,
    ) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            # Everything of the launcher's, above all the lock that says that a launcher lives.
            first = 3
            for fd in sorted(keep):
                os.closerange(first, fd)
                first = fd + 1
            os.closerange(first, FILES_MAX)
            standby.main(self._trees, receive, loaded=loaded)
            status = 0
        except Exception as e:  # the process's edge: the launcher's log is the only place to say it
            print(f"a wrapper failed: {e!r}", file=sys.stderr)
            raise
        finally:
            sys.stderr.flush()
            os._exit(status)


def _receive(door: socket.socket) -> tuple[task_folder.Order, int] | None:
    """Waits for an order and a lock; None where the launcher ended instead."""
    standby.rehearse()
    head, locks, _, _ = socket.recv_fds(door, 8, 1)
    if not head or not locks:
        return None
    size, parts = int.from_bytes(head, "big"), b""
    while len(parts) < size:
        part = door.recv(min(1 << 20, size - len(parts)))
        if not part:
            return None
        parts += part
    door.close()
    os.set_inheritable(locks[0], False)  # recv_fds takes a flag for that, and in 3.11 does not pass it on
    order: task_folder.Order = json.loads(parts)
    return order, locks[0]


def _fork(folder: str) -> int:
    """As os.fork; where the machine has no room for a process, the task's end says so. Raises: OSError."""
    try:
        return os.fork()
    except OSError as e:
        if not folder:
            return -1
        end = {"reason": "not started", "detail": f"no process could be made: {e}", "ended_at": time.time()}
        task_folder.write_json(folder, task_folder.EXIT, end, is_durable=True)
        return -1


def _is_ours(connection: socket.socket) -> bool:
    """Whether the caller is the same user; the socket's mode says so too, but not on every system."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[1]) == os.getuid()


def _read_line(connection: socket.socket) -> bytes:
    parts, size = [], 0
    while True:
        part = connection.recv(1 << 20)
        parts.append(part)
        size += len(part)
        if not part or part.endswith(b"\n"):
            return b"".join(parts)
        if size > REQUEST_BYTES_MAX:
            raise ValueError("the request is too long")


def _answers(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.connect(path)
    except OSError:
        return False
    return True


def _open_door(path: str) -> socket.socket | None:
    """Listens; None where another launcher does. Who holds the lock beside the socket may replace it."""
    lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(LOCK_TRIES_MAX):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if _answers(path):
                return None
        # A launcher was killed, and a wrapper that it has just forked is about to let go.
        select.select([], [], [], 0.01)
    else:
        return None
    os.set_inheritable(lock, False)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    door.bind(path)
    os.umask(old)
    door.listen(128)
    door.setblocking(False)
    return door


def main(argv: list[str]) -> None:
    """Detaches, listens, and only then lets the caller's process return."""
    options = dict(zip(argv[::2], argv[1::2], strict=True))
    done, tell = os.pipe()
    if os.fork():
        os.close(tell)
        sys.exit(0 if os.read(done, 1) else 1)
    os.close(done)
    os.setsid()
    os.chdir("/")
    processes.adopt_orphans()  # what a killed wrapper leaves is reaped here, not by a pid 1 that may not
    door = _open_door(options["--socket"])
    if door is None:
        os.write(tell, b"!")  # another one listens: as good
        return
    wake, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    folder, name = os.path.split(os.path.abspath(options["--info"]))
    launcher = Launcher(door, options["--socket"], wake, folder)

    def stop(*_: object) -> None:
        launcher.is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    info = {"pid": os.getpid(), "started": processes.start_ticks(os.getpid()), "socket": options["--socket"]}
    task_folder.write_json(folder, name, info)
    os.write(tell, b"!")
    os.close(tell)
    is_reachable = launcher.serve()
    for path in (options["--info"], options["--socket"]):
        if is_reachable and os.path.exists(path):  # else they are another launcher's, or nobody's
            os.unlink(path)


if __name__ == "__main__":
    main(sys.argv[1:])
