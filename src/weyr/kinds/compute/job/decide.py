"""What should happen to a job next? Pure.

A job runs once for each version of its program. Its attempts are numbered over its whole life; a new one
begins only when the one before is proved to be over.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from weyr.core.capability import Capability, TaskBody
from weyr.core.decision import (
    Condition,
    ConditionType,
    Decision,
    Ensure,
    Hold,
    Need,
    Note,
    Phase,
    Release,
    Thing,
    View,
    Want,
)
from weyr.core.kind import Estimate
from weyr.core.moment import is_awaited
from weyr.core.ref import Ref
from weyr.core.seen import Absent, EndReason, Present, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.core.task_usage import task_meters, task_quantities
from weyr.core.units import HOUR_S, duration_text
from weyr.kinds.compute.job import ending
from weyr.kinds.compute.job.body import task_body
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.spec import JobSpec
from weyr.kinds.compute.job.version import program_of, version_of


def decide(want: Want[JobSpec], view: View[JobMemory]) -> Decision[JobMemory]:
    """Starts an attempt when all it needs is there, and another when one was cut short."""
    memory = view.memory or JobMemory()
    # What is gone by itself has to be released as well: only then is its meter closed.
    left = view.things
    if want.spec is None:
        is_gone = all(thing.is_gone for thing in left.values())
        return Decision(forget=True) if is_gone else _release(left, memory, "Removing", "its task is being stopped")
    current = view.things.get(str(memory.attempt)) if memory.is_open else None
    if _is_another_run(want.spec, want.generation, memory):
        if current is not None and not _is_over(current):
            return _release(left, memory, "Replacing", "the attempt of the version before is being stopped")
        memory = JobMemory(version_of(want.spec), program_of(want.spec), attempt=memory.attempt)
        current = None
    memory = replace(memory, version=version_of(want.spec), generation=want.generation)
    if memory.outcome:
        return _over(left, memory)
    if current is not None and _is_over(current):
        # Weighed before anything else: a success is one, also if the budget ran out in the meantime.
        return _ended(want.spec, view, memory, current)
    if view.hold:
        return replace(_release(left, memory, "Held", ""), conditions=(_held(view.hold),))
    if current is not None:
        return _follow(memory, left, current)
    return _begin(want, want.spec, view, memory, left)


def estimate(spec: JobSpec) -> tuple[Estimate, ...]:
    """One run a month, of the expected duration, the time limit, or an assumed hour."""
    seconds = spec.expected_duration or spec.time_limit or float(HOUR_S)
    word = "expected" if spec.expected_duration else "at most" if spec.time_limit else "assumed"
    lines = task_quantities(spec.resources.cpu, spec.resources.memory, spec.spot)
    note = f"one run, {duration_text(seconds)} {word}"
    return tuple(Estimate(sku, quantity, seconds / HOUR_S, note) for sku, quantity in lines)


def _is_another_run(spec: JobSpec, generation: int, memory: JobMemory) -> bool:
    """A done job runs again for another program only; a failed one whenever a plan says so."""
    if memory.program != program_of(spec):
        return True
    match memory.outcome:
        case ending.SUCCEEDED:
            return False
        case ending.FAILED:
            return generation > memory.generation
        case _:
            return memory.version != version_of(spec)


def _is_over(thing: Thing) -> bool:
    """Whether an attempt can be weighed: it ended, it is gone, or the engine would not take it."""
    match thing.seen:
        case Present(facts=TaskFacts(state=TaskState.ENDED)):
            return True
        case _:
            return thing.is_gone or _is_refused(thing)


def _is_refused(thing: Thing) -> bool:
    return bool(thing.refusal) and not thing.is_released


def _begin(
    want: Want[JobSpec], spec: JobSpec, view: View[JobMemory], memory: JobMemory, left: Mapping[str, Thing]
) -> Decision[JobMemory]:
    if left:
        return _release(left, memory, "Clearing", "the attempt before is being cleared away")
    blocked = [f"{ref} ({need.phase})" for ref, need in view.needs.items() if not _is_met(want.ref, spec, ref, need)]
    if blocked:
        waiting = Condition(ConditionType.WAITING, True, "Needs", f"waits for {', '.join(sorted(blocked))}")
        return Decision((), (waiting,), memory=memory, again_s=5)
    if is_awaited(memory.retry_at, view.now, ending.BACKOFF_MAX_S):
        waiting = Condition(ConditionType.WAITING, True, "Backoff", f"tries again: {memory.detail}")
        return Decision((), (waiting,), memory=memory, again_s=memory.retry_at - view.now)
    memory = replace(memory, attempt=memory.attempt + 1, attempts=memory.attempts + 1, is_open=True)
    body = task_body(want.ref, spec, view.needs, want.folder)
    start = Ensure(Capability.TASKS, str(memory.attempt), body, want.generation, task_meters(body))
    note = Note("attempt.started", f"attempt {memory.attempt} is being started")
    return Decision((start,), (_starting(memory),), memory=memory, notes=(note,), again_s=1)


def _is_met(ref: Ref, spec: JobSpec, need_ref: Ref, need: Need) -> bool:
    """A model only has to be registered: a version that failed its gate must not block the next."""
    if spec.produces and need_ref == spec.produces.ref(ref.stack):
        return "name" in need.outputs
    return need.phase is Phase.READY


def _follow(memory: JobMemory, left: Mapping[str, Thing], thing: Thing) -> Decision[JobMemory]:
    """An attempt whose end is not known yet."""
    if thing.is_released:
        return _release(left, memory, "Stopping", f"attempt {memory.attempt} is being stopped; another follows")
    match thing.seen:
        case Unknown(reason=reason) if thing.is_accepted:
            silent = Condition(ConditionType.READY, None, "EngineSilent", reason)
            return Decision((), (silent,), memory=memory, again_s=1)
        case Present(facts=TaskFacts(waits=waits)) if waits:
            queued = Condition(ConditionType.WAITING, True, "Queued", waits)
            return Decision((), (queued,), memory=memory)
        case Present(facts=TaskFacts() as facts):
            memory, notes = _told_resumed(memory, facts)
            outputs = _outputs(memory, facts)
            return Decision((), (_running(memory, facts),), outputs, memory, notes=notes)
        case Present() | Absent() | Unknown():
            # The engine has not confirmed this attempt: say the same again under the same key.
            again = _same_again(thing)
            return Decision(again, (_starting(memory),), memory=memory, again_s=1)
        case other:
            assert_never(other)


def _told_resumed(memory: JobMemory, facts: TaskFacts) -> tuple[JobMemory, tuple[Note, ...]]:
    """Tells once for each attempt that it did not begin from nothing: what an interruption did not cost."""
    if not facts.restored or memory.resumed == memory.attempt:
        return memory, ()
    text = f"attempt {memory.attempt} resumed from checkpoint {facts.restored}"
    return replace(memory, resumed=memory.attempt), (Note("attempt.resumed", text),)


def _same_again(thing: Thing) -> tuple[Ensure, ...]:
    if not isinstance(thing.body, TaskBody):
        return ()
    return (Ensure(Capability.TASKS, thing.part, thing.body, thing.generation, task_meters(thing.body)),)


def _ended(spec: JobSpec, view: View[JobMemory], memory: JobMemory, thing: Thing) -> Decision[JobMemory]:
    """Weighs the end of the open attempt, and clears it away."""
    match thing.seen:
        case Present(facts=TaskFacts(end=TaskEnd() as end) as facts):
            memory = ending.weighed(spec, memory, end, ending.took_s(facts), view.now)
        case _ if _is_refused(thing):
            memory = ending.weighed(spec, memory, TaskEnd(EndReason.REFUSED, detail=thing.refusal), 0, view.now)
        case _:
            memory = ending.weighed(spec, memory, TaskEnd(EndReason.LOST, detail="its task is gone"), 0, view.now)
    note = Note("attempt.ended", memory.detail + ("" if memory.outcome else "; another follows"))
    if memory.outcome:
        return replace(_over({thing.part: thing}, memory), notes=(note,))
    waiting = Condition(ConditionType.WAITING, True, "Restarting", memory.detail)
    condition = _held(view.hold) if view.hold else waiting
    return Decision((Release(thing.part),), (condition,), memory=memory, notes=(note,), again_s=0.1)


def _over(left: Mapping[str, Thing], memory: JobMemory) -> Decision[JobMemory]:
    outputs = {"attempts": memory.attempts, "took_s": round(memory.took_s, 3)}
    again_s = 0.5 if left else None
    return Decision(_releases(left), (ending.outcome_of(memory),), outputs, memory, again_s=again_s)


def _held(hold: Hold) -> Condition:
    return Condition(ConditionType.HELD, True, "BudgetSpent", hold.reason)


def _starting(memory: JobMemory) -> Condition:
    return Condition(ConditionType.READY, False, "Starting", f"attempt {memory.attempt} is being started")


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


def _release(left: Mapping[str, Thing], memory: JobMemory, reason: str, message: str) -> Decision[JobMemory]:
    working = Condition(ConditionType.READY, False, reason, message)
    return Decision(_releases(left), (working,), memory=memory, again_s=0.5 if left else None)


def _releases(left: Mapping[str, Thing]) -> tuple[Release, ...]:
    return tuple(Release(part) for part in left)
