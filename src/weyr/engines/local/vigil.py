"""Who notices that a wrapper died whose launcher died before it? A thread that looks where nobody else would.

A launcher tells of its own wrappers that die. Those that a dead one left behind have a stranger for a parent: the lock
on their folder, free where no end is recorded, is all that tells.
"""

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from weyr.attempt import task_folder
from weyr.attempt.task_folder import BEGUN, EXIT
from weyr.attempt.testimony import UNUSABLE, record_or_nothing, tasks_named
from weyr.core.ref import Ref, ThingId

LOOK_EVERY_S = 5.0


class Vigil:
    """Takes the folder of tasks; `launcher_pid`, which gives the process that runs now, if one does; and `wake`,
    which is told of whom to look at."""

    def __init__(
        self,
        folder: Path,
        launcher_pid: Callable[[], int | None],
        wake: Callable[[Iterable[Ref]], None],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._folder, self._launcher_pid, self._wake, self._look_every_s = folder, launcher_pid, wake, look_every_s
        self._launcher: int | None = -1
        """The process that ran at the last look; none has this number."""
        self._left: set[ThingId] = set()
        """Tasks that run, and that another launcher began."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="vigil", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)

    def look(self) -> None:
        """One look. Wakes for those whose wrapper is dead. Raises: OSError."""
        launcher = self._launcher_pid()
        if launcher != self._launcher:
            self._left = {id for id in tasks_named(os.listdir(self._folder)) if self._is_left(id, launcher)}
            self._launcher = launcher
        self._left = {id for id in self._left if self._is_left(id, launcher)}
        dead = {id for id in self._left if self._is_dead(id)}
        if dead:
            self._wake({id.ref for id in dead})

    def _keep(self) -> None:
        while not self._stopping.wait(self._look_every_s):
            try:
                self.look()
            except OSError:
                continue  # no handle, or no folder just now; the loop's own looks tell what that means

    def _of(self, id: ThingId) -> Path:
        return self._folder / quote(str(id), safe="")

    def _is_left(self, id: ThingId, launcher: int | None) -> bool:
        try:
            if (self._of(id) / EXIT).exists():
                return False
            begun = record_or_nothing(self._of(id), BEGUN)
        except UNUSABLE:
            return False  # the loop's look says what is wrong with it
        return "launcher" in begun and begun["launcher"] != launcher

    def _is_dead(self, id: ThingId) -> bool:
        try:
            lock = task_folder.lock(str(self._of(id)))
        except OSError:
            return False
        if lock is None:
            return False
        os.close(lock)
        return True
