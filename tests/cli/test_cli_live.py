"""On a terminal: a table that stays in place. Tried on a real pseudo-terminal."""

import os
import pty
import select
import subprocess
import sys
import time

import pytest
from cli_shell import Shell


def on_terminal(shell: Shell, words: list[str], typed: bytes = b"", columns: int = 100) -> tuple[int, str]:
    """Runs the command on a terminal of its own, types an answer once it is asked; gives status and screen."""
    leader, follower = pty.openpty()
    environment = shell.environment({"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"})
    process = subprocess.Popen(
        [sys.executable, "-m", "weyr.cli.main", *words], stdin=follower, stdout=follower, stderr=follower,
        cwd=shell.folder, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    screen, deadline = b"", time.monotonic() + 120
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                screen += os.read(leader, 65536)
            except OSError:
                break
        if typed and b"[y/N]" in screen:
            os.write(leader, typed)
            typed = b""
    os.close(leader)
    return process.wait(60), screen.decode("utf-8", "replace")


def test_the_table_shows_each_object_and_ends_with_the_summary(shell: Shell) -> None:
    """The user is asked, says yes, and sees every object come up in place."""
    shell.serve("--start-s", "0.2")

    status, screen = on_terminal(shell, ["up"], typed=b"y\n")

    assert status == 0, screen
    assert "Apply this plan? [y/N]" in screen
    assert "OBJECT" in screen
    assert "✓" in screen
    assert "job/train" in screen
    assert "\x1b[?25h" in screen, "the cursor is shown again"
    assert "endpoint/digits answers at" in screen


def test_no_is_an_answer_and_changes_nothing(shell: Shell) -> None:
    """Anything but yes means no."""
    shell.serve()

    status, screen = on_terminal(shell, ["up"], typed=b"\n")

    assert status == 1
    assert "Nothing was changed." in screen


def test_a_narrow_terminal_cuts_and_does_not_wrap(shell: Shell) -> None:
    """Forty columns are enough to see what stands."""
    shell.serve()
    assert shell.weyr("up", "--yes", "--detach").status == 0

    _, screen = on_terminal(shell, ["get", "--no-color"], columns=24)

    lines = [line.rstrip("\r") for line in screen.splitlines() if line.strip()]
    assert len(lines) == 5
    assert max(len(line) for line in lines) <= 24


def test_colour_follows_the_terminal_and_no_color(shell: Shell) -> None:
    """Colour on a terminal, none where NO_COLOR or --no-color asks so."""
    shell.serve()
    assert shell.weyr("up", "--yes", "--detach").status == 0

    assert "\x1b[32m" in on_terminal(shell, ["get"])[1]
    assert "\x1b[" not in on_terminal(shell, ["get", "--no-color"])[1]


def test_a_plan_breaks_between_words(shell: Shell) -> None:
    """What is to be agreed to must be readable on any terminal."""
    shell.serve()

    _, screen = on_terminal(shell, ["plan"], columns=24)

    assert all(len(line.rstrip("\r")) <= 24 for line in screen.splitlines())


@pytest.mark.parametrize("words", [["events", "--follow"], ["logs", "job/train", "--follow"]])
def test_following_says_that_the_server_died(shell: Shell, words: list[str]) -> None:
    """An end that looks like any other end makes people wait, or believe that all was told."""
    server = shell.serve()
    assert shell.weyr("up", "--yes", "--detach").status == 0
    command = [sys.executable, "-m", "weyr.cli.main", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=shell.environment({})
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline()
        server.kill()
        _, err = following.communicate(timeout=90)

    assert following.returncode == 1
    assert "server" in err
