"""What does a task hold that no kernel bounds for us? Memory and processes without control groups, and its disk.

Standard library only: the wrappers import this.
"""

import os
from collections.abc import Sequence

from weyr.attempt import processes
from weyr.attempt.limits import MEASURE_S, Limits

DISK_S = 1.0
DISK_STEP = 8
"""Folders are walked again once their disk lost this part of what the task may still write: a walk costs a call for
each file, and a look at the disk one."""


class Measure:
    """Takes the bounds of a task and the folders it writes to. `at` is when to measure next (monotonic)."""

    def __init__(
        self, limits: Limits, memory_bytes: int | None, processes_max: int, disk: int | None, folders: Sequence[str]
    ) -> None:
        self._limits, self._memory_bytes, self._processes_max = limits, memory_bytes, processes_max
        self._disk_bytes, self._folders = disk, folders
        self._disk_at = self._usual_bytes = self._used_bytes = 0
        self._free_bytes = 0
        self.memory_max = 0
        self.at = float("inf")

    def begin(self, now: float) -> None:
        """The task has just begun: what lies in its folders now is not its doing."""
        if self._limits.must_measure:
            self.at = now
        if self._disk_bytes is not None:
            self._usual_bytes = sum(map(folder_bytes, self._folders))
            self._free_bytes = self._free()
            self.at = min(self.at, now + DISK_S)

    def excess(self, now: float, pids: Sequence[int]) -> tuple[str, str]:
        """Measures; gives the reason and the detail of a bound that is passed, or two times ""."""
        self.at = now + (MEASURE_S if self._limits.must_measure else DISK_S)
        if self._limits.processes_by == "measuring" and len(pids) > self._processes_max:
            return "failed", f"it had more than its {self._processes_max} processes"
        if self._limits.memory_by == "measuring" and self._memory(pids):
            return "out of memory", memory_detail(self._memory_bytes)
        if self._disk_bytes is not None and now >= self._disk_at:
            self._disk_at = int(now + DISK_S)
            if self._disk() > self._disk_bytes:
                return "failed", disk_detail(self._disk_bytes)
        return "", ""

    def _memory(self, pids: Sequence[int]) -> bool:
        """Adds up what processes hold. Shared pages are counted once only where it matters: the exact figure costs
        ten times the rough one."""
        limit = self._memory_bytes or 0
        held = processes.resident_bytes(pids)
        if held > limit:
            held = processes.proportional_bytes(pids)
        self.memory_max = max(self.memory_max, held)
        return held > limit

    def _disk(self) -> int:
        """How much its folders hold more than at its beginning, as far as it could have passed the bound."""
        assert self._disk_bytes is not None
        free = self._free()
        # What others remove meanwhile must not hide what it writes from now on.
        self._free_bytes = max(self._free_bytes, free)
        if self._free_bytes - free > max(0, self._disk_bytes - self._used_bytes) // DISK_STEP:
            self._used_bytes = sum(map(folder_bytes, self._folders)) - self._usual_bytes
            self._free_bytes = free
        return self._used_bytes

    def _free(self) -> int:
        try:
            return sum(s.f_bavail * s.f_frsize for s in map(os.statvfs, self._folders))
        except OSError:
            return 0  # a folder that went: the next look walks


def folder_bytes(folder: str) -> int:
    """What the files below a folder take on the disk. What goes while we look counts as nothing."""
    total, waiting = 0, [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total


def memory_detail(memory_bytes: int | None) -> str:
    return f"it needed more than its {(memory_bytes or 0) >> 20} MiB of memory"


def disk_detail(disk_bytes: int | None) -> str:
    return f"it wrote more than its {(disk_bytes or 0) >> 20} MiB of disk"
