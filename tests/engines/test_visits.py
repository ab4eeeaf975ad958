"""A command in a task that runs: it sees what the task sees, and ends with it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import LocalWorld, task_id

from weyr.core.capability import Sandbox, TaskBody, Wanted
from weyr.engines.local.visits import NoVisit, OpenVisit, Visits

PROGRAM = ("/bin/sh", "-c", "echo up; exec sleep 60")


@pytest.fixture
def visits(local: LocalWorld) -> Iterator[Visits]:
    visits = Visits(local.home / "tasks")
    yield visits
    visits.close()


def start(local: LocalWorld, work: Path, sandbox: Sandbox | None = None) -> None:
    body = TaskBody(PROGRAM, str(work), {"WORD": "hello"}, cpu=0.5, memory_bytes=256 << 20, sandbox=sandbox)
    assert local.provider.ensure([Wanted(task_id(), 1, body)]) == {}
    local.until(task_id(), lambda _: b"".join(local.provider.logs(task_id())) == b"up\n")


def told(visit: OpenVisit) -> tuple[str, str, int]:
    """Its output, its errors and its exit code."""
    texts = {"o": b"", "e": b""}
    while (frames := visit.frames()) is not None:
        for frame in map(json.loads, frames):
            if "exit" in frame:
                return texts["o"].decode(), texts["e"].decode(), frame["exit"]
            for key, text in frame.items():
                texts[key] += base64.b64decode(text)
    raise AssertionError("it ended without an exit code")


def run(visits: Visits, script: str, size: tuple[int, int] | None = None) -> tuple[str, str, int]:
    visit = visits.of(visits.begin(task_id(), ("/bin/sh", "-c", script), size))
    assert visit is not None
    return told(visit)


@pytest.mark.parametrize("sandbox", [None, Sandbox(network="none")], ids=["plain", "sandboxed"])
def test_a_visitor_sees_what_the_task_sees(
    local: LocalWorld, visits: Visits, tmp_path: Path, sandbox: Sandbox | None
) -> None:
    """Its variables, its folder, its limits; what the sandbox hides stays hidden, and its exit code is passed on."""
    start(local, tmp_path, sandbox)
    groups = "cat /proc/self/cgroup"
    output, errors, code = run(visits, f"echo $WORD; pwd; echo oops >&2; {groups}; exit 7")
    assert output.splitlines()[:2] == ["hello", str(tmp_path)]
    assert (errors, code) == ("oops\n", 7)
    own = json.loads((local.home / "tasks" / "digits%3Ajob%2Ftrain%231" / "begun.json").read_text())["groups"]
    if own and sandbox is None:
        assert Path(own[0]).name in output
    hidden, _, _ = run(visits, f"ls {local.home} | wc -l; touch /usr/x 2>/dev/null && rm /usr/x && echo may")
    assert hidden.splitlines() == (["0"] if sandbox else [str(len(list(local.home.iterdir()))), "may"])
    if sandbox:
        assert "CapEff:\t0000000000000000" in run(visits, "grep CapEff /proc/self/status")[0]


def test_a_terminal_is_one(local: LocalWorld, visits: Visits, tmp_path: Path) -> None:
    """A shell asks back, and knows how wide it is."""
    start(local, tmp_path)
    visit = visits.of(visits.begin(task_id(), ("/bin/sh",), (33, 101)))
    assert visit is not None
    visit.write(b"tty && stty size; exit 4\n", False)
    output, _, code = told(visit)
    assert "/dev/pts/" in output
    assert "33 101" in output
    assert code == 4


def test_input_reaches_the_command(local: LocalWorld, visits: Visits, tmp_path: Path) -> None:
    """`weyr exec job/x -- sh < script` does what it says, and its end is an end."""
    start(local, tmp_path)
    visit = visits.of(visits.begin(task_id(), ("cat",), None))
    assert visit is not None
    visit.write(b"one\n", False)
    visit.write(b"two\n", True)
    assert told(visit) == ("one\ntwo\n", "", 0)


def test_a_visit_ends_with_its_task(local: LocalWorld, visits: Visits, tmp_path: Path) -> None:
    """Nothing of a task outlives it."""
    start(local, tmp_path)
    visit = visits.of(visits.begin(task_id(), ("/bin/sh", "-c", "echo in; exec sleep 300"), None))
    assert visit is not None
    while not visit.frames():
        pass  # each looks for a second at most
    local.release(task_id())
    local.ended(task_id())
    assert told(visit)[2] == 137


def test_what_does_not_run_cannot_be_visited(local: LocalWorld, visits: Visits, tmp_path: Path) -> None:
    """There is no environment to be in; the refusal says so."""
    with pytest.raises(NoVisit, match="does not run"):
        visits.begin(task_id(), ("true",), None)
    start(local, tmp_path)
    assert run(visits, "exec no-such-program")[2] == 127
