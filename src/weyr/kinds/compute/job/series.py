"""What should happen next to one series of attempts: a job, or one index of its array? Pure.

A new attempt begins only when the one before is proved to be over, with all its replicas.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from weyr.core.capability import Capability, TaskBody
from weyr.core.decision import Condition, ConditionType, Ensure, Note, Release, Scalar, Thing
from weyr.core.moment import is_awaited
from weyr.core.parts import Part
from weyr.core.reach import Expected
from weyr.core.seen import Absent, Present, TaskEnd, TaskFacts, Unknown
from weyr.core.task_usage import task_meters
from weyr.kinds.compute.job import ending
from weyr.kinds.compute.job.gang import end_of, startup_of, verdict_of
from weyr.kinds.compute.job.memory import Series
from weyr.kinds.compute.job.parts import Members
from weyr.kinds.compute.job.spec import JobSpec

Bodies = Callable[[Part, Series], Mapping[Part, TaskBody]]
"""What an attempt would be started with. Called only when everything that the job needs is ready."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to a series now, as a part of the job's decision. `startup_s` is what the program of an attempt that
    is over needed before it went on, None where nobody could tell."""

    series: Series
    actions: tuple[Ensure | Release, ...] = ()
    condition: Condition | None = None
    outputs: Mapping[str, Scalar] | None = None
    notes: tuple[Note, ...] = ()
    again_s: float | None = None
    startup_s: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What holds for every series of a job at one look. `barred` is why no attempt may begin or go on, `waits` why none
    may begin, `short` why there is no money for one; `over` is why the run ends as a failure whatever it does;
    `expected` is of each task of an attempt."""

    spec: JobSpec
    generation: int
    now: float
    bodies: Bodies
    barred: Condition | None = None
    waits: Condition | None = None
    short: Condition | None = None
    over: str = ""
    expected: Expected | None = None


def step(turn: Turn, index: int | None, series: Series, attempts: Mapping[int, Members], highest: int) -> Step:
    """Takes: `attempts`, the series' things by attempt and rank; `highest`, the number that the next one follows."""
    left = [thing for members in attempts.values() for thing in members.values()]
    members = attempts.get(series.attempt, {}) if series.is_open else {}
    if series.outcome:
        return Step(series, _releases(left), again_s=0.5 if left else None)
    if members:
        verdict = verdict_of(members, turn.spec.done_when == "first")
        if verdict.end is not None:
            # Weighed before anything else: a success is one, also if the budget ran out in the meantime.
            return _ended(turn, index, replace(series, ends=verdict.ends), members, verdict.end, verdict.took_s)
        if turn.over:
            return Step(series, _releases(left), _working("Stopping", f"it is being stopped: {turn.over}"), again_s=0.5)
        if turn.barred:
            return Step(series, _releases(left), turn.barred, again_s=0.5)
        running = [thing for thing in members.values() if end_of(thing) is None]
        if verdict.is_ending or any(thing.is_released for thing in running):
            text = f"{_name(index, series)} is being stopped; another follows"
            return Step(series, _releases(running), _working("Stopping", text), again_s=0.5)
        if turn.waits and turn.waits.type is ConditionType.HELD and _is_in_line(members):
            return Step(replace(series, is_open=False), _releases(running), turn.waits, again_s=0.5)
        if _is_out_of_place(turn, index, series, members):
            text = f"{_name(index, series)} waits elsewhere from now on"
            return Step(replace(series, is_open=False), _releases(running), _working("Moving", text), again_s=0.5)
        return _follow(turn, index, series, members)
    if turn.barred:
        return Step(series, _releases(left), turn.barred, again_s=0.5 if left else None)
    if left:
        return Step(
            series, _releases(left), _working("Clearing", "the attempt before is being cleared away"), again_s=0.5
        )
    if waits := turn.waits or turn.short:
        return Step(series, condition=waits, again_s=5)
    if is_awaited(series.retry_at, turn.now, ending.BACKOFF_MAX_S):
        waiting = Condition(ConditionType.WAITING, True, "Backoff", f"tries again: {series.detail}")
        return Step(series, condition=waiting, again_s=series.retry_at - turn.now)
    return _begin(turn, index, series, highest)


def _begin(turn: Turn, index: int | None, series: Series, highest: int) -> Step:
    attempt = max(series.attempt, highest) + 1
    series = replace(series, attempt=attempt, attempts=series.attempts + 1, is_open=True, ends="")
    bodies = turn.bodies(Part(attempt, index), series)
    note = Note("attempt.started", f"{_name(index, series)} is being started")
    return Step(series, _ensures(turn, bodies), _starting(index, series), notes=(note,), again_s=1)


def _follow(turn: Turn, index: int | None, series: Series, members: Members) -> Step:
    """An attempt whose end is not known yet."""
    unconfirmed = [thing for thing in members.values() if not _is_confirmed(thing)]
    facts = [
        t.seen.facts for t in members.values() if isinstance(t.seen, Present) and isinstance(t.seen.facts, TaskFacts)
    ]
    silent = [t.seen.reason for t in members.values() if isinstance(t.seen, Unknown) and t.is_accepted]
    waits = next((fact.waits for fact in facts if fact.waits), "")
    if unconfirmed:
        # The engine has not confirmed these: say the same again under the same keys.
        return Step(series, _again(unconfirmed), _starting(index, series), again_s=1)
    if silent:
        return Step(series, condition=Condition(ConditionType.READY, None, "EngineSilent", silent[0]), again_s=1)
    if waits:
        return Step(series, condition=Condition(ConditionType.WAITING, True, "Queued", waits))
    series, notes = _told_resumed(index, series, facts)
    return Step(series, (), _running(index, series, facts), _outputs(series, facts), notes)


