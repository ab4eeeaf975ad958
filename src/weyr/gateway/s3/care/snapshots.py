"""What is left where the index is lost? A copy of it beside, which the first process keeps: blobs hold no names.

    index.backup.db    the index as of one moment: once a day where it changed, and at a clean stop where it is small

It is made whole beside, checked, synced and renamed, so that there is always one. `weyr s3 fsck --repair` begins from
it. It is on the same disk: it is for an index that was damaged or removed, and no backup of the store.
"""

import asyncio
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from weyr.gateway.s3.blobs import sync_folder
from weyr.gateway.s3.copying import INDEX, copy_index

log = logging.getLogger("weyr.s3")

BACKUP = "index.backup.db"
EVERY_S = 86_400.0
LOOK_EVERY_S = 60.0
STOP_BYTES_MAX = 256 * 2**20
"""A larger index is not copied while somebody waits for the stop: it takes about 2 s a GiB."""


class Unsound(Exception):
    """The index is not sound as a database, and so is no copy of it."""


def copy_kept(folder: Path) -> None:
    """Replaces the kept copy by one of now. Raises: Unsound, OSError also where there is no room, sqlite3.Error."""
    index, backup = folder / INDEX, folder / BACKUP
    beside = folder / f"{BACKUP}.new"
    beside.unlink(missing_ok=True)
    if shutil.disk_usage(folder).free < 2 * index.stat().st_size:
        raise OSError("there is no room for a copy of the index")
    try:
        copy_index(folder, beside)
        with closing(sqlite3.connect(beside)) as db:
            # A copy of a damaged index must not take the place of one that is sound.
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise Unsound(f"{index} is damaged: weyr s3 fsck")
            db.execute("PRAGMA journal_mode = DELETE")
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        os.rename(beside, backup)
        sync_folder(folder)
    finally:
        beside.unlink(missing_ok=True)


class Copies:
    """Keeps the copy. `changes` counts what has been written to the index, `clock` gives Unix seconds."""

    def __init__(
        self, folder: Path, changes: Callable[[], int], clock: Callable[[], float], every_s: float = EVERY_S
    ) -> None:
        self._folder = folder
        self._changes = changes
        self._clock = clock
        self._every_s = every_s
        self._copied = -1

    async def run(self) -> None:
        """Copies until it is cancelled; the first time when the last copy is old enough, or there is none."""
        loop = asyncio.get_running_loop()
        while True:
            if self._is_due():
                await loop.run_in_executor(None, self.copy)
            await asyncio.sleep(min(LOOK_EVERY_S, self._every_s))

    def _is_due(self) -> bool:
        if self._copied == self._changes():
            return False
        try:
            # One from the future is of a clock that was set back since.
            return abs(self._clock() - (self._folder / BACKUP).stat().st_mtime) >= self._every_s
        except FileNotFoundError:
            return True

    def copy(self) -> None:
        """Makes one now; where it cannot be made the log says so."""
        changes = self._changes()
        try:
            copy_kept(self._folder)
            self._copied = changes
        except Unsound as e:
            log.error("s3.index_damaged %s", e)
        except (OSError, sqlite3.Error) as e:
            log.error("s3.index_not_copied %s", e)

    def copy_at_stop(self) -> None:
        """Makes one where something changed and it is made in a moment. To be called once nobody writes any more."""
        index = self._folder / INDEX
        if self._copied != self._changes() and index.exists() and index.stat().st_size <= STOP_BYTES_MAX:
            self.copy()
