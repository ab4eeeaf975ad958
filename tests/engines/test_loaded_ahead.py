"""A host that was loaded before anybody asked for it is, to everybody else, as one that was not."""

import json
import os
import signal
from functools import partial
from pathlib import Path
from urllib.parse import quote

from engines import LocalWorld, facts_of, task_id
from onnx import TensorProto, helper

from weyr.attempt import ahead, processes
from weyr.attempt.task_folder import MARK
from weyr.core.capability import PYTHON, TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import EndReason

HOSTS, REPLICAS, PROGRAMS = "weyr.runtime.function", "weyr.runtime.serve", "weyr.runtime.health"
PROBE = "/v2/health/ready"
CODE = "import os, sys\nprint('loaded', os.getcwd(), sorted(os.environ), os.environ['MOOD'], flush=True)\n"


def ahead_of(local: LocalWorld) -> int:
    """The process that waits with the program loaded."""
    return next(iter(all_ahead(local)), 0)


def all_ahead(local: LocalWorld) -> list[int]:
    """Every process that waits with a program loaded."""
    launcher = local.launcher.pid()
    assert launcher
    return [pid for pid in processes.descendants(launcher) if "weyr.attempt.ahead" in _words(pid)]


def test_a_host_that_was_loaded_ahead_is_like_any_other(local: LocalWorld) -> None:
    """Its words, environment and folder are its task's, so its remains are found; it dies with its wrapper."""
    (local.home / "mood.py").write_text(CODE + "def main(event):\n    return event\n")
    local.launcher.expect(HOSTS, 1)
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
    local.launcher.expect(HOSTS, 1)
    local.until(task_id(), lambda _: ahead_of(local) > 0)
    waits, id = ahead_of(local), task_id()

    local.provider.ensure([Wanted(id, 1, TaskBody(("/bin/sh", "-c", "echo hello"), str(local.home)))])

    assert local.ended(id).end is not None
    assert ahead_of(local) == waits
    local.launcher.expect(HOSTS, 0)
    local.until(task_id(), lambda _: processes.start_ticks(waits) is None)


def test_a_model_server_that_was_loaded_ahead_serves(local: LocalWorld) -> None:
    """It is the very process that waited, with as many threads as its task has CPUs. One that was killed while it
    waited costs its task a slower start and no failure."""
    source = _onnx_model(local.home / "model")
    argv = (PYTHON, "-I", "-m", "weyr.runtime.serve", "--source", source, "--name", "m", "--version", "1")
    body = TaskBody(argv, str(local.home), cpu=2, memory_bytes=2**30, probe=PROBE)
    local.launcher.expect(REPLICAS, 1)
    pids: list[tuple[int, int]] = []
    for is_killed in (True, False):
        local.until(task_id(), lambda _: ahead_of(local) > 0)
        waits, id = ahead_of(local), task_id(str(len(pids) + 1))
        if is_killed:
            os.kill(waits, signal.SIGKILL)
            local.until(task_id(), partial(_is_dead, waits))
        local.provider.ensure([Wanted(id, 1, body)])
        local.until(id, lambda seen: getattr(getattr(seen, "facts", None), "is_ready", False))
        assert "model m version 1 is ready" in b"".join(local.provider.logs(id)).decode()
        pids.append((waits, _pid(local, id)))
        local.until(task_id(), partial(_another_waits, local, waits))

    assert [waited == runs for waited, runs in pids] == [False, True]
    local.launcher.expect(REPLICAS, 0)


def test_two_that_are_asked_for_at_once_were_both_loaded(local: LocalWorld) -> None:
    """Whoever wakes within seconds of another waits no longer: what watches over a program is there for each."""
    local.launcher.expect(PROGRAMS, 2)
    local.until(task_id(), lambda _: len(all_ahead(local)) == 2)
    waiting = all_ahead(local)
    argv = (PYTHON, "-I", "-m", PROGRAMS, "--alive", "--", "sleep", "60")
    body = TaskBody(argv, str(local.home), probe="/")

    local.provider.ensure([Wanted(task_id(part), 1, body) for part in ("1", "2")])

    for part in ("1", "2"):
        local.until(task_id(part), lambda seen: getattr(getattr(seen, "facts", None), "is_ready", False))
    assert {_pid(local, task_id(part)) for part in ("1", "2")} == set(waiting)


def test_a_launcher_that_died_is_begun_again_with_what_it_kept(local: LocalWorld) -> None:
    """Else the first to wake after that would wait as if nothing were ever kept."""
    local.launcher.expect(PROGRAMS, 1)
    local.until(task_id(), lambda _: ahead_of(local) > 0)
    before = local.launcher.pid()
    assert before
    os.kill(before, signal.SIGKILL)
    local.until(task_id(), lambda _: local.launcher.pid() is None)

    after = local.launcher.kept()

    assert after not in (None, before)
    local.until(task_id(), lambda _: ahead_of(local) > 0)


def test_what_was_loaded_is_not_what_a_task_brings_itself() -> None:
    """With packages or variables of its own a replica would otherwise run on somebody else's."""
    argv = ["python", "-I", "-m", REPLICAS]

    for env, is_at_hand in (
        ({"OMP_NUM_THREADS": "2"}, True),
        ({"VIRTUAL_ENV": "/cache/environment"}, False),
        ({"OPENBLAS_NUM_THREADS": "4"}, False),
    ):
        assert ahead.is_at_hand(argv, env, "python", REPLICAS) is is_at_hand, env


def _is_dead(pid: int, _seen: object) -> bool:
    return not any(_words(pid))


def _another_waits(local: LocalWorld, before: int, _seen: object) -> bool:
    return ahead_of(local) not in (0, before)


def _onnx_model(folder: Path) -> str:
    """A model that doubles two numbers; gives where it is."""
    double = helper.make_node("Add", ["x", "x"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in ("x", "y")]
    graph = helper.make_graph([double], "double", ends[:1], ends[1:])
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return f"file://{folder}"


def _pid(local: LocalWorld, id: ThingId) -> int:
    state = json.loads((local.home / "tasks" / quote(str(id), safe="") / "state.json").read_text())
    return int(state["pid"])


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    except FileNotFoundError:
        return []
