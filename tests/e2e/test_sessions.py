"""A development session: entered, watched, and ended when nobody works in it any more."""

import subprocess
import sys
from pathlib import Path

from one_user import User, until

STACK = """\
stack: study
devs:
  shell: {idle_after: 4s}
  page: {run: python -m http.server $PORT --bind 127.0.0.1, idle_after: 1h}
"""


def test_a_session_lives_while_somebody_works_and_no_longer(user: User) -> None:
    """A process that computes keeps it; silence ends it, with its files left; weyr up begins another."""
    user.up(STACK)
    work = "import sys, time; end = time.monotonic() + 6\nwhile time.monotonic() < end: pass\nopen(sys.argv[1], 'w')"

    # Somebody works in it: a process with its environment, as one that was entered by a terminal has.
    inside = user.environment(WEYR_TASK_ID="study:dev/shell#1")
    with subprocess.Popen([sys.executable, "-c", work, str(user.folder / "kept")], env=inside):
        told = user.asked("dev")["sessions"]
        assert {each["ref"]: each["phase"] for each in told} == {"dev/page": "ready", "dev/shell": "ready"}
        page = user.asked("dev", "page")["sessions"][0]["url"]
        assert subprocess.run(["curl", "-sf", page], capture_output=True, check=True).stdout
        until(lambda: Path(user.folder, "kept").exists(), "the work to be done")
        assert user.row("dev/shell")["phase"] == "ready", "it was not idle"
    user.until_phase("dev/shell", "done")

    assert "nothing happened for 4 s" in user.weyr("logs", "dev/shell").out
    assert Path(user.folder, "kept").exists()
    user.up()
    assert user.row("dev/shell")["phase"] == "ready"
    assert [thing["part"] for thing in user.row("dev/shell")["things"]] == ["2"]
    user.weyr("down", "--yes")
    assert user.remains() == []
