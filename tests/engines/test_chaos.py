"""What is done to a task on purpose: duplicates are harmless, and what cannot be done is refused."""

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


def test_a_second_notice_changes_nothing(local: LocalWorld) -> None:
    """Clouds tell of one reclaim twice, and not always the same: the first one counts, and it ends once."""
    start(local, "trap 'echo told; exit 0' TERM; echo up; while :; do sleep 0.02; done")
    local.until(task_id(), lambda _: b"".join(local.provider.logs(task_id())) == b"up\n")
    assert local.provider.reclaim(task_id(), 20.0)
    local.provider.reclaim(task_id(), 3600.0)
    local.provider.reclaim(task_id(), 0.0)
    facts = local.ended(task_id())
    assert facts.end is not None
    assert (facts.end.reason, facts.end.exit_code) == (EndReason.RECLAIMED, 0)
    log = b"".join(local.provider.logs(task_id())).decode()
    assert log.count("told") == log.count("the node is reclaimed") == 1


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
