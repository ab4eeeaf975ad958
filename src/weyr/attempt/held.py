"""What does a task that runs on this machine use just now? Read from /proc, of all processes below its wrapper."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from weyr.attempt import processes, task_folder
from weyr.attempt.task_folder import STATE
from weyr.attempt.testimony import record_or_nothing

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Held(NamedTuple):
    """CPU seconds of its living processes and of their children that are over, and memory held, shared pages once for
    each: more than the truth, never less."""

    cpu_s: float
    memory_bytes: int


def held(folder: Path) -> Held | None:
    """Of the task in this folder; None where it does not run here, or cannot be looked at."""
    try:
        state = record_or_nothing(folder, STATE)
        if (folder / task_folder.EXIT).exists() or not state.get("pid"):
            return None
        main, relay = int(state["pid"]), int(state.get("relay") or 0)
        if processes.start_ticks(main) != state.get("starttime"):
            return None  # it ended, and its number is somebody else's
        pids = [main, *processes.descendants(main, but=(relay,))]
        return Held(cpu_s(pids), processes.resident_bytes(pids))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds that processes have used, and their children that were waited for."""
    return sum(processes.cpu_ticks(pid) for pid in pids) / TICKS_PER_S
