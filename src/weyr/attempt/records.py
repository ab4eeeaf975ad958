"""How does a wrapper read and write its records where the disk does not do as it should? With patience.

A full disk may cost a record its time, never the task. Standard library only: the wrappers import this.
"""

import contextlib
import os
import select
from collections.abc import Mapping
from typing import Any

from weyr.attempt import task_folder
from weyr.attempt.logs import TaskLog

RETRY_S = 1.0
TRIES_MAX = 7 * 86_400
"""How long a wrapper waits for room to record an end in: a week. Until then the task counts as running; an end that
nobody could read of would be lost, and its work be done again."""


def record_end(folder: str, end: Mapping[str, Any], log: TaskLog) -> None:
    """Closes the log and writes exit.json, durably, as soon as there is room for it. Gives up where the folder itself
    is gone. The end says so where some of the log is lost and the log itself could not."""
    for _ in range(TRIES_MAX):
        log.close()
        lost = f"{log.lost_bytes} bytes of its log were lost: there was no room for them" if log.lost_bytes else ""
        detail = "; ".join(part for part in (end["detail"], lost) if part)
        try:
            task_folder.write_json(folder, task_folder.EXIT, {**end, "detail": detail}, is_durable=True)
            return
        except FileNotFoundError:
            return  # and with it everybody who would have read it
        except OSError:
            select.select([], [], [], RETRY_S)


def request_in(folder: str, name: str, damaged: dict[str, float], log: TaskLog) -> dict[str, float] | None:
    """What was asked for, or None. That a request is there counts, even where it can no longer be read: it then
    stands for `damaged`."""
    try:
        request = task_folder.read_json(folder, name)
    except (OSError, ValueError):
        request = {}
    if request is None or damaged.keys() <= request.keys():
        return request
    log.say(f"{name} cannot be read; it is taken as {damaged}")
    return damaged


def empty(fd: int) -> None:
    """Takes what waits in a pipe or an event, whatever it is: it only wakes."""
    try:
        while len(os.read(fd, 4096)) == 4096:
            pass
    except BlockingIOError:
        return


def remove_socket(path: str) -> None:
    """Removes a socket that a task listened on, and its folder; "" for none."""
    unlink(path)
    if path:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))


def unlink(path: str) -> None:
    """Removes a file if it is there and can be; "" for none."""
    try:
        if path:
            os.unlink(path)
    except OSError:
        return


def left_of_notice(at: float, notice_s: float, now: float) -> float:
    """How long is left of a notice that was given `at` (Unix seconds). What passed since counts, unless two clocks
    differ by more: nobody who sets one may cut a notice short, or make hours of it."""
    passed_s = now - at
    return notice_s - passed_s if 0.0 <= passed_s <= notice_s else notice_s
