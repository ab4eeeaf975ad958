"""A host that was loaded before anybody asked for it is, to everybody else, as one that was not."""

import json
from pathlib import Path
from urllib.parse import quote

from engines import LocalWorld, facts_of, task_id

from weyr.attempt import processes
from weyr.attempt.task_folder import MARK
from weyr.core.capability import PYTHON, TaskBody, Wanted
from weyr.core.seen import EndReason

HOSTS = "weyr.runtime.function"
CODE = "import os, sys\nprint('loaded', os.getcwd(), sorted(os.environ), os.environ['MOOD'], flush=True)\n"


def ahead_of(local: LocalWorld) -> int:
    """The process that waits with the program loaded."""
    launcher = local.launcher.pid()
    assert launcher
    found = [pid for pid in processes.descendants(launcher) if "weyr.attempt.ahead" in _words(pid)]
    return found[0] if found else 0


def test_a_host_that_was_loaded_ahead_is_like_any_other(local: LocalWorld) -> None:
    """Its words, environment and folder are its task's, so its remains are found; it dies with its wrapper."""
    (local.home / "mood.py").write_text(CODE + "def main(event):\n    return event\n")
    local.launcher.expect(HOSTS, True)
    local.until(task_id(), lambda _: ahead_of(local) > 0)
    waited, id = ahead_of(local), task_id()
    order = json.dumps({"handler": "mood:main", "concurrency": 1, "payload": 1000})
    argv = (PYTHON, "-I", "-m", "weyr.runtime.function", order)
    body = TaskBody(argv, str(local.home), {"MOOD": "good"}, probe="/")

    assert local.provider.ensure([Wanted(id, 1, body)]) == {}

    ready = local.until(id, lambda seen: getattr(getattr(seen, "facts", None), "is_ready", False))
    address = local.provider.address_of(id)
    assert facts_of(ready).address == address
    assert Path(address).exists()
    folder = local.home / "tasks" / quote(str(id), safe="")
    state = json.loads((folder / "state.json").read_text())
    assert state["pid"] == waited
    assert _words(waited)[:5] == [*_words(waited)[:1], "-I", "-m", "weyr.runtime.function", order]
    assert waited in processes.marked(f"{MARK}={folder}")
    log = b"".join(local.provider.logs(id)).decode()
    assert f"loaded {local.home} [" in log
    assert "'WEYR_TOKEN'" in log
    assert "WEYR_AHEAD" not in log
    assert "] good" in log

    local.lose(id)
    end = local.ended(id).end
    assert end is not None
    assert end.reason is EndReason.LOST
    assert processes.start_ticks(waited) is None


def test_a_task_without_that_program_begins_as_ever(local: LocalWorld) -> None:
    """Only a host takes the one that was loaded; nobody who expects no hosts any more pays for it."""
    local.launcher.expect(HOSTS, True)
    local.until(task_id(), lambda _: ahead_of(local) > 0)
    waits, id = ahead_of(local), task_id()

    local.provider.ensure([Wanted(id, 1, TaskBody(("/bin/sh", "-c", "echo hello"), str(local.home)))])

    assert local.ended(id).end is not None
    assert ahead_of(local) == waits
    local.launcher.expect(HOSTS, False)
    local.until(task_id(), lambda _: processes.start_ticks(waits) is None)


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    except FileNotFoundError:
        return []
