"""What can be done to a task that runs here, on purpose? Kill it, slow it, cut it off, to see what becomes of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from weyr.attempt import processes
from weyr.attempt.task_folder import BEGUN, EXIT, STATE
from weyr.attempt.testimony import record_or_nothing
from weyr.core.ref import ThingId


class NotDone(Exception):
    """It cannot be done to this task; the words say why."""


class Chaos:
    """Takes the folder of tasks. Each of these returns at once. Raises: NotDone."""

    def __init__(self, tasks: Path) -> None:
        self._tasks = tasks

    def kill(self, id: ThingId, wrapper: bool = False) -> None:
        """SIGKILL to its program; or to its wrapper, as if nobody had ever watched over it."""
        os.kill(self._pid(id, "wrapper" if wrapper else "pid"), signal.SIGKILL)

    def end(self, id: ThingId) -> None:
        """SIGKILL to its wrapper and all below it at once, as when its machine goes: nobody is left to say anything."""
        wrapper = self._pid(id, "wrapper")
        processes.signal_all([wrapper, *processes.descendants(wrapper)], signal.SIGKILL)

    def slow(self, id: ThingId, share: float, for_s: float) -> None:
        """Lets it run only for this share of the time."""
        self._disturb("slow", str(self._pid(id, "pid")), f"{share:g}", f"{for_s:g}")

    def partition(self, id: ThingId, for_s: float) -> None:
        """Cuts it off from the object store, tracking and the API: no answer comes, and none says no."""
        pid = self._pid(id, "pid")
        relay = int(self._state(id).get("relay") or 0)
        if not relay:
            reason = "only one in a sandbox with network: local has a line of its own that can be cut"
            raise NotDone(f"{id} (process {pid}) shares the machine's network; {reason}")
        self._disturb("cut", str(relay), f"{for_s:g}")

    def _pid(self, id: ThingId, which: str) -> int:
        folder, state = self._folder(id), self._state(id)
        if (folder / EXIT).exists() or not state.get("starttime"):
            raise NotDone(f"{id} does not run now")
        if "launcher" not in record_or_nothing(folder, BEGUN):
            raise NotDone(f"{id} does not run on the server's machine")
        return int(state[which])

    def _state(self, id: ThingId) -> dict[str, Any]:
        return record_or_nothing(self._folder(id), STATE)

    def _folder(self, id: ThingId) -> Path:
        return self._tasks / quote(str(id), safe="")

    @staticmethod
    def _disturb(*words: str) -> None:
        argv = [sys.executable, "-I", "-m", "weyr.attempt.disturbing", *words]
        null = subprocess.DEVNULL
        # In a session of its own, and forked once more by a shell: nobody has to wait for it.
        subprocess.run(["/bin/sh", "-c", '"$@" &', "sh", *argv], stdin=null, stdout=null, stderr=null,
                       start_new_session=True, check=True, cwd="/")  # fmt: skip
