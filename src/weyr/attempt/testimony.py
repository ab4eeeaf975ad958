"""What do a task's records say, damaged ones included?

Records are put in place whole, so one that cannot be parsed is the disk's fault or somebody's, and counts as none; one
that merely cannot be read at this moment raises, and is looked at again.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from weyr.attempt import task_folder
from weyr.attempt.task_folder import EXIT, WANTED
from weyr.core.ref import ThingId
from weyr.core.seen import EndReason, TaskEnd, TaskFacts, TaskState

REASONS = {reason.value for reason in EndReason}
UNUSABLE = (OSError, ValueError, KeyError, TypeError)
"""What a damaged record raises where it is read; it concerns its task and no other."""


def record_or_nothing(folder: str | Path, name: str) -> dict[str, Any]:
    """A record of a task, empty where there is none or it was damaged. Raises: OSError."""
    try:
        return task_folder.read_json(str(folder), name) or {}
    except (ValueError, IsADirectoryError):
        return {}


def claim_in(folder: Path) -> dict[str, Any] | None:
    """What the task was claimed with, or None where no such task is here, or its claim was damaged: what runs of it
    is then ended, and nothing is left. Raises: OSError."""
    wanted = record_or_nothing(folder, WANTED)
    return wanted if {"generation", "body", "socket", "secret_folder"} <= wanted.keys() else None


def end_in(folder: Path) -> dict[str, Any] | None:
    """How it ended, or None where no end is recorded. A damaged record is none: nobody knows how it ended.
    Raises: OSError."""
    end = record_or_nothing(folder, EXIT)
    return end if end.get("reason") in REASONS and "ended_at" in end else None


def facts_of(
    state: Mapping[str, Any], end: Mapping[str, Any] | None, socket: str, ports: Sequence[int] = ()
) -> TaskFacts:
    """A task's facts, from its state and its end; either alone is enough."""
    started_at = state.get("started_at") or (end or {}).get("started_at")
    ended = None
    if end:
        ended = TaskEnd(
            EndReason(end["reason"]),
            end.get("exit_code"),
            end.get("signal"),
            end.get("detail", ""),
            end.get("cpu_s", 0.0),
            end.get("memory_max_bytes", 0),
        )
    return TaskFacts(
        TaskState.ENDED if ended else TaskState.RUNNING if started_at else TaskState.STARTING,
        started_at=started_at,
        ended_at=end["ended_at"] if end else None,
        end=ended,
        notice_at=state.get("notice_at"),
        restored=state.get("restored", ""),
        saved=state.get("saved", ""),
        startup_s=state.get("startup_s"),
        address=socket,
        ports=tuple(ports),
    )


def tasks_named(names: Iterable[str]) -> list[ThingId]:
    """The tasks whose folders have these names; a name that no task can have is somebody else's, and left out."""
    ids = []
    for name in sorted(names):
        try:
            ids += [] if name.startswith(".") else [ThingId.parse(unquote(name))]
        except ValueError:
            continue
    return ids
