"""A task with `ship` runs in a copy of its folder: what is edited meanwhile is for the next version."""

from pathlib import Path

import pytest
from engines import LocalWorld, task_id

from weyr.core.capability import Refused, Sandbox, TaskBody, Wanted
from weyr.core.seen import Absent


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "says.sh").write_text("echo old; pwd; echo $PWD; echo more >> says.sh; touch made")
    return tmp_path


def run(local: LocalWorld, part: str, generation: int, code: Path) -> list[str]:
    body = TaskBody(("/bin/sh", "-c", ". ./says.sh"), str(code), ship=True)
    assert local.provider.ensure([Wanted(task_id(part), generation, body)]) == {}
    local.ended(task_id(part))
    return b"".join(local.provider.logs(task_id(part))).decode().splitlines()


def test_a_retry_runs_what_the_first_attempt_ran(local: LocalWorld, code: Path) -> None:
    """Who edits while a job retries must not get half of each; the change runs once it is applied. The copy is the
    task's own, and ends with it."""
    said, place, told = run(local, "1", 1, code)
    assert (said, place) == ("old", told)
    assert place != str(code)
    assert [path.name for path in code.iterdir()] == ["says.sh"]
    (code / "says.sh").write_text("echo new")
    local.restart()
    assert run(local, "2", 1, code)[0] == "old"
    assert run(local, "3", 2, code) == ["new"]
    local.clear(task_id("1"))
    assert not Path(place).exists()


def test_what_waits_for_its_start_has_its_files_already(local: LocalWorld, code: Path) -> None:
    """Between acceptance and start a server may die; what it begins afterwards is what was accepted."""
    body = TaskBody(("/bin/sh", "-c", "read go < go; . ./says.sh"), str(code), ship=True)
    (code / "go").write_text("go\n")
    wanted = [Wanted(task_id("1"), 1, body)]
    assert local.provider.ensure(wanted) == {}
    (code / "says.sh").write_text("echo new")
    local.restart()
    assert local.provider.ensure(wanted) == {}
    local.ended(task_id("1"))
    assert b"".join(local.provider.logs(task_id("1"))).startswith(b"old")


def test_a_folder_that_cannot_be_shipped_is_a_reason(local: LocalWorld, code: Path) -> None:
    """It is refused with what to do, and nothing of it is left."""
    (code / "link").symlink_to("/etc/hostname")
    body = TaskBody(("true",), str(code), ship=True)
    refused = local.provider.ensure([Wanted(task_id("1"), 1, body)])[task_id("1")]
    assert isinstance(refused, Refused)
    assert "leads to /etc/hostname" in refused.reason
    assert isinstance(local.observe(task_id("1")), Absent)
    assert not [*(local.home / "tasks").glob(".new-*")]


def test_a_sandbox_shows_its_copy_and_no_other(local: LocalWorld, code: Path) -> None:
    """It may write there; the folder itself and what is kept of it are out of its sight."""
    (code / "says.sh").write_text(f"echo old; touch made && ls; ls {local.home}/tasks/.shipped {code}")
    body = TaskBody(("/bin/sh", "-c", ". ./says.sh 2>&1"), str(code), ship=True, sandbox=Sandbox())
    assert local.provider.ensure([Wanted(task_id("1"), 1, body)]) == {}
    local.ended(task_id("1"))
    told = b"".join(local.provider.logs(task_id("1"))).decode()
    assert told.splitlines()[:3] == ["old", "made", "says.sh"]
    assert told.count("No such file") == 2, told
