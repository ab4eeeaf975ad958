"""A job of several replicas begins as one, ends as one, and is told apart by its replicas."""

from dataclasses import replace
from typing import Any

import pytest

from weyr.core.capability import Gang, TaskBody
from weyr.core.decision import Ensure, Thing
from weyr.core.seen import Absent, EndReason, Present, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.test_job import (
    attempt,
    ended,
    job,
    look,
    phase,
    released,
    remembered,
    running,
    so_far,
    started,
    task,
)

PAIR = job(replicas=2)


def member(rank: int, thing: Thing) -> Thing:
    """One of two replicas of attempt 1, as it is seen."""
    return replace(thing, part=f"1.{rank}", body=TaskBody(("true",), "/stack", gang=Gang("1", 2, rank)))


def pair(first: Thing, second: Thing) -> tuple[Thing, Thing]:
    return member(0, first), member(1, second)


def test_all_replicas_are_asked_for_together() -> None:
    """A half of a gang would hold its nodes and wait for a partner that finds no room."""
    decision = look(PAIR)

    assert started(decision) == ["1.0", "1.1"]
    bodies = [action.body for action in decision.actions if isinstance(action, Ensure)]
    gangs = [body.gang for body in bodies if isinstance(body, TaskBody)]
    assert gangs == [Gang("1", 2, 0), Gang("1", 2, 1)]


ONE_IS_OUT = {
    "it fails": ended(EndReason.FAILED, exit_code=1),
    "its node is lost": ended(EndReason.NODE_LOST),
    "it vanishes": attempt(Absent()),
    "its spot node has notice": task(notice_at=130.0),
}


@pytest.mark.parametrize("case", ONE_IS_OUT)
def test_when_one_goes_the_others_are_stopped_and_nothing_begins_yet(case: str) -> None:
    """They would wait for it for ever, at full price; a notice reaches all, so that they can save together."""
    decision = look(PAIR, *pair(task(), ONE_IS_OUT[case]), memory=running(PAIR))

    assert "1.0" in released(decision)
    assert ("1.1" in released(decision)) is (case == "its spot node has notice")
    assert started(decision) == []
    assert so_far(decision).is_open


CAUSES: dict[str, tuple[Thing, Thing, str, str]] = {
    "both succeed": (ended(EndReason.SUCCEEDED), ended(EndReason.SUCCEEDED), "succeeded", "succeeded after 40s"),
    "one fails and the other is stopped": (
        ended(EndReason.STOPPED),
        ended(EndReason.FAILED, exit_code=3),
        "failed",
        "failed after 40s with exit code 3 (replica 1 of 2)",
    ),
    "one fails because the other's node is gone": (
        ended(EndReason.FAILED, exit_code=1),
        ended(EndReason.NODE_LOST),
        "",
        "ended after 40s: node lost (replica 1 of 2)",
    ),
    "one was stopped and nobody saw its end": (
        attempt(Absent(), is_released=True),
        ended(EndReason.RECLAIMED),
        "",
        "its spot node was reclaimed",
    ),
    "the first to fail counts": (
        replace(
            ended(EndReason.FAILED, exit_code=1),
            seen=Present(
                TaskFacts(TaskState.ENDED, started_at=100.0, ended_at=150.0, end=TaskEnd(EndReason.FAILED, 1))
            ),
        ),
        ended(EndReason.FAILED, exit_code=7),
        "failed",
        "exit code 7 (replica 1 of 2)",
    ),
}


@pytest.mark.parametrize("case", CAUSES)
def test_only_the_cause_of_an_attempts_end_counts(case: str) -> None:
    """A program is not blamed for a peer that lost its node, and a retry is not spent on it."""
    first, second, outcome, text = CAUSES[case]

    decision = look(PAIR, *pair(first, second), memory=running(PAIR))

    assert (so_far(decision).outcome, so_far(decision).is_open) == (outcome, False)
    assert text in decision.notes[0].message
    assert sorted(released(decision)) == ["1.0", "1.1"]


def test_each_replicas_end_is_told() -> None:
    """Whoever looks for the culprit among 64 finds it in one line."""
    decision = look(PAIR, *pair(ended(EndReason.STOPPED), ended(EndReason.FAILED, exit_code=3)), memory=running(PAIR))

    assert decision.outputs["replicas"] == "0 stopped, 1 exit code 3"


def test_with_a_leader_its_success_is_the_jobs() -> None:
    """Parameter servers never end by themselves; that is no failure, and they are stopped."""
    spec = job(replicas=2, done_when="first")
    waiting = look(spec, *pair(ended(EndReason.SUCCEEDED), task()), memory=running(spec))
    over = look(spec, *pair(ended(EndReason.SUCCEEDED), ended(EndReason.STOPPED)), memory=running(spec))

    assert released(waiting) == ["1.1"]
    assert so_far(over).outcome == "succeeded"


def test_the_next_attempt_waits_for_the_last_replica_to_be_gone() -> None:
    """Two attempts at once would write one checkpoint folder."""
    memory = running(PAIR, is_open=False)
    clearing = look(PAIR, member(1, attempt(Unknown("no answer"), is_released=True)), memory=memory)

    assert (started(clearing), released(clearing)) == ([], ["1.1"])
    assert started(look(PAIR, memory=memory)) == ["2.0", "2.1"]


def test_only_the_replicas_that_were_not_confirmed_are_asked_for_again() -> None:
    """Saying it again under the same key starts nothing twice."""
    decision = look(PAIR, *pair(task(), attempt(Unknown(), is_accepted=False)), memory=running(PAIR))

    assert started(decision) == ["1.1"]


def test_another_number_of_replicas_replaces_the_attempt_and_not_the_result() -> None:
    """It goes on from its checkpoint with more of them; a finished job stays finished."""
    spec = job(replicas=4)

    replaced = look(spec, *pair(task(), task()), memory=running(PAIR), generation=2)
    done = look(spec, memory=running(PAIR, is_open=False, outcome="succeeded"), generation=2)

    assert sorted(released(replaced)) == ["1.0", "1.1"]
    assert started(done) == []


MOVES: dict[str, tuple[dict[str, Any], bool]] = {
    "it waits, and its queue is another": ({"queue": "urgent"}, True),
    "it waits, and nothing is another": ({}, False),
}


@pytest.mark.parametrize("case", MOVES)
def test_what_waits_in_line_moves_at_once_and_what_runs_stays(case: str) -> None:
    """Nothing is lost by moving what has not begun; what runs is not stopped for a place in a line."""
    fields, moves = MOVES[case]
    begun = look(job())
    (action,) = [each for each in begun.actions if isinstance(each, Ensure)]
    waiting = Thing(
        "1", action.capability, 1, Present(TaskFacts(TaskState.STARTING, waits="its turn")), action.body, True
    )
    runs = replace(waiting, seen=Present(TaskFacts(TaskState.RUNNING, started_at=1.0)))
    memory: JobMemory = remembered(begun)

    assert bool(released(look(job(**fields), waiting, memory=memory, generation=2))) is moves
    assert released(look(job(**fields), runs, memory=memory, generation=2)) == []
    assert phase(look(job(), runs, memory=memory)) == "working"
