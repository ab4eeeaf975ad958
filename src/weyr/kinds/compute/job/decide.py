"""What should happen to a job next? Pure.

A job runs once for each version of its program: as one series of attempts, or as one for each index of its array.
What holds for all of them is decided here: what it waits for, whether it may go on, how it went.
"""

from collections.abc import Mapping
from dataclasses import replace

from weyr.core.capability import TaskBody
from weyr.core.decision import Condition, ConditionType, Decision, Does, Ensure, Note, Release, Thing, View, Want
from weyr.core.parts import Part
from weyr.core.unchanged import changed
from weyr.core.units import duration_text
from weyr.kinds.compute.job import ending
from weyr.kinds.compute.job.array import array_of, at_once, count_of
from weyr.kinds.compute.job.body import attempt_bodies
from weyr.kinds.compute.job.bounds import expected, look_again_s, passed
from weyr.kinds.compute.job.firing import firing, next_at, told
from weyr.kinds.compute.job.gang import verdict_of
from weyr.kinds.compute.job.memory import JobMemory, Series, with_startup
from weyr.kinds.compute.job.needs import Readiness, readiness
from weyr.kinds.compute.job.parts import Members, by_series, numbers, ranges
from weyr.kinds.compute.job.series import Step, Turn, step
from weyr.kinds.compute.job.spec import ArrayPart, JobSpec, Schedule, deadline_at
from weyr.kinds.compute.job.version import program_of, version_of

Found = dict[int | None, dict[int, Members]]


def decide(want: Want[JobSpec], view: View[JobMemory]) -> Decision[JobMemory]:
    """Starts attempts when all they need is there, and others when these were cut short."""
    memory = view.memory or JobMemory()
    spec = want.spec
    # What is gone by itself has to be released as well: only then is its meter closed.
    left = view.things
    if spec is None:
        is_gone = all(thing.is_gone for thing in left.values())
        return Decision(forget=True) if is_gone else _release(left, memory, "Removing", "its task is being stopped")
    found = by_series(left)
    notes: tuple[Note, ...] = ()
    if spec.schedule:
        fired = firing(spec.schedule, memory, view.now, _is_busy(spec, memory), spec.suspend)
        memory, notes = fired.memory, fired.notes
        if fired.replaces and any(_is_running(spec, memory, found)):
            decision = _release(left, memory, "Replacing", "the run before makes room for the one that is due")
            return replace(decision, notes=notes)
        if fired.begins or fired.replaces:
            memory = replace(_anew(spec, memory, view.now, is_all=True), is_fired=True)
    decision = _run(want, spec, view, memory, found)
    return changed(decision, notes=(*notes, *decision.notes))


def _run(
    want: Want[JobSpec], spec: JobSpec, view: View[JobMemory], memory: JobMemory, found: Found
) -> Decision[JobMemory]:
    """What is next in the run that was asked for, or that the schedule began."""
    left = view.things
    if spec.schedule and not _is_busy(spec, memory):
        # Whatever else was written meanwhile is for the next run.
        memory = replace(memory, version=version_of(spec), program=program_of(spec), generation=want.generation)
        return _between(spec, spec.schedule, left, memory, view.now)
    if _is_another_run(spec, want.generation, memory):
        if any(_is_running(spec, memory, found)):
            return _release(left, memory, "Replacing", "the attempt of the version before is being stopped")
        memory = _anew(spec, memory, view.now)
    memory = changed(memory, version=version_of(spec), generation=want.generation)
    if memory.cost_before is None and view.cost is not None:
        memory = replace(memory, cost_before=view.cost.micros)
    if array_of(spec) is not None:
        memory = _counted(memory, found)
    if outcome_of(spec, memory):
        return _over(spec, left, memory)
    ready = readiness(want.ref, spec, view.needs)
    if ready.skipped and not _has_begun(memory):
        return _skipped(left, replace(memory, is_fired=False), ready.skipped)
    notes: tuple[Note, ...] = ()
    if not memory.stopped and (why := passed(spec, view, memory)):
        memory, notes = replace(memory, stopped=why), (Note("run.stopped", why),)
    decision = _steps(want, spec, view, memory, found, ready)
    moments = [each for each in (decision.again_s, look_again_s(spec, view, memory)) if each is not None]
    return changed(decision, notes=(*notes, *decision.notes), again_s=min(moments, default=None))


