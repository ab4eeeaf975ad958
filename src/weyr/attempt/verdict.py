"""How did a task end? What its wrapper saw, put into a reason and a sentence. Standard library only."""

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from weyr.attempt.container import INIT_FAILED, Fate, last_line
from weyr.attempt.logs import read_log
from weyr.attempt.measuring import disk_detail, memory_detail
from weyr.attempt.sandbox_status import SIGNALLED, status_of

__all__ = ["Outcome", "Told", "at_limit", "contained", "explained", "judged", "outcome_of", "told_to_end"]


Told = Callable[[], tuple[str, str]]
"""Gives reason and detail of an end by SIGTERM; two empty words where nobody is known to have sent one."""


class Outcome(NamedTuple):
    """An exit code or a signal; neither where no process was waited for. `trouble` says why it never began."""

    code: int | None = None
    number: int | None = None
    trouble: str = ""


def outcome_of(status: int | None, folder: str, is_sandboxed: bool) -> Outcome:
    """Takes what wait4 gave for the task's first process."""
    if status is None:
        return Outcome()
    if not os.WIFEXITED(status):
        return Outcome(number=os.WTERMSIG(status))
    code = os.WEXITSTATUS(status)
    if not is_sandboxed or code == 0:
        return Outcome(code)
    if not status_of(folder).has_begun:
        words = read_log(folder, 1)[0].decode(errors="replace").strip()
        return Outcome(code, trouble=f"its sandbox could not be entered: {words}")
    # As a shell does, the sandbox's first process tells of a signal by an exit code.
    return Outcome(number=code - SIGNALLED) if code - SIGNALLED in set(signal.Signals) else Outcome(code)


def contained(status: int | None, folder: str, has_begun: bool) -> Outcome:
    """As `outcome_of`, for the engine's command, which ends as the program in its container did. `has_begun`: the
    container was started."""
    outcome = outcome_of(status, folder, is_sandboxed=False)
    if not outcome.code:
        return outcome
    words = last_line(read_log(folder, 8)[0].decode(errors="replace"))
    if not has_begun or words.startswith(INIT_FAILED):
        return Outcome(outcome.code, trouble=f"its container could not be started: {words}")
    is_signal = outcome.code - SIGNALLED in set(signal.Signals)
    return Outcome(number=outcome.code - SIGNALLED) if is_signal else outcome


def at_limit(reason: str, detail: str, outcome: Outcome, fate: Fate, memory_bytes: int | None) -> tuple[str, str]:
    """Whether a container ended at its memory limit. Not every engine sees that, and then it is not claimed."""
    if reason not in ("", "stopped") or memory_bytes is None:
        return reason, detail
    if fate.is_out_of_memory:
        return "out of memory", memory_detail(memory_bytes)
    if not reason and outcome.number == signal.SIGKILL:
        limit = f"its limit of {memory_bytes >> 20} MiB"
        return "failed", f"it was killed by SIGKILL; whether at {limit}, its container engine did not say"
    return reason, detail


def told_to_end() -> tuple[str, str]:
    """Of a SIGTERM that nobody can explain."""
    return "", ""


def told_by_notice() -> tuple[str, str]:
    """Of one that comes after a notice: the node goes as it said, and ends what is on it."""
    return "reclaimed", "its spot node was reclaimed"


def explained(reason: str, detail: str, outcome: Outcome, told: Told) -> tuple[str, str]:
    """Who sent SIGTERM is asked, if it was sent ("told") or if the task died of one that its wrapper has not heard of
    yet: where all processes of a step are sent it, the task may be gone first."""
    died_of_it = not reason and signal.SIGTERM in (outcome.number, (outcome.code or 0) - SIGNALLED)
    if reason != "told" and not died_of_it:
        return reason, detail
    why = told()
    return ("stopped", "its wrapper was told to end") if reason == "told" and not why[0] else why


def judged(outcome: Outcome, disk_bytes: int | None) -> tuple[str, str]:
    """The reason and the detail of an end that nobody asked for."""
    code, number, trouble = outcome
    if trouble:
        return "not started", trouble
    if code == 0:
        return "succeeded", ""
    if disk_bytes is not None and (number == signal.SIGXFSZ or code == SIGNALLED + signal.SIGXFSZ):
        return "failed", disk_detail(disk_bytes)
    if number is not None:
        return "failed", f"it was killed by {signal.Signals(number).name}"
    if code is not None:
        return "failed", f"it ended with exit code {code}"
    return "lost", "its wrapper failed; see the launcher's log"
