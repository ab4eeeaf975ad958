"""What a running, finished or failed job does when somebody wants something else."""

from dataclasses import replace
from typing import Any

import pytest

from weyr.core.decision import Need, Phase, Thing
from weyr.core.seen import Absent, EndReason, Unknown
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.spec import JobSpec
from weyr.kinds.compute.job.test_job import (
    HOLD,
    LAKE,
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
from weyr.kinds.compute.job.version import program_of, version_of

DONE = running(job(), is_open=False, outcome="succeeded", took_s=40.0)
DONE_IN_THREE = running(job(), is_open=False, outcome="succeeded", took_s=40.0, attempts=3)
FAILED = running(job(), is_open=False, outcome="failed", failures=1, detail="attempt 1 failed")

INPUT = {"bucket": "lake"}
NEEDS = {LAKE: Need(Phase.READY, {"name": "digits-lake"})}

CHANGES: dict[str, tuple[dict[str, Any], bool, bool]] = {
    # what is written differently: (fields, a running attempt is replaced, a finished job runs again)
    "another command": ({"run": "python other.py"}, True, True),
    "another variable": ({"env": {"LR": "0.1"}}, True, True),
    "another number of reruns": ({"rerun": 1}, True, True),
    "more memory": ({"resources": {"memory": "2GiB"}}, True, False),
    "off spot": ({"spot": True}, True, False),
    "a time limit": ({"time_limit": "1h"}, True, False),
    "another image": ({"image": "python:3.12"}, True, True),
    "another package": ({"python": {"requirements": ["numpy"]}}, True, True),
    "another input": ({"inputs": {"data": INPUT}}, True, True),
    "another output": ({"outputs": {"model": INPUT}}, True, True),
    "another secret": ({"secrets": {"KEY": "secret/key"}}, True, True),
    "a file from a secret": ({"secret_files": {"key.pem": "secret/key"}}, True, True),
    "another bucket to write to": ({"writes": ["lake"]}, True, True),
    "more replicas": ({"replicas": 2}, True, False),
    "an accelerator": ({"resources": {"accelerators": 1}}, True, False),
    "a copy of its folder": ({"ship": True}, True, True),
    "a sandbox": ({"sandbox": True}, True, False),
    "a longer grace": ({"grace": "1m"}, True, False),
    "checkpoints": ({"checkpoint": {"bucket": "lake"}}, True, False),
    "another bucket for artifacts": ({"artifacts": "lake"}, True, False),
    "another queue": ({"queue": "team"}, False, False),
    "another pool": ({"pool": "gpu"}, False, False),
    "another priority": ({"priority": 7}, False, False),
    "labels": ({"labels": {"zone": "a"}}, False, False),
    "taints that it bears": ({"tolerates": ["gpu"]}, False, False),
    "a deadline": ({"deadline": "6h"}, False, False),
    "a bound on its cost": ({"max_cost": "5 USD"}, False, False),
    "another leader": ({"done_when": "first"}, False, False),
    "protection": ({"protect": True}, False, False),
    "what its cost counts under": ({"tags": {"project": "digits"}}, False, False),
    "more retries": ({"retries": {"max": 5}}, False, False),
    "another expectation": ({"expected_duration": "1m"}, False, False),
    "a default that is written out": ({"spot": False, "folder": "."}, False, False),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_a_change_does_to_a_running_attempt(case: str) -> None:
    """An attempt is never changed under way: it ends, and one of the new version follows."""
    fields, is_replaced, _ = CHANGES[case]

    decision = look(job(**fields), task(), memory=running(job()), generation=2, needs=NEEDS)

    assert bool(released(decision)) is is_replaced
    assert started(decision) == []


@pytest.mark.parametrize("case", CHANGES)
def test_what_a_change_does_to_a_finished_job(case: str) -> None:
    """Results are not computed again, and not paid for again, because a limit was written differently."""
    fields, _, runs_again = CHANGES[case]

    decision = look(job(**fields), memory=DONE, generation=2, needs=NEEDS)

    assert started(decision) == (["2"] if runs_again else [])
    assert phase(decision) is (Phase.WORKING if runs_again else Phase.DONE)


def test_the_order_in_a_file_is_no_change() -> None:
    """Sorting one's variables runs nothing again."""
    assert version_of(job(env={"A": "1", "B": "2"})) == version_of(job(env={"B": "2", "A": "1"}))
    assert program_of(job(env={"A": "1", "B": "2"})) == program_of(job(env={"B": "2", "A": "1"}))


def test_the_new_version_waits_until_the_old_one_is_proved_over() -> None:
    """Also when nobody knows: an engine that does not answer may still be running the old attempt."""
    spec = job(run="python other.py")
    silent = attempt(Unknown("no answer"), is_released=True)

    waiting = look(spec, silent, memory=running(job()), generation=2)
    clearing = look(spec, ended(EndReason.STOPPED), memory=running(job()), generation=2)
    begun = look(spec, memory=remembered(clearing), generation=2)

    assert (started(waiting), released(waiting)) == ([], ["1"])
    assert (started(clearing), released(clearing)) == ([], ["1"])
    assert started(begun) == ["2"]


def test_what_was_gone_already_is_let_go_of_before_the_new_version_begins() -> None:
    """Only what was released has its meter closed; otherwise a lost attempt would be billed for ever."""
    spec = job(run="python other.py")
    clearing = look(spec, attempt(Absent()), memory=running(job()), generation=2)

    assert (started(clearing), released(clearing)) == ([], ["1"])
    assert started(look(spec, memory=remembered(clearing), generation=2)) == ["2"]


def test_a_failed_job_is_run_again_by_a_plan_and_only_by_one() -> None:
    """`weyr up` after a failure tries again with a fresh count; time alone does not."""
    stays = look(job(), memory=FAILED, generation=1)
    again = look(job(), memory=FAILED, generation=2)

    assert (phase(stays), started(stays)) == (Phase.FAILED, [])
    assert started(again) == ["2"]
    assert (so_far(again).failures, remembered(again).generation) == (0, 2)


def test_a_change_in_place_under_way_is_no_order_to_retry() -> None:
    """A job that fails after its protection was switched on has failed; nobody asked for another run."""
    spec = job(protect=True)
    followed = look(spec, task(), memory=running(job()), generation=2)
    failed = look(spec, ended(EndReason.FAILED), memory=remembered(followed), generation=2)

    assert phase(look(spec, memory=remembered(failed), generation=2)) is Phase.FAILED


HELD: dict[str, tuple[JobMemory | None, tuple[Thing, ...], list[str], Phase]] = {
    "a new job does not begin": (None, (), [], Phase.HELD),
    "a running attempt is stopped": (running(job()), (task(),), ["1"], Phase.HELD),
    "one nobody has news of is stopped too": (running(job()), (attempt(Unknown()),), ["1"], Phase.HELD),
    "an interrupted one is not followed": (running(job()), (ended(EndReason.RECLAIMED),), ["1"], Phase.HELD),
    "a new version does not begin": (running(job(run="old")), (), [], Phase.HELD),
    "a success is one": (running(job()), (ended(EndReason.SUCCEEDED),), ["1"], Phase.DONE),
    "a finished job stays finished": (DONE, (), [], Phase.DONE),
    "a failed job stays failed": (FAILED, (), [], Phase.FAILED),
}


@pytest.mark.parametrize("case", HELD)
def test_a_held_job_spends_nothing_and_loses_nothing(case: str) -> None:
    """A budget's stop must neither be slipped past nor cost a result that was there already."""
    memory, things, stops, word = HELD[case]

    decision = look(job(), *things, memory=memory, hold=HOLD)

    assert started(decision) == []
    assert released(decision) == stops
    assert phase(decision) is word


def test_after_a_hold_it_goes_on_with_another_attempt() -> None:
    """The attempt that is still stopping is not taken for a running one; its successor waits for it."""
    stopping = task()
    stopping = replace(stopping, is_released=True)

    waiting = look(job(), stopping, memory=running(job()))
    weighed = look(job(), ended(EndReason.STOPPED), memory=running(job()))
    begun = look(job(), memory=remembered(weighed))
    begun_unseen = look(job(), memory=running(job()))

    assert (started(waiting), released(waiting)) == ([], ["1"])
    assert so_far(weighed).took_s == 40.0
    assert started(begun) == ["2"]
    assert started(begun_unseen) == ["2"], "its end came and went while nobody looked"


REMOVALS: dict[str, tuple[tuple[Thing, ...], list[str]]] = {
    "one that runs": ((task(),), ["1"]),
    "one that has ended": ((ended(EndReason.SUCCEEDED),), ["1"]),
    "one that nobody has news of": ((attempt(Unknown()),), ["1"]),
    "one not there, but its start was not answered": ((attempt(Absent(), is_accepted=False),), ["1"]),
    "two of which one is gone": ((attempt(Absent()), task(part="2")), ["1", "2"]),
}


@pytest.mark.parametrize("case", REMOVALS)
def test_a_job_goes_away_only_when_its_tasks_are_proved_gone(case: str) -> None:
    """A forgotten task would run, and cost, for ever: a start without an answer may yet take effect."""
    things, stops = REMOVALS[case]

    decision = look(None, *things, memory=running(job()))

    assert released(decision) == stops
    assert not decision.forget


@pytest.mark.parametrize("things", [(), (attempt(Absent()),)])
def test_a_job_without_tasks_is_forgotten(things: tuple[Thing, ...]) -> None:
    """`weyr down` leaves nothing and ends."""
    assert look(None, *things, memory=DONE).forget


def test_a_finished_job_clears_its_task_away_and_says_how_it_went() -> None:
    """The folder of its last attempt goes to the archive; the outcome stays."""
    clearing = look(job(), ended(EndReason.SUCCEEDED), memory=DONE_IN_THREE)
    rest = look(job(), memory=DONE_IN_THREE)

    assert (released(clearing), clearing.again_s) == (["1"], 0.5)
    assert (released(rest), rest.again_s) == ([], None)
    assert rest.conditions[0].message == "ran 40s in 3 attempts"
    assert rest.outputs == {"attempts": 3, "took_s": 40.0}


def test_a_refused_stop_is_no_failure_of_the_attempt() -> None:
    """What the engine would not remove still runs, and another attempt beside it would be one too many."""
    thing = replace(task(), is_accepted=False, is_released=True, refusal="no")

    decision = look(job(), thing, memory=running(job()))

    assert (started(decision), so_far(decision).outcome) == ([], "")


def test_a_thing_without_its_body_is_left_as_it_is() -> None:
    """There is nothing to say again; the next answer tells more."""
    thing = replace(attempt(Unknown(), is_accepted=False), body=None)

    assert look(job(), thing, memory=running(job())).actions == ()


def test_what_each_field_changes_is_written_down() -> None:
    """A field that nobody thought of would run finished jobs again, or leave old attempts running."""
    thought_of = {name for fields, _, _ in CHANGES.values() for name in fields}
    others = {"schedule", "array", "suspend", "needs", "reads", "produces"}  # told in tests of their own
    assert thought_of | others == set(JobSpec.model_fields)