def _is_busy(spec: JobSpec, memory: JobMemory) -> bool:
    """Whether a run that the schedule began is not over."""
    return memory.is_fired and not outcome_of(spec, memory)


def _between(
    spec: JobSpec, schedule: Schedule, left: Mapping[str, Thing], memory: JobMemory, now: float
) -> Decision[JobMemory]:
    """A scheduled job between two runs: how the last one went, and when the next one comes."""
    at = next_at(schedule, now)
    coming = f"next run {told(schedule, at)}" if not spec.suspend else "suspended"
    if memory.is_fired:
        over = _outcome(spec, memory)
        condition, outputs = replace(over, message=f"{over.message}; {coming}"), _totals(spec, memory)
    else:
        condition, outputs = Condition(ConditionType.READY, True, "Scheduled", coming), {}
    again_s = min(at - now, 0.5) if left else at - now
    return Decision(_releases(left), (condition,), {**outputs, "next_at": at}, memory, again_s=again_s)


def outcome_of(spec: JobSpec, memory: JobMemory) -> str:
    """How the run went; "" while it goes on."""
    array = array_of(spec)
    if array is None:
        return memory.series[0].outcome if 0 in memory.series else ""
    failed, count = len(_within(memory.failed, array)), count_of(array)
    is_hopeless = array.may_fail is not None and failed > array.may_fail
    is_hopeless = is_hopeless or bool(memory.stopped)
    if memory.series or (not is_hopeless and failed + len(_within(memory.succeeded, array)) < count):
        return ""
    is_short = failed + len(_within(memory.succeeded, array)) < count
    return ending.FAILED if is_short or failed > (array.may_fail or 0) else ending.SUCCEEDED


def _has_begun(memory: JobMemory) -> bool:
    return bool(memory.attempts or any(series.attempt for series in memory.series.values()))


def _within(text: str, array: ArrayPart) -> set[int]:
    count = count_of(array)
    return {number for number in numbers(text) if number < count}


def _is_another_run(spec: JobSpec, generation: int, memory: JobMemory) -> bool:
    """A done job runs again for another program only; a failed one whenever a plan says so."""
    if memory.program != program_of(spec):
        return True
    match outcome_of(spec, memory):
        case ending.SUCCEEDED:
            return False
        case ending.FAILED:
            return generation > memory.generation
        case _:
            return memory.version != version_of(spec)


def _anew(spec: JobSpec, memory: JobMemory, now: float, is_all: bool = False) -> JobMemory:
    """The memory of a run that begins. What an array has done stays done, as long as its program is the same."""
    fresh = JobMemory(
        version_of(spec),
        program_of(spec),
        memory.generation,
        highest=memory.highest,
        base=memory.highest,
        began_at=now,
        fired_at=memory.fired_at,
        is_fired=memory.is_fired,
        startup_s=memory.startup_s,
        startups=memory.startups,
    )
    if is_all or array_of(spec) is None or memory.program != fresh.program:
        return fresh
    return replace(fresh, succeeded=memory.succeeded)


def _is_running(spec: JobSpec, memory: JobMemory, found: Found) -> list[bool]:
    """For each attempt that is under way, whether a replica of it may still run."""
    return [
        verdict_of(members, spec.done_when == "first").end is None
        for index, series in memory.series.items()
        if series.is_open and (members := found.get(_key(spec, index), {}).get(series.attempt))
    ]


def _key(spec: JobSpec, index: int) -> int | None:
    return None if array_of(spec) is None else index


