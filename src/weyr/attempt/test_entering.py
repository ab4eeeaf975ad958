"""Who comes to a task while its sandbox is still being made?"""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from weyr.attempt.entering import standing
from weyr.attempt.sandbox_status import STATUS


@contextmanager
def half_made(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A sandbox's first process, which begins a program once it is told to."""
    command = ["/bin/sh", "-c", "read go; sleep 300 & wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as init:
        (folder / STATUS).write_text(f'{{"child-pid": {init.pid}}}\n')
        try:
            yield init
        finally:
            os.killpg(init.pid, signal.SIGKILL)


def test_a_visitor_waits_until_a_program_runs_in_the_sandbox(tmp_path: Path) -> None:
    """Before that its files are still the machine's, or those of half a sandbox: nobody may get there."""
    task = os.pidfd_open(os.getpid())
    with half_made(tmp_path) as init, ThreadPoolExecutor(1) as pool:
        found = pool.submit(standing, str(tmp_path), task)
        assert not wait([found], 0.1).done
        assert init.stdin is not None
        init.stdin.write(b"\n")
        init.stdin.flush()
        assert found.result(60) == init.pid
    os.close(task)


def test_a_task_that_ends_meanwhile_is_not_waited_for(tmp_path: Path) -> None:
    """The visitor is told so, and is in no other sandbox, and in none."""
    with subprocess.Popen(["/bin/true"]) as gone:
        task = os.pidfd_open(gone.pid)
        with pytest.raises(ProcessLookupError, match="has ended"):
            standing(str(tmp_path), task)
    os.close(task)
