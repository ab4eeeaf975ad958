"""How are the planes kept up? Each is a process of its own that outlives the server, which adopts it on return.

A plane says in its info file which process it is; the pid with its start time names that process
for ever, so that a stranger who got the same pid is never taken for a plane, or stopped as one.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from weyr.attempt.processes import start_ticks
from weyr.core.diagnostic import EngineSilent

START_S = 15.0
STOP_S = 10.0
POLL_S = 0.02
PAUSE = threading.Event()
"""Never set: its `wait` is the pause between two looks."""


@dataclass(frozen=True, slots=True)
class PlaneInfo:
    """A plane that runs: its process, and where it listens."""

    pid: int
    started: int
    port: int
    url: str


@dataclass(slots=True)
class Plane:
    """One plane: how to start it, and where it says that it runs."""

    name: str
    arguments: Sequence[str]
    info_file: Path
    log_file: Path
    needs: Path | None = None
    """A file without which it has nothing to do, and need not run."""
    _child: subprocess.Popen[bytes] | None = field(default=None)
    _replaced: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """Children of ours that finish what they have."""

    def running(self) -> PlaneInfo | None:
        """The plane's process if it is alive now, whoever started it."""
        if self._child is not None:
            self._child.poll()  # a dead child stays in the process table until it is asked for
        self._replaced = [child for child in self._replaced if child.poll() is None]
        try:
            said = json.loads(self.info_file.read_text())
            info = PlaneInfo(said["pid"], said["started"], said["port"], said["url"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return info if start_ticks(info.pid) == info.started else None

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything for it to do."""
        return self.needs is None or self.needs.exists()

    def begin(self) -> None:
        """Starts it if it does not run and there is anything to do, and does not wait for it."""
        if not self.is_wanted or self.is_ours or self.running():
            return
        self._child = self._begun()

    def start(self) -> PlaneInfo:
        """Starts it if it does not run. Raises: EngineSilent where it does not come up; its log says why."""
        self.begin()
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            found = self.running()
            if found:
                return found
            if not self.is_ours:
                break
            PAUSE.wait(POLL_S)  # its readiness is a file's appearance, and nothing else can be waited on
        raise EngineSilent(f"the {self.name} plane did not start: {self.last_words()}")

    def replace(self) -> PlaneInfo:
        """Starts another process in the place of the one that runs, which lets go once that one serves.

        For planes that know `--replace`. Raises: EngineSilent where it does not come up; the one before serves on.
        """
        before = self.running()
        if before is None:
            return self.start()
        successor = self._begun("--replace")
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and successor.poll() is None:
            found = self.running()
            if found and found.pid == successor.pid:
                self._replaced += [self._child] if self._child is not None else []
                self._child = successor
                return found
            PAUSE.wait(POLL_S)
        successor.kill()
        successor.wait()
        raise EngineSilent(f"the {self.name} plane could not be replaced: {self.last_words()}")

    def _begun(self, *more: str) -> "subprocess.Popen[bytes]":
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *self.arguments, *more],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )

    @property
    def is_ours(self) -> bool:
        """Whether this process started it and it has not ended since."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """Stops it and waits until it is gone; kills it if it takes too long. Nobody there is no error.

        One that this process began and that has not yet said that it runs is stopped too.
        """
        found = self.running()
        pid = found.pid if found else self._child.pid if self._child is not None and self.is_ours else None
        if pid is None:
            return
        _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while self.running() is not None or self.is_ours:
            if time.monotonic() > deadline:
                _signal(pid, signal.SIGKILL)
                deadline = time.monotonic() + STOP_S
            PAUSE.wait(POLL_S)
        for child in self._replaced:
            child.kill()
            child.wait()
        self._replaced.clear()
        self.info_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log, for a diagnostic."""
        try:
            lines = self.log_file.read_text(errors="replace").strip().splitlines()
        except OSError as e:
            return f"its log cannot be read: {e}"
        return lines[-1] if lines else "it wrote nothing into its log"


def _signal(pid: int, number: int) -> None:
    """It may have ended since it was last seen, and that is what is wanted."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
