"""A job runs once for each program, one attempt at a time, and an interruption is no failure."""

from dataclasses import replace
from typing import Any

import pytest

from weyr.core.capability import Capability, TaskBody
from weyr.core.decision import Decision, Ensure, Hold, Need, Phase, Release, Thing, View, Want, phase_of
from weyr.core.ref import Ref
from weyr.core.schema import from_plain
from weyr.core.seen import Absent, EndReason, Present, Seen, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.kinds.compute.job.decide import decide
from weyr.kinds.compute.job.memory import JobMemory, Series, reborn, with_startup
from weyr.kinds.compute.job.spec import JobSpec
from weyr.kinds.compute.job.version import program_of, version_of

TRAIN = Ref("digits", "job", "train")
LAKE = Ref("digits", "bucket", "lake")
DIGITS = Ref("digits", "model", "digits")
HOLD = Hold(Ref("digits", "budget", "month"), "budget/month is spent")
BODY = TaskBody(("true",), "/stack")
END = TaskEnd(EndReason.RECLAIMED)


def job(**fields: Any) -> JobSpec:
    spec: JobSpec = from_plain(JobSpec, {"run": "python train.py", **fields})
    return spec


def task(state: TaskState = TaskState.RUNNING, part: str = "1", **fields: Any) -> Thing:
    return attempt(Present(TaskFacts(state, started_at=100.0, **fields)), part)


def attempt(seen: Seen, part: str = "1", is_accepted: bool = True, **fields: Any) -> Thing:
    return Thing(part, Capability.TASKS, 1, seen, BODY, is_accepted, **fields)


def ended(reason: EndReason, part: str = "1", **fields: Any) -> Thing:
    return task(TaskState.ENDED, part, ended_at=140.0, end=TaskEnd(reason, **fields))


def running(spec: JobSpec, **fields: Any) -> JobMemory:
    """The memory of a job whose first attempt is under way."""
    series = replace(Series(attempt=1, attempts=1, is_open=True), **fields)
    return JobMemory(version_of(spec), program_of(spec), generation=1, highest=1, series={0: series})


def look(
    spec: JobSpec | None, *things: Thing, memory: JobMemory | None = None, generation: int = 1, **view: Any
) -> Decision[JobMemory]:
    want = Want(TRAIN, spec, generation, "/stack")
    return decide(want, View(**{"now": 1000.0, "things": {t.part: t for t in things}, "memory": memory, **view}))


def remembered(decision: Decision[JobMemory]) -> JobMemory:
    assert decision.memory is not None
    return decision.memory


def so_far(decision: Decision[JobMemory]) -> Series:
    """The series of attempts of a job without an array."""
    return remembered(decision).series[0]


def phase(decision: Decision[JobMemory]) -> Phase:
    return phase_of(decision.conditions, is_removing=False)


def started(decision: Decision[JobMemory]) -> list[str]:
    return [action.part for action in decision.actions if isinstance(action, Ensure)]


def released(decision: Decision[JobMemory]) -> list[str]:
    return [action.part for action in decision.actions if isinstance(action, Release)]


def test_a_new_job_begins_at_once() -> None:
    """Nothing it needs is missing, so nothing is waited for; its meters open with the intention."""
    decision = look(job(resources={"cpu": 2, "memory": "1GiB"}))

    assert started(decision) == ["1"]
    assert isinstance(decision.actions[0], Ensure)
    assert decision.actions[0].meters == (("task.cpu", 2000), ("task.memory", 1000))
    assert so_far(decision).is_open


NEEDS = {
    "a bucket that is ready": (LAKE, Need(Phase.READY, {"name": "digits-lake"}), True),
    "a bucket that is being made": (LAKE, Need(Phase.WORKING), False),
    "a bucket nobody has news of": (LAKE, Need(Phase.UNKNOWN, {"name": "digits-lake"}), False),
    "a model without a version": (DIGITS, Need(Phase.READY, {"name": "digits-digits"}), True),
    "a model whose last version failed its gate": (DIGITS, Need(Phase.FAILED, {"name": "digits-digits"}), True),
    "a model that is not registered yet": (DIGITS, Need(Phase.WORKING), False),
}


@pytest.mark.parametrize("case", NEEDS)
def test_it_waits_for_what_it_needs(case: str) -> None:
    """A program that is started before its bucket fails; one that waits for a better model never makes one."""
    ref, need, begins = NEEDS[case]
    spec = job(writes=["lake"]) if ref == LAKE else job(produces="digits")

    decision = look(spec, needs={ref: need})

    assert bool(started(decision)) is begins
    assert begins or str(ref) in decision.conditions[0].message


