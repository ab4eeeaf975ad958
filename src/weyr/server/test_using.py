"""What a look at running tasks finds: of real processes, and of devices as the driver tells of them."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from weyr.attempt import processes, task_folder
from weyr.attempt.nvml import Load
from weyr.core.capability import TaskBody
from weyr.core.ref import ThingId
from weyr.server.using import Running, Using

ID = ThingId.parse("s:service/web#1")
BUSY = "import sys; data = bytearray(64 << 20); print(flush=True)\nwhile True: pass"


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started
        started.kill()


def as_task(folder: Path, pid: int) -> Path:
    """A task's folder as its wrapper leaves it."""
    task = folder / quote(str(ID), safe="")
    task.mkdir()
    task_folder.write_json(str(task), task_folder.STATE, {"pid": pid, "starttime": processes.start_ticks(pid)})
    return folder


def test_what_a_program_really_uses_is_measured(program: subprocess.Popen[str], tmp_path: Path) -> None:
    """64 MiB and a busy processor; a second look counts what was used since the first."""
    using = Using(as_task(tmp_path, program.pid))
    task = Running(ID, TaskBody(("x",), "/", cpu=2.0, memory_bytes=2**30), time.time(), ())
    first_at = time.time()
    using.look([task], first_at)
    while processes.cpu_ticks(program.pid) < 50:
        assert program.poll() is None

    peaks = {peak.sku: peak for peak in using.look([task], max(first_at + 1, time.time()))}

    assert peaks["task.memory"].asked == 1000
    assert 62 <= peaks["task.memory"].peak <= 400, "64 MiB and an interpreter, in thousandths of a GiB"
    assert peaks["task.cpu"].asked == 2000
    assert 50 <= peaks["task.cpu"].peak <= 1100
    assert peaks["task.cpu"].busy_ms == peaks["task.cpu"].last_ms


def test_a_program_that_ended_is_not_measured(tmp_path: Path) -> None:
    """Its number may be somebody else's by now."""
    folder = as_task(tmp_path, 1)
    task_folder.write_json(str(folder / quote(str(ID), safe="")), task_folder.STATE, {"pid": 1, "starttime": -1})

    assert Using(folder).look([Running(ID, TaskBody(("x",), "/"), 0.0, ())], 10.0) == ()


@pytest.mark.parametrize(("busy", "is_busy"), [(0.9, True), (0.0, False)])
def test_a_device_is_busy_while_it_computes(tmp_path: Path, busy: float, is_busy: bool) -> None:
    """Of two devices the busier one counts: a task that uses one of them is not idle."""
    loads = [Load("GPU-1", "H100", 1, 1, 0, 0.0), Load("GPU-2", "H100", 1, 1, 0, busy), Load("GPU-3", "H100", 1, 1, 0)]
    using = Using(tmp_path, lambda: loads)

    (peak,) = using.look([Running(ID, TaskBody(("x",), "/"), 0.0, ("GPU-1", "GPU-2"))], 10.0)

    assert (peak.sku, peak.asked, peak.peak, bool(peak.busy_ms)) == ("device", 2000, round(1000 * busy), is_busy)
    assert using.look([Running(ID, TaskBody(("x",), "/"), 0.0, ("GPU-3",))], 10.0) == (), "it does not say"
