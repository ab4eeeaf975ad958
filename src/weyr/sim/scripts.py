"""What does a simulated task do? A script: how long it works, how it ends, how it takes a signal. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from weyr.core.capability import TaskBody
from weyr.core.seen import EndReason, TaskEnd


@dataclass(frozen=True, slots=True)
class Script:
    """The life of a simulated program.

    `work_s` is what it has to do in all: a checkpoint carries what is done over to the next attempt. Before that it
    needs `startup_s` in each attempt, which no checkpoint carries over.
    `stop_s` is how long it takes to save and end after SIGTERM; None means that it ignores the signal.
    `metrics` belong to the version it registers when it succeeds, if its body names a model.
    """

    work_s: float = 10.0
    exit_code: int = 0
    starts_after_s: float = 0.05
    ready_after_s: float = 1.0
    stop_s: float | None = 0.1
    memory_bytes: int = 0
    memory_after_s: float = 0.5
    output: bytes = b""
    metrics: Mapping[str, float] = field(default_factory=dict)
    startup_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Signals:
    """What befell a task from outside, and when (None: it did not)."""

    stop_at: float | None = None
    notice_at: float | None = None
    notice_s: float = 0.0
    lost_at: float | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """When a task ends, and how. `saves_all` says whether its last work reaches its checkpoint."""

    at: float
    end: TaskEnd
    saves_all: bool = True


def ending_of(script: Script, body: TaskBody, began_at: float, done_s: float, signals: Signals) -> Ending:
    """The end that is to come, as things stand: the first cause wins, as with a real wrapper."""
    own = _own_end(script, body, began_at, done_s)
    ending = _forced_end(script, body, began_at, own.at, signals) or own
    if signals.lost_at is not None and signals.lost_at < ending.at:
        return Ending(signals.lost_at, TaskEnd(EndReason.LOST, detail="its wrapper was killed"), saves_all=False)
    return ending


def _own_end(script: Script, body: TaskBody, began_at: float, done_s: float) -> Ending:
    limit = body.memory_bytes
    if limit is not None and script.memory_bytes > limit and script.memory_after_s < script.work_s - done_s:
        end = TaskEnd(EndReason.OUT_OF_MEMORY, signal=9, memory_max_bytes=limit)
        return Ending(began_at + script.memory_after_s, end, saves_all=False)
    reason = EndReason.FAILED if script.exit_code else EndReason.SUCCEEDED
    takes_s = script.startup_s + max(0.0, script.work_s - done_s)
    return Ending(began_at + takes_s, TaskEnd(reason, exit_code=script.exit_code))


def _forced_end(script: Script, body: TaskBody, began_at: float, own_at: float, signals: Signals) -> Ending | None:
    """The earliest of what makes the task end before its own time, if anything does."""
    triggers: list[tuple[float, float, EndReason]] = []
    if body.time_limit_s is not None:
        triggers.append((began_at + body.time_limit_s, body.grace_s, EndReason.TIMED_OUT))
    if signals.stop_at is not None:
        triggers.append((max(signals.stop_at, began_at), body.grace_s, EndReason.STOPPED))
    if signals.notice_at is not None:
        triggers.append((max(signals.notice_at, began_at), signals.notice_s, EndReason.RECLAIMED))
    triggers = [trigger for trigger in triggers if trigger[0] < own_at]
    if not triggers:
        return None
    at, _, reason = min(triggers)
    kill_at = min(trigger[0] + trigger[1] for trigger in triggers)
    goes_at = own_at if script.stop_s is None else min(own_at, at + script.stop_s)
    is_killed = goes_at > kill_at
    end = TaskEnd(reason, signal=9 if is_killed else 15)
    return Ending(min(goes_at, kill_at), end, saves_all=not is_killed)
