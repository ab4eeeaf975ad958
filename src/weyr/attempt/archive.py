"""Where do the logs of tasks that are gone lie, and for how long? In one folder, bounded by count and bytes."""

import os
import shutil
from pathlib import Path

from weyr.attempt.task_folder import EXIT

TASKS_MAX = 1000
BYTES_MAX = 256 << 20


class Archive:
    """The logs and ends of released tasks, one folder each; the oldest are dropped first."""

    def __init__(self, folder: Path, tasks_max: int = TASKS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._folder, self._tasks_max, self._bytes_max = folder, tasks_max, bytes_max
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        # Names in the order they came, with their sizes: the folder is read once, not at each release.
        self._sizes = {path.name: _size(path) for path in kept}

    def logs_of(self, name: str) -> Path:
        return self._folder / name

    def names(self) -> list[str]:
        """The folders of the tasks whose logs are still here."""
        return list(self._sizes)

    def take(self, task: Path) -> None:
        """Takes an ended task's folder away, at once, and keeps of it what is worth keeping. Raises: OSError."""
        kept = self._folder / task.name
        if self._sizes.pop(task.name, None) is not None:
            shutil.rmtree(kept)  # an earlier task of this name, itself long gone
        task.rename(kept)
        size_bytes = 0
        for entry in list(os.scandir(kept)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            elif entry.name.endswith(".log"):
                size_bytes += entry.stat().st_size
            elif entry.name != EXIT:
                os.unlink(entry.path)
        self._sizes[task.name] = size_bytes
        self._trim()

    def _trim(self) -> None:
        while len(self._sizes) > self._tasks_max or (sum(self._sizes.values()) > self._bytes_max and self._sizes):
            oldest = next(iter(self._sizes))
            shutil.rmtree(self._folder / oldest, ignore_errors=True)
            del self._sizes[oldest]


def _size(kept: Path) -> int:
    return sum(file.stat().st_size for file in kept.glob("*.log"))
