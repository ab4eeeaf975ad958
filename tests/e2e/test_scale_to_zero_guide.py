"""Every command of the guide about sleeping endpoints is typed, in its order, and says what the guide promises."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from one_user import User, until

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/scale-to-zero.md"


def test_the_guide_works_as_it_is_written(user: User) -> None:
    """A reader who types it wakes an endpoint, gets an answer, and sees it sleep again."""
    commands = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    shutil.copytree(ROOT / "examples/sleepy", user.folder / "examples/sleepy")
    (user.folder / "weyr").write_text(f'#!/bin/sh\nexec {sys.executable} -m weyr.cli.main "$@"\n')
    (user.folder / "weyr").chmod(0o755)
    surroundings = user.environment(PATH=f"{user.folder}:/usr/bin:/bin")

    def typed(block: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-ec", block], cwd=user.folder, env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    up, wake, after = commands
    assert "no replica until it is asked" in typed(up)
    began = time.monotonic()
    woken = json.loads(typed(wake))
    assert woken["runs_for_s"] < time.monotonic() - began, "it was begun for who asked"

    def process() -> int:
        status, answer = user.request("GET", "/sleepy/clock/", at=user.url("inference"))
        assert status == 200
        return int(json.loads(answer)["process"])

    # Two seconds after an answer it sleeps, which on a busy machine may be before the next question.
    until(lambda: process() == process(), "the same process to answer twice")
    until(lambda: user.row("endpoint/clock")["conditions"][0]["reason"] == "Asleep", "it to sleep again")
    assert "no replica until it is asked" in typed(after)
