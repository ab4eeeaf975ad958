"""A wrapper died without a record: what is left of its task, and how is that proved to be nothing?"""

import os
import signal
from collections.abc import Mapping
from typing import Any

from weyr.attempt import container, processes, task_folder
from weyr.attempt.limits import processes_in, remove_groups
from weyr.attempt.records import remove_socket
from weyr.attempt.secret_files import remove_secret_files
from weyr.attempt.task_folder import BEGUN, EXIT, MARK, STATE
from weyr.attempt.testimony import record_or_nothing

ROUNDS = 20


def bury(folder: str, claim: Mapping[str, Any], now: float) -> bool:
    """Kills every process of a dead wrapper's task, clears away what it left elsewhere, and records its end as lost.

    Takes a folder whose lock the caller holds, and what the task was claimed with, empty where nobody knows.
    Gives False where a process has not gone yet; ask again.
    Raises: OSError.
    """
    begun, state = record_or_nothing(folder, BEGUN), record_or_nothing(folder, STATE)
    rebooted = begun.get("boot", processes.boot_id()) != processes.boot_id()
    groups = [str(group) for group in begun.get("groups", [])]
    container.remove(begun.get("container", {}), os.environ)
    if not rebooted and not _kill(folder, groups):
        return False
    remove_groups(groups)
    remove_secret_files(str(claim.get("secret_folder", "")))
    remove_socket(str(claim.get("socket", "")))
    detail = "the machine was restarted" if rebooted else "its wrapper was killed; what was left of it is ended"
    end = {"reason": "lost", "detail": detail, "started_at": state.get("started_at"), "ended_at": now}
    task_folder.write_json(folder, EXIT, end, is_durable=True)
    return True


def _kill(folder: str, groups: list[str]) -> bool:
    """Whether nothing is left. A process can fork while we look, so we look until there is none."""
    for _ in range(ROUNDS):
        left = {*processes.marked(f"{MARK}={folder}"), *processes_in(groups)}
        if not left:
            return True
        processes.signal_all(left, signal.SIGKILL)
    return False
