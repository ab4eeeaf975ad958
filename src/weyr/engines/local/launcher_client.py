"""How does the engine reach the launcher, and start one where none is?"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from weyr.attempt.processes import start_ticks
from weyr.attempt.task_folder import Order, read_json
from weyr.core.diagnostic import EngineSilent
from weyr.engines.local import launcher

START_S = 10.0
ANSWER_S = 10.0


class LauncherClient:
    """The launcher's door. Takes short paths: a Unix socket's name ends at 107 bytes.

    `info` is written by the launcher while it runs; `log` takes what it has to say. `epoch` is that of the
    lease under which its orders are given.
    """

    def __init__(self, socket_path: Path, info: Path, log: Path, python: str = sys.executable, epoch: int = 0) -> None:
        self._epoch = epoch
        self._socket, self._info = socket_path.absolute(), info.absolute()
        self._log, self._python = log, python
        self._expected: dict[str, int] = {}

    def start(self, orders: Sequence[Order]) -> list[str]:
        """Begins tasks, each at most once in its life; the launcher's answer to each is "" for begun,
        "already", or why not. Raises: EngineSilent; a task may then have begun, and its folder tells."""
        answers = self._ask({"do": "start", "orders": orders, "epoch": self._epoch})["answers"]
        assert len(answers) == len(orders)
        return [str(answer) for answer in answers]

    def expect(self, program: str, count: int) -> None:
        """So many processes of this program may be asked for at once: some are kept ready to begin. That nobody hears
        it is no error: it is said again to each launcher that begins."""
        self._expected[program] = count
        with suppress(EngineSilent):
            self._ask(_expectation(program, count))

    def kept(self) -> int | None:
        """The launcher's process. One that died is begun again where something is to be kept ready; else None.
        Raises: OSError."""
        pid = self.pid()
        if pid is None and any(self._expected.values()):
            with suppress(EngineSilent):
                self._ask({"do": "ping"})
            pid = self.pid()
        return pid

    def pid(self) -> int | None:
        """The launcher's process, if one runs now. Raises: OSError."""
        try:
            info = read_json(str(self._info.parent), self._info.name)
        except ValueError:
            return None
        if not info or start_ticks(int(info["pid"])) != info["started"]:
            return None
        return int(info["pid"])

    def stop(self) -> None:
        """Ends the launcher, and returns when it is gone; running tasks go on. Nobody there is no error.

        Raises: EngineSilent where it does not go.
        """
        pid = self.pid()
        if pid is None:
            return
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            signal.pidfd_send_signal(process, signal.SIGTERM)
            if not select.select([process], [], [], ANSWER_S)[0]:
                raise EngineSilent("the task launcher does not end")
        except ProcessLookupError:
            return
        finally:
            os.close(process)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(request).encode() + b"\n"
        try:
            try:
                return self._exchange(text)
            except (FileNotFoundError, ConnectionError, EOFError):
                # Nobody there, or killed while we asked. Asking again is safe: a task begins at most once.
                self._begin()
                return self._exchange(text)
        except (OSError, ValueError, EOFError, subprocess.SubprocessError) as e:
            raise EngineSilent(f"the task launcher did not answer: {e}") from e

    def _exchange(self, text: bytes) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(ANSWER_S)
            door.connect(str(self._socket))
            door.sendall(text)
            parts = []
            while part := door.recv(1 << 16):
                parts.append(part)
        if not parts:
            raise EOFError("it ended without an answer")
        answer = json.loads(b"".join(parts))
        if not isinstance(answer, dict) or "error" in answer:
            raise ValueError(f"unexpected answer {answer!r}")
        return answer

    def _begin(self) -> None:
        """Starts a launcher that outlives us; returns once it listens. A second one ends by itself."""
        command = [
            self._python,
            "-I",
            "-S",
            launcher.__file__,
            "--socket",
            str(self._socket),
            "--info",
            str(self._info),
        ]
        with self._log.open("ab") as log:
            # It forks and leaves our session by itself, and inherits nothing of our environment but what it needs.
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=START_S, check=True, env={}, cwd="/"
            )
        for program, count in self._expected.items():
            self._exchange(json.dumps(_expectation(program, count)).encode() + b"\n")


def _expectation(program: str, count: int) -> dict[str, Any]:
    return {"do": "expect", "program": program, "count": count}
