"""What should happen to a job next? Pure.

A job runs once for each version of what it runs. Its attempts are numbered over its whole life;
a new one begins only when the one before is proved to be over.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from weyr.core.capability import Capability, TaskBody
from weyr.core.decision import (
    Condition,
    ConditionType,
    Decision,
    Ensure,
    Need,
    Note,
    Phase,
    Release,
    Thing,
    View,
    Want,
)
from weyr.core.kind import Estimate
from weyr.core.ref import Ref
from weyr.core.schema import to_json
from weyr.core.seen import Absent, EndReason, Present, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.core.task_usage import task_meters, task_quantities
from weyr.core.units import HOUR_S, duration_text
from weyr.kinds.compute.job.body import task_body
from weyr.kinds.compute.job.spec import JobSpec

IN_PLACE = frozenset({"protect", "retries", "expected_duration"})
"""Fields that do not change what runs; every other change runs the job anew."""

BACKOFF_MAX_S = 300.0
INTERRUPTIONS_MAX = 1000
NOT_STARTED_MAX = 3


@dataclass(frozen=True, slots=True)
class JobMemory:
    """How far a job has come. `outcome` is empty while the run is not over.

    `attempt` numbers the newest attempt, which `is_open` until its end was seen and weighed.
    """

    version: str = ""
    generation: int = 0
    attempt: int = 0
    is_open: bool = False
    failures: int = 0
    interruptions: int = 0
    not_started: int = 0
    retry_at: float = 0.0
    outcome: str = ""
    detail: str = ""
    took_s: float = 0.0


def decide(want: Want[JobSpec], view: View[JobMemory]) -> Decision[JobMemory]:
    """Starts an attempt when all it needs is there, and another when one was cut short."""
    memory = view.memory or JobMemory()
    live = {part: thing for part, thing in view.things.items() if not isinstance(thing.seen, Absent)}
    if want.spec is None:
        return _release(live, memory, "Removing", "its task is being stopped") if live else Decision(forget=True)
    version = version_of(want.spec)
    current = view.things.get(str(memory.attempt))
    if memory.version != version or (memory.outcome == "failed" and want.generation > memory.generation):
        if memory.is_open and current is not None and not _is_over(current):
            return _release(live, memory, "Replacing", "the attempt of the version before is being stopped")
        memory = JobMemory(version=version, generation=want.generation, attempt=memory.attempt)
        return _begin(want, want.spec, view, memory, live)
    if memory.outcome:
        return _over(live, memory)
    if view.hold:
        held = Condition(ConditionType.HELD, True, "BudgetSpent", view.hold.reason)
        decision = _release(live, memory, "Held", "its task is being stopped")
        return replace(decision, conditions=(held,))
    if memory.is_open and current is not None:
        return _follow(want, want.spec, view, memory, current)
    return _begin(want, want.spec, view, memory, live)


def version_of(spec: JobSpec) -> str:
    """What identifies a run: a hash of all that would change what the program does."""
    shown = spec.model_copy(update={name: type(spec).model_fields[name].default for name in IN_PLACE})
    return hashlib.sha256(to_json(JobSpec, shown).encode()).hexdigest()[:16]


def estimate(spec: JobSpec) -> tuple[Estimate, ...]:
    """One run a month, of the expected duration, the time limit, or an assumed hour."""
    seconds = spec.expected_duration or spec.time_limit or float(HOUR_S)
    word = "expected" if spec.expected_duration else "at most" if spec.time_limit else "assumed"
    lines = task_quantities(spec.resources.cpu, spec.resources.memory, spec.spot)
    note = f"one run, {duration_text(seconds)} {word}"
    return tuple(Estimate(sku, quantity, seconds / HOUR_S, note) for sku, quantity in lines)


def _begin(
    want: Want[JobSpec], spec: JobSpec, view: View[JobMemory], memory: JobMemory, live: Mapping[str, Thing]
) -> Decision[JobMemory]:
    blocked = [f"{ref} ({need.phase})" for ref, need in view.needs.items() if not _is_met(want, spec, ref, need)]
    if blocked:
        waiting = Condition(ConditionType.WAITING, True, "Needs", f"waits for {', '.join(sorted(blocked))}")
        return Decision(_releases(live), (waiting,), memory=memory, again_s=5)
    if live:
        return _release(live, memory, "Clearing", "the attempt before is being cleared away")
    if view.now < memory.retry_at:
        waiting = Condition(ConditionType.WAITING, True, "Backoff", f"tries again: {memory.detail}")
        return Decision((), (waiting,), memory=memory, again_s=memory.retry_at - view.now)
    memory = replace(memory, attempt=memory.attempt + 1, is_open=True)
    body = task_body(want.ref, spec, view.needs, want.folder)
    start = Ensure(Capability.TASKS, str(memory.attempt), body, want.generation, task_meters(body))
    working = Condition(ConditionType.READY, False, "Starting", f"attempt {memory.attempt} is being started")
    note = Note("attempt.started", f"attempt {memory.attempt} is being started")
    return Decision((start,), (working,), memory=memory, notes=(note,), again_s=1)


def _follow(
    want: Want[JobSpec], spec: JobSpec, view: View[JobMemory], memory: JobMemory, thing: Thing
) -> Decision[JobMemory]:
    if thing.refusal:
        return _ended(spec, view, memory, TaskEnd(EndReason.FAILED, detail=thing.refusal), 0, can_retry=False)
    match thing.seen:
        case Unknown(reason=reason) if thing.is_accepted:
            silent = Condition(ConditionType.READY, None, "EngineSilent", reason)
            return Decision((), (silent,), memory=memory, again_s=1)
        case Absent() if thing.is_accepted:
            return _ended(spec, view, memory, TaskEnd(EndReason.LOST, detail="its task is gone"), 0)
        case Present(facts=TaskFacts(state=TaskState.ENDED, end=TaskEnd() as end) as facts):
            return _ended(spec, view, memory, end, _took(facts))
        case Present(facts=TaskFacts() as facts):
            return Decision((), (_running(memory, facts),), _outputs(memory, facts), memory, again_s=5)
        case Present() | Absent() | Unknown():
            # The engine has not confirmed this attempt: say the same again under the same key.
            old = thing.body
            body = old if isinstance(old, TaskBody) else task_body(want.ref, spec, view.needs, want.folder)
            again = Ensure(Capability.TASKS, thing.part, body, thing.generation, task_meters(body))
            working = Condition(ConditionType.READY, False, "Starting", f"attempt {memory.attempt} is being started")
            return Decision((again,), (working,), memory=memory, again_s=1)
        case other:
            assert_never(other)


def _ended(
    spec: JobSpec, view: View[JobMemory], memory: JobMemory, end: TaskEnd, took_s: float, can_retry: bool = True
) -> Decision[JobMemory]:
    """What an attempt's end means: the run is over, or another attempt follows."""
    release = (Release(str(memory.attempt)),)
    text = f"attempt {memory.attempt} {_sentence(end, took_s)}"
    memory = replace(memory, is_open=False, took_s=memory.took_s + took_s, detail=text)
    match end.reason:
        case EndReason.SUCCEEDED:
            memory = replace(memory, outcome="succeeded")
        case EndReason.RECLAIMED | EndReason.LOST | EndReason.STOPPED:
            memory = replace(memory, interruptions=memory.interruptions + 1)
            memory = _again_or_fail(memory, can_retry and memory.interruptions <= INTERRUPTIONS_MAX, view.now, 0)
        case EndReason.NOT_STARTED:
            memory = replace(memory, not_started=memory.not_started + 1)
            memory = _again_or_fail(memory, can_retry and memory.not_started < NOT_STARTED_MAX, view.now, 1)
        case EndReason.FAILED | EndReason.OUT_OF_MEMORY | EndReason.TIMED_OUT:
            memory = replace(memory, failures=memory.failures + 1)
            wait_s = min(spec.retries.backoff * 2 ** min(memory.failures - 1, 20), BACKOFF_MAX_S)
            memory = _again_or_fail(memory, can_retry and memory.failures <= spec.retries.max, view.now, wait_s)
        case other:
            assert_never(other)
    note = Note("attempt.ended", text + ("" if memory.outcome else "; another follows"))
    if memory.outcome:
        return Decision(release, (_outcome(memory),), {"attempts": memory.attempt}, memory, notes=(note,), again_s=0.2)
    waiting = Condition(ConditionType.WAITING, True, "Restarting", text)
    return Decision(release, (waiting,), memory=memory, notes=(note,), again_s=0.1)