def test_needs_that_go_away_do_not_disturb_a_running_attempt() -> None:
    """An object store that restarts must not cost an hour of training."""
    spec = job(writes=["lake"])

    decision = look(spec, task(), memory=running(spec), needs={LAKE: Need(Phase.UNKNOWN)})

    assert decision.actions == ()
    assert phase(decision) is Phase.WORKING


SILENCE = {
    "an attempt that was taken on and is not seen": (attempt(Unknown("no answer")), [], Phase.UNKNOWN),
    "an attempt whose start was not answered": (attempt(Unknown(), is_accepted=False), ["1"], Phase.WORKING),
    "an attempt not there, its start not answered": (attempt(Absent(), is_accepted=False), ["1"], Phase.WORKING),
    "an attempt that runs": (task(), [], Phase.WORKING),
    "an attempt that is starting": (task(TaskState.STARTING), [], Phase.WORKING),
}


@pytest.mark.parametrize("case", SILENCE)
def test_silence_is_no_end(case: str) -> None:
    """Only the same attempt is asked for again, under the same key: never a second one beside it."""
    thing, expected, word = SILENCE[case]

    decision = look(job(), thing, memory=running(job()))

    assert started(decision) == expected
    assert phase(decision) is word
    assert so_far(decision).attempt == 1


def test_progress_is_told() -> None:
    """Whoever watches sees from where it went on, what is safe, and that its node is going."""
    thing = task(restored="00000004", saved="00000007", notice_at=130.0)

    decision = look(job(), thing, memory=running(job()))

    text = "attempt 1, resumed from checkpoint 00000004, saved checkpoint 00000007, its spot node is being reclaimed"
    assert decision.conditions[0].message == text
    assert decision.outputs == {"attempt": 1, "restored": "00000004", "saved": "00000007"}


def test_a_resumed_attempt_is_told_once() -> None:
    """What an interruption did not cost stands in the story, and does not fill it."""
    thing = task(restored="00000004")

    first = look(job(), thing, memory=running(job()))
    second = look(job(), thing, memory=remembered(first))

    assert [note.event for note in first.notes] == ["attempt.resumed"]
    assert second.notes == ()


