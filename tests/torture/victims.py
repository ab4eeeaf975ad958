"""Which processes of a data folder can be killed, and which of them run now? Read from /proc alone."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PROGRAMS = {
    "-m weyr.server ": "server",
    "-m weyr.gateway.s3 ": "s3",
    "-m weyr.gateway.inference ": "inference",
    "recorded_training.py": "task",
    "-m weyr.runtime.serve": "replica",
    "-m weyr.runtime.checkpoint_agent": "agent",
    "/launcher.py ": "launcher",
}


class Victim(StrEnum):
    """What is killed: Weyr's own processes, and those of tasks."""

    SERVER = "server"
    S3 = "s3"
    INFERENCE = "inference"
    LAUNCHER = "launcher"
    WRAPPER = "wrapper"
    TASK = "task"
    REPLICA = "replica"
    AGENT = "agent"


@dataclass(frozen=True)
class Process:
    """One process. `task` is the id of the task that it belongs to, if it belongs to one."""

    pid: int
    started: str
    parent: int
    program: str
    task: str = ""


def processes_of(home: Path) -> dict[int, Process]:
    """Every process of this data folder, by pid. A wrapper runs the launcher's program: it is told by its parent."""
    mark = os.fsencode(home)
    found: dict[int, Process] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            command = Path("/proc", entry, "cmdline").read_bytes()
            program = _program(command.replace(b"\0", b" ").decode("utf-8", "replace"))
            if not program:
                continue
            environment = Path("/proc", entry, "environ").read_bytes()
            if mark not in command and mark not in environment:
                continue
            fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if fields[0] not in "ZX":
            task = next((e[13:].decode() for e in environment.split(b"\0") if e.startswith(b"WEYR_TASK_ID=")), "")
            found[int(entry)] = Process(int(entry), fields[19], int(fields[1]), program, task)
    return found


def running(victim: Victim, among: Mapping[int, Process]) -> list[Process]:
    """The processes of that sort, by pid."""
    launchers = {pid for pid, process in among.items() if process.program == "launcher"}
    tasks = [process for process in among.values() if process.task]
    match victim:
        case Victim.WRAPPER:
            wanted = {process.parent for process in tasks} & launchers
        case Victim.LAUNCHER:
            # The one that forks the others, whose parent is none of them.
            wanted = {pid for pid in launchers if among[pid].parent not in launchers} - {task.parent for task in tasks}
        case _:
            wanted = {pid for pid, process in among.items() if process.program == victim.value}
    return [among[pid] for pid in sorted(wanted)]


def kill(process: Process) -> bool:
    """SIGKILL to that very process; False where it ended by itself before."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] in "ZX" or fields[19] != process.started:
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        return False
    finally:
        os.close(handle)
    return True


def _program(command: str) -> str:
    return next((name for words, name in PROGRAMS.items() if words in command), "")