def _is_confirmed(thing: Thing) -> bool:
    """Whether nothing has to be said again: it is there, its end is known, or it was taken on and nobody knows more."""
    match thing.seen:
        case Present():
            return True
        case Absent():
            return end_of(thing) is not None
        case Unknown():
            return thing.is_accepted


def _ended(turn: Turn, index: int | None, series: Series, members: Members, end: TaskEnd, took_s: float) -> Step:
    """Weighs the end of the open attempt, and clears it away."""
    series = ending.weighed(turn.spec, series, end, took_s, turn.now)
    if turn.over and series.outcome != ending.SUCCEEDED:
        series = replace(series, outcome=ending.FAILED, detail=turn.over)
    where = "" if index is None else f"index {index}, "
    note = Note("attempt.ended", f"{where}{series.detail}" + ("" if series.outcome else "; another follows"))
    startup_s = startup_of(members, took_s)
    if series.outcome:
        return Step(series, _releases(members.values()), notes=(note,), again_s=0.5, startup_s=startup_s)
    waiting = turn.barred or Condition(ConditionType.WAITING, True, "Restarting", series.detail)
    return Step(series, _releases(members.values()), waiting, notes=(note,), again_s=0.1, startup_s=startup_s)


def _is_out_of_place(turn: Turn, index: int | None, series: Series, members: Members) -> bool:
    """Whether all of the attempt still waits for its turn, in another line than the one that is wanted by now.

    What has begun is left where it is; what has not loses nothing.
    """
    first = members[min(members)]
    if not _is_in_line(members) or turn.waits or not isinstance(first.body, TaskBody):
        return False
    wanted = next(iter(turn.bodies(Part(series.attempt, index), series).values()))
    return _line(wanted) != _line(first.body)


def _is_in_line(members: Members) -> bool:
    """Whether nothing of the attempt has begun: all of it waits for its turn."""
    facts = [thing.seen.facts for thing in members.values() if isinstance(thing.seen, Present)]
    return len(facts) == len(members) and all(isinstance(each, TaskFacts) and each.waits for each in facts)


def _line(body: TaskBody) -> tuple[object, ...]:
    """Not the engine: that is its stack's, and stands only in what was handed on."""
    return body.queue, body.pool, body.priority, body.priority_class, tuple(body.labels), body.bears


def _told_resumed(index: int | None, series: Series, facts: Iterable[TaskFacts]) -> tuple[Series, tuple[Note, ...]]:
    """Tells once for each attempt that it did not begin from nothing: what an interruption did not cost."""
    restored = next((each.restored for each in facts if each.restored), "")
    if not restored or series.resumed == series.attempt:
        return series, ()
    text = f"{_name(index, series)} resumed from checkpoint {restored}"
    return replace(series, resumed=series.attempt), (Note("attempt.resumed", text),)


def _running(index: int | None, series: Series, facts: list[TaskFacts]) -> Condition:
    parts = [_name(index, series)]
    if len(facts) > 1:
        parts.append(f"{sum(each.started_at is not None for each in facts)} of {len(facts)} replicas run")
    if restored := next((each.restored for each in facts if each.restored), ""):
        parts.append(f"resumed from checkpoint {restored}")
    if saved := _newest([each.saved for each in facts]):
        parts.append(f"saved checkpoint {saved}")
    if any(each.notice_at is not None for each in facts):
        parts.append("its spot node is being reclaimed")
    return _working("Running", ", ".join(parts))


def _outputs(series: Series, facts: list[TaskFacts]) -> dict[str, Scalar]:
    restored = next((each.restored for each in facts if each.restored), "")
    return {"attempt": series.attempt, "restored": restored, "saved": _newest([each.saved for each in facts])}


def _newest(saved: list[str]) -> str:
    """Of checkpoints such as `epoch-7#12`, whichever replica saved them, the one with the highest number."""
    return max(saved, key=lambda name: (len(name.rpartition("#")[2]), name.rpartition("#")[2]) if name else (0, ""))


def _name(index: int | None, series: Series) -> str:
    return f"attempt {series.attempt}" if index is None else f"attempt {series.attempt} of index {index}"


def _starting(index: int | None, series: Series) -> Condition:
    return _working("Starting", f"{_name(index, series)} is being started")


def _working(reason: str, message: str) -> Condition:
    return Condition(ConditionType.READY, False, reason, message)


def _ensures(turn: Turn, bodies: Mapping[Part, TaskBody]) -> tuple[Ensure, ...]:
    return tuple(
        Ensure(
            Capability.TASKS, str(part), body, turn.generation, task_meters(body),
            turn.expected and replace(turn.expected, together=part.gang),
        )
        for part, body in bodies.items()
    )  # fmt: skip


def _again(things: Iterable[Thing]) -> tuple[Ensure, ...]:
    return tuple(
        Ensure(Capability.TASKS, thing.part, thing.body, thing.generation, task_meters(thing.body))
        for thing in things
        if isinstance(thing.body, TaskBody)
    )


def _releases(things: Iterable[Thing]) -> tuple[Release, ...]:
    return tuple(Release(thing.part) for thing in things)