def _steps(
    want: Want[JobSpec], spec: JobSpec, view: View[JobMemory], memory: JobMemory, found: Found, ready: Readiness
) -> Decision[JobMemory]:
    """One step of each series that is under way or may begin."""

    def bodies(part: Part, series: Series) -> Mapping[Part, TaskBody]:
        run = f"{memory.fired_at:.0f}" if spec.schedule else ""
        memory_bytes = ending.memory_bytes(spec, series)
        made = attempt_bodies(want.ref, spec, view.needs, want.folder, part, memory_bytes, run)
        if spec.deadline is None:
            return made
        at = deadline_at(spec.deadline, memory.began_at)
        return {each: replace(body, deadline_at=at) for each, body in made.items()}

    waits = Condition(ConditionType.WAITING, True, "Needs", ready.waits_for) if ready.waits_for else None
    held = _held(view, memory)
    short = Condition(ConditionType.HELD, True, "BudgetSpent", view.short.reason) if view.short else None
    begins = view.begins
    turn = Turn(
        spec, want.generation, view.now, bodies, _barred(spec, view), waits or held, None if begins else short,
        memory.stopped, expected(spec, view, memory),
    )  # fmt: skip
    steps: dict[int, Step] = {}
    for index, series in _under_way(spec, memory, turn).items():
        # Where there is money for some attempts only, the first ones get it.
        mine = turn if begins is None or begins > 0 else replace(turn, short=short)
        steps[index] = step(mine, _key(spec, index), series, found.pop(_key(spec, index), {}), memory.base)
        if begins and steps[index].series.attempt > series.attempt:
            begins -= 1
    stray = [thing for attempts in found.values() for members in attempts.values() for thing in members.values()]
    return _together(spec, memory, steps, stray)


def _barred(spec: JobSpec, view: View[JobMemory]) -> Condition | None:
    if spec.suspend:
        return Condition(ConditionType.HELD, True, "Suspended", "it is suspended; take suspend back, and it goes on")
    return (
        Condition(ConditionType.HELD, True, "BudgetSpent", view.hold.reason) if view.hold and view.hold.stops else None
    )


def _held(view: View[JobMemory], memory: JobMemory) -> Condition | None:
    """Why no attempt may begin, though those that have begun go on: a run that has begun is no new one to a block."""
    hold = view.hold
    if hold is None or hold.stops or (hold.does < Does.DRAIN and _has_begun(memory)):
        return None
    return Condition(ConditionType.HELD, True, "BudgetSpent", hold.reason)


def _under_way(spec: JobSpec, memory: JobMemory, turn: Turn) -> dict[int, Series]:
    """The series to look at: those that were begun, and as many more as may be under way at once."""
    array = array_of(spec)
    if array is None:
        return {0: memory.series.get(0, Series())}
    under_way = dict(memory.series)
    failed = _within(memory.failed, array)
    may_begin = not turn.over and (array.may_fail is None or len(failed) <= array.may_fail)
    over = _within(memory.succeeded, array) | failed
    for index in range(count_of(array)):
        if len(under_way) >= at_once(array) or not may_begin:
            break
        if index not in over:
            under_way.setdefault(index, Series())
    if turn.waits or turn.short or turn.barred:
        # None of them begins: one is looked at to say why.
        return {i: s for i, s in under_way.items() if s.attempt} or dict(list(under_way.items())[:1])
    return under_way


def _together(spec: JobSpec, memory: JobMemory, steps: dict[int, Step], stray: list[Thing]) -> Decision[JobMemory]:
    """The decision that the steps make, and what is remembered of them."""
    after = {index: each.series for index, each in steps.items()}
    highest = max([memory.highest, *(series.attempt for series in after.values())])
    kept = {i: each for i, each in after.items() if each.attempt or array_of(spec) is None}
    memory = changed(memory, highest=highest, series=kept)
    for startup_s in (each.startup_s for each in steps.values() if each.startup_s is not None):
        memory = with_startup(memory, startup_s)
    actions = [action for each in steps.values() for action in each.actions]
    decision = Decision(
        (*actions, *(Release(thing.part) for thing in stray)),
        _conditions(spec, memory, steps),
        _outputs(spec, memory, steps),
        memory,
        notes=tuple(note for each in steps.values() for note in each.notes),
        again_s=min((each.again_s for each in steps.values() if each.again_s is not None), default=None),
    )
    if outcome_of(spec, memory):
        return replace(decision, conditions=(_outcome(spec, memory),), outputs=_totals(spec, memory), again_s=0.5)
    return decision


def _counted(memory: JobMemory, found: Found) -> JobMemory:
    """An array's memory: what is over, and holds nothing any more, is only counted from here on."""
    over = {i: series for i, series in memory.series.items() if series.outcome and i not in found}
    if not over:
        return memory
    succeeded = {i for i, series in over.items() if series.outcome == ending.SUCCEEDED}
    return replace(
        memory,
        series={i: series for i, series in memory.series.items() if i not in over},
        succeeded=ranges(numbers(memory.succeeded) | succeeded),
        failed=ranges(numbers(memory.failed) | (over.keys() - succeeded)),
        attempts=memory.attempts + sum(series.attempts for series in over.values()),
        took_s=memory.took_s + sum(series.took_s for series in over.values()),
    )