def _again_or_fail(memory: JobMemory, can_retry: bool, now: float, wait_s: float) -> JobMemory:
    return replace(memory, retry_at=now + wait_s) if can_retry else replace(memory, outcome="failed")


def _is_met(want: Want[JobSpec], spec: JobSpec, ref: Ref, need: Need) -> bool:
    """A model only has to be registered: a version that failed its gate must not block the next."""
    if spec.produces and ref == spec.produces.ref(want.ref.stack):
        return "name" in need.outputs
    return need.phase is Phase.READY


def _over(live: Mapping[str, Thing], memory: JobMemory) -> Decision[JobMemory]:
    outputs = {"attempts": memory.attempt, "took_s": round(memory.took_s, 3)}
    again_s = 0.5 if live else None
    return Decision(_releases(live), (_outcome(memory),), outputs, memory, again_s=again_s)


def _outcome(memory: JobMemory) -> Condition:
    if memory.outcome == "succeeded":
        attempts = f" in {memory.attempt} attempts" if memory.interruptions or memory.failures else ""
        return Condition(ConditionType.COMPLETE, True, "Succeeded", f"ran {duration_text(memory.took_s)}{attempts}")
    return Condition(ConditionType.FAILED, True, "Failed", memory.detail)


def _running(memory: JobMemory, facts: TaskFacts) -> Condition:
    parts = [f"attempt {memory.attempt}"]
    if facts.restored:
        parts.append(f"resumed from checkpoint {facts.restored}")
    if facts.saved:
        parts.append(f"saved checkpoint {facts.saved}")
    if facts.notice_at is not None:
        parts.append("its spot node is being reclaimed")
    return Condition(ConditionType.READY, False, "Running", ", ".join(parts))


