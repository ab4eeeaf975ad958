"""Who is in a task beside its own program? Commands that `weyr exec` brought there, each with its pipes or terminal."""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from weyr.attempt.entering import Visit
from weyr.attempt.task_folder import BEGUN, EXIT, STATE, WANTED, WORK
from weyr.attempt.testimony import record_or_nothing
from weyr.core.ref import ThingId

VISITS_MAX = 16
PIECE_BYTES = 65536
LOOK_S = 1.0
END_S = 5.0


class NoVisit(Exception):
    """The task cannot be visited; the words say why."""


class Visits:
    """Those that go on, by a name that nobody can guess. Takes the folder of tasks."""

    def __init__(self, tasks: Path) -> None:
        self._tasks = tasks
        self._open: dict[str, OpenVisit] = {}

    def begin(self, id: ThingId, argv: Sequence[str], size: tuple[int, int] | None) -> str:
        """Starts a command in a task that runs here; with a terminal where a `size`, rows and columns, is given.
        Gives the visit's name. Raises: NoVisit, OSError."""
        self._open = {name: each for name, each in self._open.items() if not each.is_over}
        if len(self._open) >= VISITS_MAX:
            raise NoVisit(f"{VISITS_MAX} commands are in tasks already; end one of them")
        order = self._order(id, argv, size is not None)
        name = secrets.token_hex(16)
        self._open[name] = OpenVisit(order, size)
        return name

    def of(self, name: str) -> "OpenVisit | None":
        return self._open.get(name)

    def close(self) -> None:
        for each in self._open.values():
            each.close()

    def _order(self, id: ThingId, argv: Sequence[str], has_terminal: bool) -> Visit:
        folder = self._tasks / quote(str(id), safe="")
        begun, state = record_or_nothing(folder, BEGUN), record_or_nothing(folder, STATE)
        wanted = record_or_nothing(folder, WANTED)
        if (folder / EXIT).exists() or not state.get("starttime") or not wanted:
            raise NoVisit(f"{id} does not run now")
        if "launcher" not in begun:
            raise NoVisit(f"{id} does not run on the server's machine, and only there can it be entered")
        if begun.get("container"):
            engine, name = begun["container"]["engine"], begun["container"]["name"]
            raise NoVisit(
                f"{id} runs in a container, and its engine goes there: {shlex.join(engine)} exec -it {name} sh"
            )
        return Visit(
            main=int(state["pid"]),
            starttime=int(state["starttime"]),
            sandbox="" if wanted["body"].get("sandbox") is None else str(folder),
            groups=[str(group) for group in begun.get("groups", [])],
            workdir=str(folder / WORK if wanted["body"].get("ship") else wanted["body"]["workdir"]),
            argv=list(argv),
            has_terminal=has_terminal,
        )


class OpenVisit:
    """One command. Its output comes in frames: a JSON object on each line, the last with its exit code."""

    def __init__(self, order: Visit, size: tuple[int, int] | None) -> None:
        self.is_over = False
        self._terminal = -1
        read, write = os.pipe2(os.O_CLOEXEC)
        os.write(write, json.dumps(order).encode())
        os.close(write)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, read)
            ends: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
            if size is not None:
                self._terminal, theirs = os.openpty()
                stack.callback(os.close, theirs)
                ends = dict.fromkeys(ends, theirs)
            argv = [sys.executable, "-I", "-m", "weyr.attempt.entering", str(read)]
            self._process = subprocess.Popen(argv, pass_fds=[read], cwd="/", start_new_session=True, bufsize=0, **ends)
        if size is not None:
            self.resize(*size)
            self._outputs = {self._terminal: "o"}
        else:
            assert self._process.stdout is not None
            assert self._process.stderr is not None
            self._outputs = {self._process.stdout.fileno(): "o", self._process.stderr.fileno(): "e"}
        self._end = os.pidfd_open(self._process.pid)

    def frames(self) -> list[bytes] | None:
        """What it wrote since, after a moment's wait; nothing where it is quiet, None once all is told."""
        if self.is_over:
            return None
        ready, _, _ = select.select([*self._outputs, self._end], [], [], LOOK_S)
        found = [frame for fd in list(self._outputs) if fd in ready for frame in self._read(fd)]
        if self._end in ready and not found:
            code = self._process.wait()
            self.close()
            return [_frame({"exit": code if code >= 0 else 128 - code})]
        return found

    def write(self, text: bytes, is_end: bool) -> None:
        """Gives it input. What it does not read any more is lost, as at any pipe."""
        with contextlib.suppress(OSError, ValueError):
            if self._terminal >= 0:
                os.write(self._terminal, text)
                return
            assert self._process.stdin is not None
            self._process.stdin.write(text)
            if is_end:
                self._process.stdin.close()

    def resize(self, rows: int, columns: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def close(self) -> None:
        """Ends it: whoever wanted to see what it writes is gone."""
        if self.is_over:
            return
        self.is_over = True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)  # its command is killed with it by the kernel
        self._process.wait(END_S)
        os.close(self._end)
        if self._terminal >= 0:
            os.close(self._terminal)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _read(self, fd: int) -> list[bytes]:
        try:
            piece = os.read(fd, PIECE_BYTES)
        except OSError:  # a terminal whose last program went
            piece = b""
        if not piece:
            del self._outputs[fd]
            return []
        return [_frame({self._outputs[fd]: base64.b64encode(piece).decode()})]


def _frame(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
