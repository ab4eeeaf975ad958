"""A shell for tests of the command line: a data folder, a fake server over it, and the command itself."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from weyr.cli.place import running

FAKE = Path(__file__).with_name("fake_server.py")
PAUSE = threading.Event()
"""Never set: its `wait` is the pause between two looks."""
STACK_FILE = "stack: digits\nbuckets:\n  lake: {}\n"


@dataclass
class Said:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str


@dataclass
class Shell:
    """Runs the real command in a process of its own, on a data folder of the test's."""

    home: Path
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def weyr(self, *words: str, stdin: str = "", environment: dict[str, str] | None = None) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "weyr.cli.main", *words], input=stdin, capture_output=True, text=True, timeout=120,
            cwd=self.folder, env=self.environment(environment or {}), check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "WEYR_HOME")}
        return {**kept, "WEYR_HOME": str(self.home), "PYTHONUTF8": "1", **more}

    def serve(self, *options: str) -> subprocess.Popen[bytes]:
        """Starts the fake server and waits until it is there."""
        process = subprocess.Popen([sys.executable, str(FAKE), "--home", str(self.home), *options])
        self.processes.append(process)
        deadline = time.monotonic() + 90
        while running(self.home) is None:
            assert process.poll() is None, "the fake server ended"
            assert time.monotonic() < deadline, "the fake server did not start"
            PAUSE.wait(0.01)
        return process


@contextmanager
def a_shell(root: Path) -> Iterator[Shell]:
    """An empty data folder, a folder with a stack file, and no server; what was started is stopped."""
    folder = root / "work"
    folder.mkdir()
    (folder / "weyr.yaml").write_text(STACK_FILE)
    made = Shell(root / "home", folder)
    try:
        yield made
    finally:
        for process in made.processes:
            process.terminate()
            process.wait(60)
