"""A development session: entered, watched, and ended when nobody works in it any more."""

import subprocess
import sys
import time

from one_user import User, until

STACK = """\
stack: study
devs:
  shell: {idle_after: 6s}
  page: {run: python -m http.server $PORT --bind 127.0.0.1, idle_after: 1h}
"""


def test_a_session_lives_while_somebody_works_and_no_longer(user: User) -> None:
    """A process that computes keeps it; silence ends it, with its files left; weyr up begins another."""
    user.write(STACK)
    user.weyr("up", "--yes", "--detach")
    user.until_phase("dev/shell", "ready")
    work = "import os, sys\nwhile not os.path.exists(sys.argv[1]): pass\nopen(sys.argv[2], 'w')"
    stop, kept = user.folder / "stop", user.folder / "kept"

    # Somebody works in it: a process with its environment, as one that was entered by a terminal has.
    inside = user.environment(WEYR_TASK_ID="study:dev/shell#1")
    with subprocess.Popen([sys.executable, "-c", work, str(stop), str(kept)], env=inside):
        began = time.monotonic()
        user.until_phase("dev/page", "ready")
        assert user.weyr("dev", "shell").out == "weyr exec study:dev/shell\n"
        assert user.weyr("exec", "study:dev/shell", "--", "printenv", "WEYR_JOB").out.strip() == "shell"
        page = user.asked("dev", "page")["sessions"][0]["url"]
        assert subprocess.run(["curl", "-sf", page], capture_output=True, check=True).stdout
        until(lambda: time.monotonic() - began > 7, "longer than it may be idle to pass")
        assert user.row("dev/shell")["phase"] == "ready", "it was not idle"
        stop.touch()
    user.until_phase("dev/shell", "done")

    assert "nothing happened for 6 s" in user.weyr("logs", "dev/shell").out
    assert kept.exists()
    user.up()
    assert user.row("dev/shell")["phase"] == "ready"
    assert [thing["part"] for thing in user.row("dev/shell")["things"]] == ["2"]
    user.weyr("down", "--yes")
    assert user.remains() == []
