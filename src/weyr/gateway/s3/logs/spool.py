"""Where do the lines of access logs wait until they are delivered? In files that every process appends to by itself.

A line is written when its answer has gone out. It survives the death of the process from then on, and a power cut
once the kernel has written it back or it was delivered.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger("weyr.s3")


class Line(NamedTuple):
    """One line and where it is to go. `source` and `owner` are the bucket that was asked and its owner."""

    source: str
    owner: str
    target: str
    prefix: str
    partition: str
    """EventTime or DeliveryTime where the keys are partitioned, else ""."""
    at_s: float
    text: str


class Spool:
    """The lines of this process. A file holds those of one stretch of time, and is named by its number."""

    def __init__(self, folder: Path, every_s: float, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._every_s = every_s
        self._clock = clock
        self._own = f"{os.getpid()}-{time.time_ns():x}"
        self._stretch = -1
        self._file = -1
        self._is_failing = False
        self.lost = 0

    def write(self, lines: list[Line]) -> None:
        """Appends the lines of one answer, in one piece. A disk that takes none costs lines, not answers."""
        data = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        try:
            self._open()
            if os.write(self._file, data) != len(data):
                raise OSError("the line was cut off")
            self._is_failing = False
        except OSError as e:
            self.lost += len(lines)
            if not self._is_failing:
                log.error("s3.access_log %s", e)
            self._is_failing = True

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        stretch = int(self._clock() // self._every_s)
        if stretch == self._stretch and self._file >= 0:
            return
        self.close()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{stretch:015d}-{self._own}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._stretch = stretch


def finished(folder: Path, every_s: float, now: float, grace_s: float) -> list[Path]:
    """The files that nobody appends to any more, in order. One of the future is from before the clock was set back."""
    current = int(now // every_s)
    found = []
    with suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            stretch = int(path.name.partition("-")[0]) if path.name[:15].isdigit() else -1
            if stretch >= 0 and ((stretch + 1) * every_s + grace_s <= now or stretch > current + 1):
                found.append(path)
    return found


def ended_at(path: Path, every_s: float) -> float:
    """When the stretch of a file's lines ended, as Unix seconds."""
    return (int(path.name.partition("-")[0]) + 1) * every_s


def line_of(text: bytes) -> Line | None:
    """One line of a file; None for one that was cut off."""
    try:
        return Line(*json.loads(text))
    except (ValueError, TypeError):
        return None
