"""Jobs wait for one another, and those whose turn cannot come any more say so."""

from typing import Any

import pytest

from weyr.core.decision import Need, Phase
from weyr.core.ref import Ref
from weyr.kinds.compute.job.test_job import job, look, phase, running, started, task

PREPARE = Ref("digits", "job", "prepare")
SKIPPED = Need(Phase.SKIPPED)
CASES: dict[str, tuple[str, Need, str]] = {
    "success after a success": ("success", Need(Phase.DONE), "begins"),
    "success after a failure": ("success", Need(Phase.FAILED), "job/prepare failed"),
    "success while it runs": ("success", Need(Phase.WORKING), "waits"),
    "success while nobody knows": ("success", Need(Phase.UNKNOWN), "waits"),
    "success while it is held": ("success", Need(Phase.HELD), "waits"),
    "success after it was skipped": ("success", SKIPPED, "job/prepare was skipped"),
    "failure after a failure": ("failure", Need(Phase.FAILED), "begins"),
    "failure after a success": ("failure", Need(Phase.DONE), "job/prepare succeeded"),
    "always after a success": ("always", Need(Phase.DONE), "begins"),
    "always after a failure": ("always", Need(Phase.FAILED), "begins"),
    "always after it was skipped": ("always", SKIPPED, "begins"),
    "always while it runs": ("always", Need(Phase.WORKING), "waits"),
}


@pytest.mark.parametrize("case", CASES)
def test_when_a_job_follows_another(case: str) -> None:
    """A training does not begin on half of the data, a clean-up comes whatever happened, and nothing waits in vain."""
    on, need, what = CASES[case]
    spec = job(needs=[{"job": "prepare", "on": on}])

    decision = look(spec, needs={PREPARE: need})

    assert bool(started(decision)) is (what == "begins")
    assert (phase(decision) is Phase.WAITING) is (what == "waits")
    is_skipped = what not in ("begins", "waits")
    assert (phase(decision) is Phase.SKIPPED) is is_skipped
    assert not is_skipped or what in decision.conditions[0].message


def test_a_job_that_was_skipped_runs_once_the_other_is_mended() -> None:
    """Being skipped is no end: it is what follows from how the other job stands now."""
    spec = job(needs=[{"job": "prepare"}])
    skipped = look(spec, needs={PREPARE: Need(Phase.FAILED)})

    assert started(look(spec, memory=skipped.memory, needs={PREPARE: Need(Phase.WORKING)})) == []
    assert started(look(spec, memory=skipped.memory, needs={PREPARE: Need(Phase.DONE)})) == ["1"]


RUNNING: dict[str, tuple[dict[str, Any], Need]] = {
    "the other runs again": ({"needs": [{"job": "prepare"}]}, Need(Phase.WORKING)),
    "the other failed since": ({"needs": [{"job": "prepare"}]}, Need(Phase.FAILED)),
}


@pytest.mark.parametrize("case", RUNNING)
def test_what_has_begun_goes_on(case: str) -> None:
    """What a job needed was there when it began; hours of work are not thrown away for what happened since."""
    fields, need = RUNNING[case]
    spec = job(**fields)

    decision = look(spec, task(), memory=running(spec), needs={PREPARE: need})

    assert decision.actions == ()
    assert phase(decision) is Phase.WORKING


def test_a_pool_without_nodes_does_not_keep_a_task_from_its_line() -> None:
    """Nodes come because somebody waits for them."""
    assert started(look(job(), needs={Ref("digits", "pool", "gpu"): Need(Phase.WORKING)})) == ["1"]


def test_the_name_alone_means_success() -> None:
    """`needs: [prepare]` is what every other tool's users write."""
    assert job(needs=["prepare"]).needs == job(needs=[{"job": "prepare"}]).needs
