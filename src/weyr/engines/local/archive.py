"""Where do the logs of tasks that are gone lie, and for how long? In one folder, bounded by count and bytes."""

import os
import shutil
from pathlib import Path

from weyr.engines.local.task_folder import EXIT, LOGS

TASKS_MAX = 1000
BYTES_MAX = 256 << 20


class Archive:
    """The logs and ends of released tasks, one folder each; the oldest are dropped first."""

    def __init__(self, folder: Path, tasks_max: int = TASKS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._folder, self._tasks_max, self._bytes_max = folder, tasks_max, bytes_max
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def logs_of(self, name: str) -> Path:
        return self._folder / name / LOGS

    def names(self) -> list[str]:
        """The folders of the tasks whose logs are still here."""
        return os.listdir(self._folder)

    def take(self, task: Path) -> None:
        """Moves what is worth keeping of an ended task here. Raises: OSError."""
        kept = self._folder / task.name
        if kept.exists():
            shutil.rmtree(kept)  # an earlier task of this name, itself long gone
        kept.mkdir(mode=0o700)
        for name in (LOGS, EXIT):
            if (task / name).exists():
                os.replace(task / name, kept / name)
        os.utime(kept)
        self._trim()

    def _trim(self) -> None:
        entries = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        sizes = {path: sum(file.stat().st_size for file in path.rglob("*.log")) for path in entries}
        total = sum(sizes.values())
        for count, path in zip(range(len(entries), 0, -1), entries, strict=True):
            if count <= self._tasks_max and total <= self._bytes_max:
                return
            shutil.rmtree(path)
            total -= sizes[path]
