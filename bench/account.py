"""Whose CPU time and memory is it? What is started inside an account is counted together, daemons and strays included.

A control group of cgroup v1's cpuacct each, so it needs root. The programs that a bench has run are told apart by name.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ACCOUNTS = Path("/sys/fs/cgroup/cpuacct")


class Account:
    """The CPU time and the memory of what was started inside, and of all that came of that."""

    def __init__(self, name: str) -> None:
        assert (ACCOUNTS / "cgroup.procs").exists(), "this bench counts CPU time with cgroup v1's cpuacct"
        self._folder = ACCOUNTS / f"weyr-bench-{name}-{os.getpid()}"
        self._folder.mkdir()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """What this process starts meanwhile belongs to the account; so does this process itself, for as long."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (ACCOUNTS / "cgroup.procs").write_text(str(os.getpid()))

    def cpu_s(self) -> float:
        return int((self._folder / "cpuacct.usage").read_text()) / 1e9

    def memory_bytes(self, but: str) -> int:
        """What its processes hold, pages that are shared shared out, without those that run the command `but`."""
        return sum(_pss(pid) for pid in self._pids() if _name(pid) != but)

    def count(self, name: str) -> int:
        """How many of its processes run this command."""
        return sum(_name(pid) == name for pid in self._pids())

    def close(self) -> None:
        """Ends what is left of its processes, however it went."""
        for _ in range(200):
            for pid in self._pids():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            try:
                self._folder.rmdir()
                return
            except OSError:
                time.sleep(0.05)

    def _pids(self) -> list[str]:
        return (self._folder / "cgroup.procs").read_text().split()


def _name(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _pss(pid: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
