"""The same with nothing faked: the real server, planes and a real task."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from cli_shell import PAUSE, Shell

from weyr.cli.place import PROCESSES, running

STACK = """stack: real
buckets:
  lake: {}
jobs:
  hello:
    run: echo hello from $WEYR_STACK; sleep 4; echo bye
"""


def test_a_stack_comes_up_survives_the_servers_death_and_goes_without_a_trace(shell: Shell) -> None:
    """The main job: up, kill -9 of the server while it is followed, the job's end, down, down again, and the bill."""
    (shell.folder / "weyr.yaml").write_text(STACK)
    try:
        told = _up_with_the_server_killed(shell)
        assert "went away. Starting it again" in told
        assert "job/hello  done" in told

        assert "hello from real" in shell.weyr("logs", "job/hello").out
        assert "nothing to change" in shell.weyr("plan").out.lower() or shell.weyr("plan", "--exit-code").status == 0

        down = shell.weyr("down", "--yes")
        assert down.status == 0, down.err
        assert "real is gone. It cost" in down.out
        assert [name for name in PROCESSES if running(shell.home, name)] == []
        assert shell.weyr("down").status == 0

        cost = shell.weyr("cost", "--by", "stack")
        assert cost.status == 0, cost.err
        assert "real" in cost.out
    finally:
        _end_what_is_left(shell.home)


def test_reads_start_nothing(shell: Shell) -> None:
    """To look at the bill, no server has to run, and none is left running afterwards."""
    for words in (["get"], ["plan"], ["cost"], ["down"]):
        said = shell.weyr(*words)
        assert said.status == 0, (words, said.err)

    assert [name for name in PROCESSES if running(shell.home, name)] == []


def test_a_broken_file_leaves_no_server_behind(shell: Shell) -> None:
    """`up` starts a server to plan; when the plan is refused there is nothing for it to do."""
    (shell.folder / "weyr.yaml").write_text("stack: real\njobs:\n  hello: {rum: echo}\n")

    said = shell.weyr("up", "--yes")

    assert said.status == 1
    assert 'Did you mean "run"?' in said.err
    assert [name for name in PROCESSES if running(shell.home, name)] == []


def _up_with_the_server_killed(shell: Shell) -> str:
    command = [sys.executable, "-m", "weyr.cli.main", "up", "--yes", "--timeout", "170s"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=shell.folder,
        env=shell.environment({}),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            server = running(shell.home)
            if "bucket/lake  ready" in line and server is not None:
                os.kill(server.pid, signal.SIGKILL)
                break
        lines += list(process.stderr)
    told = "".join(lines)
    assert process.returncode == 0, told
    return told


def _end_what_is_left(home: Path) -> None:
    """After a failure too, nothing of the test's may run on."""
    left = [process for name in PROCESSES if (process := running(home, name))]
    for process in left:
        os.kill(process.pid, signal.SIGTERM)
    for _ in range(3000):
        if not any(process.is_alive for process in left):
            return
        PAUSE.wait(0.02)
