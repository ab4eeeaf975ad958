"""Who hears that a container should end? Tried with commands that answer as an engine does."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from weyr.attempt import container


@pytest.fixture
def command() -> Iterator[subprocess.Popen[bytes]]:
    """What stands for the engine's `run`: a process group of its own, which ends at SIGTERM."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def ask(words: list[str], group: int) -> None:
    """Returns once whoever was sent has ended: of all our children that one, and none that another test began."""
    before = children()
    container.ask_to_end({"engine": words, "name": "weyr-1"}, os.environ, group)
    (sent,) = children() - before
    os.waitpid(sent, 0)


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_a_container_that_runs_is_told_by_its_engine_alone(command: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """A signal to the engine's `run` too could end that first, and the container with it, unsaved."""
    ask(["sh", "-c", f'echo "$@" > {tmp_path}/said', "engine"], command.pid)
    assert (tmp_path / "said").read_text() == "kill --signal TERM weyr-1\n"
    assert command.poll() is None


def test_a_container_that_does_not_run_yet_is_not_begun(command: subprocess.Popen[bytes]) -> None:
    """Who stops a task while its image is pulled does not wait out its grace."""
    container.ask_to_end({"engine": ["false"], "name": "weyr-1"}, os.environ, command.pid)
    assert command.wait(timeout=60) == -signal.SIGTERM


def test_without_a_container_the_program_hears_it(command: subprocess.Popen[bytes]) -> None:
    """Most tasks have none."""
    container.ask_to_end({}, os.environ, command.pid)
    assert command.wait(timeout=60) == -signal.SIGTERM


def test_a_container_that_ends_while_it_is_removed_is_removed(tmp_path: Path) -> None:
    """podman says once that it cannot; the task's end would be taken for a lost one."""
    engine = ["sh", "-c", f"test -e {tmp_path}/asked || {{ touch {tmp_path}/asked; exit 2; }}"]
    container.remove({"engine": engine, "name": "weyr-1", "is_podman": True}, os.environ)


def test_a_container_that_stays_is_not_taken_for_a_removed_one() -> None:
    """A second attempt must not run beside the first."""
    engine = ["sh", "-c", "echo busy >&2; exit 2"]
    with pytest.raises(OSError, match="could not be removed: busy"):
        container.remove({"engine": engine, "name": "weyr-1", "is_podman": True}, os.environ)
