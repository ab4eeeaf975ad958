"""How did an attempt end that has several replicas? One that is lost ends them all, and only the cause counts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from weyr.core.capability import TaskBody
from weyr.core.decision import Thing
from weyr.core.seen import EndReason, Present, TaskEnd, TaskFacts, TaskState
from weyr.kinds.compute.job.parts import Members

CAUSES = (
    EndReason.REFUSED,
    EndReason.NODE_LOST,
    EndReason.RECLAIMED,
    EndReason.PREEMPTED,
    EndReason.LOST,
    EndReason.OUT_OF_MEMORY,
    EndReason.TIMED_OUT,
    EndReason.NOT_STARTED,
    EndReason.FAILED,
    EndReason.STOPPED,
    EndReason.SUCCEEDED,
)
"""Of several ends, the one that explains the others: a replica that lost its peer fails, and failed by no fault of its
program; one that was stopped was stopped because of another."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`end` is the attempt's, None while a replica may still run. `is_ending`: those that run are to be stopped."""

    end: TaskEnd | None = None
    took_s: float = 0.0
    is_ending: bool = False
    ends: str = ""


def verdict_of(members: Members, leads: bool) -> Verdict:
    """Takes: `leads`, whether the attempt is done as soon as replica 0 is."""
    size = size_of(members)
    # One that is not there any more was stopped, and its end was not kept: an end that counts is only let go of here.
    ends = {rank: end_of(members[rank]) if rank in members else _GONE for rank in range(size)}
    led = leads and ends[0] is not None and ends[0].reason is EndReason.SUCCEEDED
    if any(end is None for end in ends.values()):
        is_bad = any(end is not None and end.reason is not EndReason.SUCCEEDED for end in ends.values())
        return Verdict(is_ending=led or is_bad or (size > 1 and any(map(_has_notice, members.values()))))
    known = {rank: end for rank, end in ends.items() if end is not None}
    rank = 0 if led else min(known, key=lambda rank: (CAUSES.index(known[rank].reason), _ended_at(members, rank), rank))
    end, took_s = known[rank], max((took_of(thing) for thing in members.values()), default=0.0)
    if size == 1:
        return Verdict(end, took_s)
    detail = f"replica {rank} of {size}" + (f": {end.detail}" if end.detail else "")
    told = TaskEnd(end.reason, end.exit_code, end.signal, detail, end.cpu_s, end.memory_max_bytes)
    return Verdict(told, took_s, ends=", ".join(f"{rank} {_word(each)}" for rank, each in known.items()))


def size_of(members: Members) -> int:
    """How many replicas the attempt was begun with."""
    bodies = (thing.body for thing in members.values())
    sizes = [body.gang.size for body in bodies if isinstance(body, TaskBody) and body.gang]
    return max([*sizes, *(rank + 1 for rank in members)])


def end_of(thing: Thing) -> TaskEnd | None:
    """How a task ended: also one that is gone, or that the engine would not take."""
    match thing.seen:
        case Present(facts=TaskFacts(end=TaskEnd() as end)):
            return end
        case Present(facts=TaskFacts(state=TaskState.ENDED)):
            return _LOST
        case _ if thing.refusal and not thing.is_released:
            return TaskEnd(EndReason.REFUSED, detail=thing.refusal)
        case _ if thing.is_gone:
            return _GONE if thing.is_released else _LOST
        case _:
            return None


def took_of(thing: Thing) -> float:
    """How long an ended task ran, by the engine's own record."""
    match thing.seen:
        case Present(facts=TaskFacts(started_at=float() as since, ended_at=float() as until)):
            return max(0.0, until - since)  # less than nothing: the clock was set back in between
        case _:
            return 0.0


def startup_of(members: Members, took_s: float) -> float | None:
    """What the attempt's program needed before it went on: of replicas that save, the longest, as all wait for it.

    One that is longer than the attempt is none: a clock was set in between.
    """
    facts = [thing.seen.facts for thing in members.values() if isinstance(thing.seen, Present)]
    known = [each.startup_s for each in facts if isinstance(each, TaskFacts) and each.startup_s is not None]
    return max((each for each in known if each <= took_s), default=None)


_LOST = TaskEnd(EndReason.LOST, detail="its task is gone")
_GONE = TaskEnd(EndReason.STOPPED)


def _has_notice(thing: Thing) -> bool:
    """Whether its spot node goes away: all replicas are told at once, while they can still save together."""
    return isinstance(thing.seen, Present) and getattr(thing.seen.facts, "notice_at", None) is not None


def _ended_at(members: Mapping[int, Thing], rank: int) -> float:
    seen = members[rank].seen if rank in members else None
    if isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) and seen.facts.ended_at is not None:
        return seen.facts.ended_at
    return float("inf")


def _word(end: TaskEnd) -> str:
    return f"exit code {end.exit_code}" if end.reason is EndReason.FAILED and end.exit_code is not None else end.reason
