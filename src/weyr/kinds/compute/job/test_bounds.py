"""A run ends by its deadline and within its money, whatever it does."""

from typing import Any

import pytest

from weyr.core.decision import Cost, Phase
from weyr.core.schema import ValidationError
from weyr.core.seen import EndReason
from weyr.kinds.compute.job.test_job import ended, job, look, phase, released, remembered, so_far, started, task

CHEAP = Cost(1_000_000, 3_600_000)
"""A dollar so far, and a thousandth of one each second."""


def test_what_is_not_over_by_its_deadline_is_stopped_and_has_failed() -> None:
    """An answer that is too late is paid for and worth nothing."""
    spec = job(deadline="1h", retries={"max": 5})
    begun = look(spec, now=1000.0)
    running = look(spec, task(), memory=remembered(begun), now=4000.0)
    late = look(spec, task(), memory=remembered(running), now=4600.0)
    over = look(spec, ended(EndReason.STOPPED), memory=remembered(late), now=4610.0)

    assert running.again_s == 600.0
    assert (released(late), [note.event for note in late.notes]) == (["1"], ["run.stopped"])
    assert phase(over) is Phase.FAILED
    assert over.conditions[0].message == "its deadline has passed: 1h"


def test_a_success_on_the_last_second_is_one() -> None:
    """The result is there."""
    spec = job(deadline="1h")
    memory = remembered(look(spec, now=1000.0))

    assert so_far(look(spec, ended(EndReason.SUCCEEDED), memory=memory, now=9000.0)).outcome == "succeeded"


def test_a_deadline_may_be_a_time_and_is_lengthened_without_a_restart() -> None:
    """Somebody who sees it coming gives it another hour, and loses nothing."""
    spec = job(deadline="1970-01-01T01:00:00+00:00")
    memory = remembered(look(spec, now=1000.0))

    assert released(look(spec, task(), memory=memory, now=3600.0)) == ["1"]
    assert released(look(job(deadline="2h"), task(), memory=memory, now=3600.0, generation=2)) == []


@pytest.mark.parametrize("deadline", ["tomorrow", "2026-12-01", "2026-12-01T08:00:00", "-1h", ""])
def test_a_deadline_that_could_mean_two_things_is_refused(deadline: str) -> None:
    """A time without its zone is an hour off for half of the year."""
    with pytest.raises(ValidationError):
        job(deadline=deadline)


MONEY: dict[str, tuple[Cost, bool]] = {
    "within what it may": (Cost(1_900_000, 3_600_000), False),
    "at its limit": (Cost(2_000_000, 3_600_000), True),
    "at no known price": (Cost(1_000_000, 0), False),
}


@pytest.mark.parametrize("case", MONEY)
def test_a_run_that_has_cost_what_it_may_is_stopped(case: str) -> None:
    """What an earlier run of the same job cost does not count; nor does it matter how many attempts it took."""
    cost, stops = MONEY[case]
    spec = job(max_cost="1 USD")
    memory = remembered(look(spec, cost=CHEAP))

    decision = look(spec, task(), memory=memory, cost=cost)

    assert bool(released(decision)) is stops


def test_the_limit_is_looked_at_the_moment_it_is_reached() -> None:
    """A node of 100 dollars an hour is not left alone for half a minute."""
    spec = job(max_cost="1 USD")
    memory = remembered(look(spec, cost=CHEAP))

    near = look(spec, task(), memory=memory, cost=Cost(1_998_000, 3_600_000))
    far = look(spec, task(), memory=memory, cost=CHEAP)

    assert (near.again_s, far.again_s) == (2.0, 5.0)


def test_no_further_index_begins_once_an_array_is_stopped() -> None:
    """It fails with what it has, and says how much that is."""
    spec = job(array={"count": 5, "max_parallel": 1}, deadline="1h")
    memory = remembered(look(spec, now=1000.0))
    late = look(spec, ended(EndReason.SUCCEEDED, "0:1"), memory=memory, now=9000.0)
    over = look(spec, memory=remembered(look(spec, memory=remembered(late), now=9001.0)), now=9002.0)

    assert (started(late), phase(over)) == ([], Phase.FAILED)
    assert "its deadline has passed" in over.conditions[0].message
    assert over.outputs["succeeded"] == "0"


SUSPENDED: dict[str, tuple[dict[str, Any], bool]] = {"is suspended": ({"suspend": True}, True), "is not": ({}, False)}


@pytest.mark.parametrize("case", SUSPENDED)
def test_a_suspended_job_stops_and_goes_on_later(case: str) -> None:
    """Its attempt saves and ends; nothing counts as a failure."""
    fields, stops = SUSPENDED[case]
    memory = remembered(look(job()))
    decision = look(job(**fields), task(), memory=memory, generation=2)
    stopped = look(job(**fields), ended(EndReason.STOPPED), memory=remembered(decision), generation=2)

    assert bool(released(decision)) is stops
    assert (phase(decision) is Phase.HELD) is stops
    assert so_far(stopped).outcome == ""