def _conditions(spec: JobSpec, memory: JobMemory, steps: Mapping[int, Step]) -> tuple[Condition, ...]:
    array = array_of(spec)
    said = [each.condition for each in steps.values() if each.condition]
    if array is None:
        return tuple(said)
    # The worst is told of; a job that has one index at work is at work, whatever the others wait for.
    ranked = sorted(said, key=lambda condition: (condition.type is ConditionType.WAITING, condition.status is not None))
    first = ranked[0] if ranked else Condition(ConditionType.READY, False, "Running", "what has ended is cleared away")
    done, failed = len(_within(memory.succeeded, array)), len(_within(memory.failed, array))
    begun = sum(series.is_open for series in memory.series.values())
    counts = f"{done} of {count_of(array)} done" + (f", {failed} failed" if failed else "") + f", {begun} under way"
    return (replace(first, message=f"{counts}; {first.message}"),)


def _outputs(spec: JobSpec, memory: JobMemory, steps: Mapping[int, Step]) -> dict[str, str | int | float | bool]:
    if array_of(spec) is not None:
        return {"succeeded": memory.succeeded, "failed": memory.failed}
    outputs = dict(steps[0].outputs or {})
    return outputs | ({"replicas": steps[0].series.ends} if steps[0].series.ends else {})


def _over(spec: JobSpec, left: Mapping[str, Thing], memory: JobMemory) -> Decision[JobMemory]:
    again_s = 0.5 if left else None
    return Decision(_releases(left), (_outcome(spec, memory),), _totals(spec, memory), memory, again_s=again_s)


def _totals(spec: JobSpec, memory: JobMemory) -> dict[str, str | int | float | bool]:
    series = memory.series.values()
    attempts = memory.attempts + sum(each.attempts for each in series)
    took_s = memory.took_s + sum(each.took_s for each in series)
    outputs: dict[str, str | int | float | bool] = {"attempts": attempts, "took_s": round(took_s, 3)}
    if array_of(spec) is not None:
        return outputs | {"succeeded": memory.succeeded, "failed": memory.failed}
    ends = memory.series[0].ends if 0 in memory.series else ""
    return outputs | ({"replicas": ends} if ends else {})


def _outcome(spec: JobSpec, memory: JobMemory) -> Condition:
    """What is said of a job whose run is over."""
    array, totals = array_of(spec), _totals(spec, memory)
    took = duration_text(float(totals["took_s"]))
    if outcome_of(spec, memory) == ending.SUCCEEDED:
        attempts = f" in {totals['attempts']} attempts" if int(totals["attempts"]) > 1 and array is None else ""
        done = f"{len(_within(memory.succeeded, array))} of {count_of(array)} done; " if array else ""
        return Condition(ConditionType.COMPLETE, True, "Succeeded", f"{done}ran {took}{attempts}")
    if array is not None:
        failed = f"{len(_within(memory.failed, array))} of {count_of(array)} failed: {memory.failed or 'none'}"
        why = f"{memory.stopped}; " if memory.stopped else ""
        return Condition(ConditionType.FAILED, True, "Failed", f"{why}{failed}")
    return Condition(ConditionType.FAILED, True, "Failed", memory.series[0].detail)


def _skipped(left: Mapping[str, Thing], memory: JobMemory, why: str) -> Decision[JobMemory]:
    condition = Condition(ConditionType.SKIPPED, True, "Skipped", f"skipped: {why}")
    return Decision(_releases(left), (condition,), memory=memory, again_s=0.5 if left else None)


def _release(left: Mapping[str, Thing], memory: JobMemory, reason: str, message: str) -> Decision[JobMemory]:
    working = Condition(ConditionType.READY, False, reason, message)
    return Decision(_releases(left), (working,), memory=memory, again_s=0.5 if left else None)


def _releases(left: Mapping[str, Thing]) -> tuple[Ensure | Release, ...]:
    return tuple(Release(part) for part in left)
