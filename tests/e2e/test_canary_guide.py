"""Every command of the guide about canaries is typed, in its order, and does what the guide promises."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import traffic_stack
from one_user import User, until

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/canary.md"


def test_the_guide_works_as_it_is_written(user: User) -> None:
    """A good change reaches everybody without a failed request; a bad one is taken back, and few meet it."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    shutil.copytree(ROOT / "examples/canary", user.folder / "examples/canary")
    (user.folder / "weyr").write_text(f'#!/bin/sh\nexec {sys.executable} -m weyr.cli.main "$@"\n')
    (user.folder / "weyr").chmod(0o755)
    (user.folder / "python").symlink_to(sys.executable)
    surroundings = user.environment(PATH=f"{user.folder}:/usr/bin:/bin")
    asked: list[str] = []
    shares: list[str] = []

    for command in (line for block in blocks for line in block.split("\n") if line):
        if command.startswith("weyr down"):
            # The guide's stack is up and its last words are said: what else a user does with one is tried on it.
            traffic_stack.tried(user)
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=user.folder, env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if "ask.py" in command:
            asked.append(done.stdout)
            told = "rollout.completed" if len(asked) == 1 else "rollout.aborted"
            until(lambda told=told: user.events(told), told)  # type: ignore[misc]
        if command.startswith("weyr describe"):
            assert "was taken back at 10% of the requests" in done.stdout, done.stdout
            shares = [event["message"].split(" gets ")[1] for event in user.events("rollout.step")]

    assert "500" not in asked[0], asked[0]
    met, answers = (sum(map(int, re.findall(rf"(\d+) {text}", asked[1]))) for text in ("500", "200 hi"))
    assert 0 < met * 10 < answers, asked[1]
    assert shares == [f"{share} of the requests" for share in ("10%", "50%", "100%", "10%")]
    assert user.remains() == []