def _outputs(memory: JobMemory, facts: TaskFacts) -> dict[str, str | int | float | bool]:
    return {"attempt": memory.attempt, "restored": facts.restored, "saved": facts.saved}


def _is_over(thing: Thing) -> bool:
    match thing.seen:
        case Present(facts=TaskFacts(state=TaskState.ENDED)) | Absent():
            return True
        case _:
            return False


def _release(live: Mapping[str, Thing], memory: JobMemory, reason: str, message: str) -> Decision[JobMemory]:
    working = Condition(ConditionType.READY, False, reason, message)
    return Decision(_releases(live), (working,), memory=memory, again_s=0.5)


def _releases(live: Mapping[str, Thing]) -> tuple[Release, ...]:
    return tuple(Release(part) for part in live)


def _sentence(end: TaskEnd, took_s: float) -> str:
    took = f" after {duration_text(took_s)}" if took_s else ""
    match end.reason:
        case EndReason.SUCCEEDED:
            return f"succeeded{took}"
        case EndReason.RECLAIMED:
            return f"was cut short{took}: its spot node was reclaimed"
        case EndReason.FAILED if end.exit_code is not None:
            return f"failed{took} with exit code {end.exit_code}"
        case _:
            return f"ended{took}: {end.reason}" + (f" ({end.detail})" if end.detail else "")


def _took(facts: TaskFacts) -> float:
    if facts.started_at is None or facts.ended_at is None:
        return 0.0
    return max(0.0, facts.ended_at - facts.started_at)