ENDS = {
    "it succeeds": (ended(EndReason.SUCCEEDED), "succeeded", None, "attempt 1 succeeded after 40s"),
    "its node is reclaimed": (ended(EndReason.RECLAIMED), "", 0.0, "was cut short after 40s: its spot node"),
    "its wrapper is lost": (ended(EndReason.LOST), "", 0.0, "attempt 1 ended after 40s: lost"),
    "it is stopped by hand": (ended(EndReason.STOPPED), "", 0.0, "attempt 1 ended after 40s: stopped"),
    "it vanishes": (attempt(Absent()), "", 0.0, "lost (its task is gone)"),
    "its end is recorded without a reason": (task(TaskState.ENDED), "", 0.0, "lost (its task is gone)"),
    "it could not be started": (ended(EndReason.NOT_STARTED, detail="no sh"), "", 1.0, "not started (no sh)"),
    "it fails": (ended(EndReason.FAILED, exit_code=3), "failed", None, "failed after 40s with exit code 3"),
    "it is killed": (ended(EndReason.FAILED, signal=9, detail="SIGKILL"), "failed", None, "failed (SIGKILL)"),
    "it needs too much memory": (ended(EndReason.OUT_OF_MEMORY), "failed", None, "out of memory"),
    "it takes too long": (ended(EndReason.TIMED_OUT), "failed", None, "timed out"),
    "the engine refuses it": (
        attempt(Absent(), is_accepted=False, refusal="it asks for 64 CPUs"),
        "failed",
        None,
        "refused (it asks for 64 CPUs)",
    ),
    "the engine refuses it when its turn comes": (
        ended(EndReason.REFUSED, detail="no key"),
        "failed",
        None,
        "(no key)",
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_what_an_end_means(case: str) -> None:
    """What the program did is its own doing; what befell it is not held against it."""
    thing, outcome, wait_s, text = ENDS[case]

    decision = look(job(), thing, memory=running(job()))

    memory = so_far(decision)
    assert (memory.outcome, memory.is_open) == (outcome, False)
    assert wait_s is None or memory.retry_at == 1000 + wait_s
    assert text in decision.notes[0].message
    assert decision.notes[0].message.endswith("; another follows") is (outcome == "")
    assert released(decision) == ["1"]


RETRIES = {
    "the first failure of three allowed": ({"max": 3}, 0, 1.0),
    "the third": ({"max": 3, "backoff": "2s"}, 2, 8.0),
    "the twentieth": ({"max": 50}, 19, 300.0),
    "one too many": ({"max": 3}, 3, None),
}


@pytest.mark.parametrize("case", RETRIES)
def test_a_failure_is_retried_as_often_as_asked_with_growing_waits(case: str) -> None:
    """A service that is down for a minute is survived; a broken program does not spin."""
    retries, failures, wait_s = RETRIES[case]
    spec = job(retries=retries)

    memory = so_far(look(spec, ended(EndReason.FAILED), memory=running(spec, failures=failures, streak=failures)))

    assert memory.outcome == ("failed" if wait_s is None else "")
    assert wait_s is None or memory.retry_at == 1000 + wait_s


INTERRUPTIONS = {1: 0.0, 3: 0.0, 4: 2.0, 6: 8.0, 50: 60.0}


@pytest.mark.parametrize("count", INTERRUPTIONS)
def test_interruptions_cost_no_retry_and_never_spin(count: int) -> None:
    """A reclaimed job goes on at once; one that is lost each time it starts does not fill the machine."""
    memory = so_far(
        look(job(), ended(EndReason.LOST), memory=running(job(), interruptions=count - 1, streak=count - 1))
    )

    assert (memory.outcome, memory.failures) == ("", 0)
    assert memory.retry_at == 1000 + INTERRUPTIONS[count]


BOUNDS = {
    "a thousand and one interruptions": (EndReason.RECLAIMED, {"interruptions": 1000}),
    "three starts in vain": (EndReason.NOT_STARTED, {"not_started": 2}),
}


@pytest.mark.parametrize("case", BOUNDS)
def test_everything_has_a_bound(case: str) -> None:
    """What will never come up says so instead of trying for ever."""
    reason, so_far = BOUNDS[case]

    assert phase(look(job(), ended(reason), memory=running(job(), **so_far))) is Phase.FAILED


def test_the_next_attempt_waits_for_its_time_and_for_the_last_to_be_gone() -> None:
    """Two attempts that write one checkpoint folder would spoil it."""
    memory = running(job(), is_open=False, retry_at=1005.0, detail="attempt 1 failed")

    clearing = look(job(), ended(EndReason.FAILED), memory=memory)
    backoff = look(job(), memory=memory)
    second = look(job(), memory=memory, now=1005.0)

    assert (started(clearing), released(clearing)) == ([], ["1"])
    assert (started(backoff), backoff.again_s) == ([], 5.0)
    assert started(second) == ["2"]
    assert so_far(second).attempts == 2


def test_a_job_that_waits_for_room_says_so() -> None:
    """ "working" for an hour, with nothing in its log, would look like a fault."""
    spec = job()
    waiting = attempt(Present(TaskFacts(TaskState.STARTING, waits="it waits its turn")))
    decision = look(spec, waiting, memory=running(spec))
    assert phase(decision) is Phase.WAITING
    assert [condition.message for condition in decision.conditions] == ["it waits its turn"]
    assert not decision.actions


def test_a_job_that_waits_on_its_stacks_engine_is_left_there() -> None:
    """The engine is filled in on the way: an attempt that waits in a cluster's queue is not in the wrong line."""
    spec = job()
    waiting = attempt(Present(TaskFacts(TaskState.STARTING, waits="Slurm's job 7 waits: Resources")))
    assert isinstance(waiting.body, TaskBody)
    sent = replace(waiting, body=replace(waiting.body, engine="slurm"))
    assert not look(spec, sent, memory=running(spec)).actions


REASONS: dict[str, tuple[dict[str, Any], EndReason, dict[str, Any], float | None]] = {
    # what is written, why it ended, what was so far, after how long another follows (None: the job failed)
    "an exit code that no retry helps": ({"max": 3, "never_on": [3]}, EndReason.FAILED, {}, None),
    "memory, counted by itself": (
        {"max": 0, "out_of_memory": 2},
        EndReason.OUT_OF_MEMORY,
        {"out_of_memory": 1, "failures": 5},
        1.0,
    ),
    "memory once too often": ({"max": 9, "out_of_memory": 2}, EndReason.OUT_OF_MEMORY, {"out_of_memory": 2}, None),
    "memory as any failure": ({"max": 1}, EndReason.OUT_OF_MEMORY, {}, 1.0),
    "time, counted by itself": ({"max": 0, "timed_out": 1}, EndReason.TIMED_OUT, {"failures": 5}, 1.0),
    "time once too often": ({"max": 9, "timed_out": 1}, EndReason.TIMED_OUT, {"timed_out": 1}, None),
    "no start, as often as written": ({"not_started": 4}, EndReason.NOT_STARTED, {"not_started": 3}, 1.0),
    "no start at all": ({"not_started": 0}, EndReason.NOT_STARTED, {}, None),
    "an interruption too many": ({"interruptions": 1}, EndReason.PREEMPTED, {"interruptions": 1}, None),
    "a lost node is an interruption": ({"interruptions": 2}, EndReason.NODE_LOST, {"interruptions": 1}, 0.0),
    "a long run begins the waits anew": ({"max": 9, "reset_after": "40s"}, EndReason.FAILED, {"streak": 8}, 1.0),
    "a short one does not": ({"max": 9, "reset_after": "41s"}, EndReason.FAILED, {"streak": 3}, 8.0),
}


@pytest.mark.parametrize("case", REASONS)
def test_each_reason_has_its_own_count(case: str) -> None:
    """Who allows ten lost nodes has not allowed ten crashes, nor the other way about."""
    retries, reason, before, wait_s = REASONS[case]
    spec = job(retries=retries)
    end = ended(reason, exit_code=3) if reason is EndReason.FAILED else ended(reason)

    series = so_far(look(spec, end, memory=running(spec, **before)))

    assert series.outcome == ("failed" if wait_s is None else "")
    assert wait_s is None or series.retry_at == 1000 + wait_s


def test_the_next_attempt_gets_more_memory_than_the_one_that_had_too_little() -> None:
    """The same again would end the same."""
    spec = job(resources={"memory": "1GiB"}, retries={"out_of_memory": 3, "memory_growth": 1.5})
    sizes = []
    for count in range(3):
        decision = look(spec, memory=running(spec, is_open=False, out_of_memory=count))
        (ensure,) = [action for action in decision.actions if isinstance(action, Ensure)]
        assert isinstance(ensure.body, TaskBody)
        sizes.append(ensure.body.memory_bytes)
    assert sizes == [2**30, 3 * 2**29, 9 * 2**28]


def test_what_its_attempts_needed_to_start_up_is_remembered() -> None:
    """An interruption costs it once more: whoever prices or rehearses the next run knows it, also after the file
    changed and after the job was taken away and made anew."""
    spec = job(spot=True, checkpoint={"bucket": "lake"})
    memory = remembered(look(spec, task(TaskState.ENDED, ended_at=140.0, end=END, startup_s=4.0), memory=running(spec)))
    assert (memory.startup_s, memory.startups) == (4.0, 1)
    second = replace(memory, series={0: Series(attempt=2, attempts=2, is_open=True)})
    memory = remembered(look(spec, task(TaskState.ENDED, "2", ended_at=140.0, end=END, startup_s=5.0), memory=second))
    assert (memory.startup_s, memory.startups) == (4.5, 2)
    unknown = replace(memory, series={0: Series(attempt=3, attempts=3, is_open=True)})
    memory = remembered(look(spec, task(TaskState.ENDED, "3", ended_at=140.0, end=END), memory=unknown))
    assert (memory.startup_s, memory.startups) == (4.5, 2), "one of which nobody can tell changes nothing"
    memory = remembered(look(spec, task(TaskState.ENDED, "3", ended_at=140.0, end=END, startup_s=9e9), memory=unknown))
    assert (memory.startup_s, memory.startups) == (4.5, 2), "nor does one that is longer than the attempt"
    anew = remembered(look(job(run="python other.py"), memory=memory, generation=2))
    assert (anew.startup_s, anew.startups) == (4.5, 2)
    assert (reborn(anew).startup_s, reborn(anew).startups) == (4.5, 2)


def test_the_latest_starts_count_most() -> None:
    """A program that loads twice as much from today on is known by that within a few attempts."""
    memory = JobMemory()
    for startup_s in [2.0] * 50 + [10.0] * 16:
        memory = with_startup(memory, startup_s)
    assert memory.startup_s > 9.0
