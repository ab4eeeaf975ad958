"""Every command of the guide about functions is typed, in its order, and says what the guide promises."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from one_user import User, until

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guides/a-function-on-every-upload.md"


def test_the_guide_works_as_it_is_written(user: User) -> None:
    """A reader who types it has a small picture, a dead letter, and nothing left in the end."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    commands = [line for block in blocks for line in block.split("\n")]
    shutil.copytree(ROOT / "examples/uploads", user.folder / "examples/uploads")
    (user.folder / "weyr").write_text(f'#!/bin/sh\nexec {sys.executable} -m weyr.cli.main "$@"\n')
    (user.folder / "weyr").chmod(0o755)
    surroundings = user.environment(PATH=f"{user.folder}:/usr/bin:/bin")

    def typed(command: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=user.folder, env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or command.startswith("weyr ls"), f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def until_it_says(command: str, words: str) -> None:
        until(lambda: re.search(words, typed(command)), f"{command} to say {words}")

    for command in filter(None, commands):
        if command == "weyr ls thumbs:":
            until(lambda: "flower.ppm" in typed("weyr ls thumbs:"), "the small picture")
        elif command == "weyr logs function/thumb":
            until_it_says(command, r"\[[0-9a-f]{32}\] in/flower.ppm: 12301 bytes became 3085")
        elif command == "weyr logs function/failed":
            until(lambda: user.row("function/thumb")["outputs"].get("dead") == 1, "the broken one to be dead")
            until(lambda: user.row("function/failed")["outputs"].get("invocations") == 1, "the letter to be read")
            until_it_says(command, "uploads/thumb gave up after 3 attempts: ValueError: this is no binary PPM")
        elif command.endswith("--dead"):
            assert "broken.ppm" in typed(command)
        elif command.startswith("weyr describe"):
            assert "cold_starts: " in typed(command)
        else:
            typed(command)
    assert user.remains() == []
