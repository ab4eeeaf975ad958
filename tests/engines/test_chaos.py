"""What is done to a task on purpose: what cannot be done is refused."""

import json

import pytest
from engines import LocalWorld, task_id

from weyr.core.capability import TaskBody, Wanted
from weyr.core.seen import EndReason
from weyr.engines.local.chaos import Chaos, NotDone


def start(local: LocalWorld, script: str) -> None:
    body = TaskBody(("/bin/sh", "-c", script), str(local.home), is_spot=True)
    assert local.provider.ensure([Wanted(task_id(), 1, body)]) == {}
    local.running(task_id())


def test_a_task_that_shares_the_machines_network_cannot_be_cut_off(local: LocalWorld) -> None:
    """To cut it off would cut everybody off; to pretend would show nothing."""
    chaos = Chaos(local.home / "tasks")
    with pytest.raises(NotDone, match="does not run"):
        chaos.kill(task_id())
    start(local, "sleep 60")
    with pytest.raises(NotDone, match="network: local"):
        chaos.partition(task_id(), 1.0)


def test_a_killed_program_and_a_killed_wrapper_end_differently(local: LocalWorld) -> None:
    """The one was seen to die, of the other nobody saw the end."""
    start(local, "exec sleep 60")
    Chaos(local.home / "tasks").kill(task_id())
    end = local.ended(task_id()).end
    assert end is not None
    assert (end.reason, end.signal) == (EndReason.FAILED, 9)
    state = json.loads(next((local.home / "tasks").glob("*/state.json")).read_text())
    assert state["relay"] == 0
