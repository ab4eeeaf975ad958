"""What did bubblewrap report of a sandbox? Standard library only: the wrappers import this."""

import json
import os
from typing import NamedTuple

STATUS = "sandbox.json"
"""In the task's folder: a JSON object on each line."""
STATUS_FD = 9
SIGNALLED = 128


class Status(NamedTuple):
    """`init` is the sandbox's first process, 0 where there is none yet. `has_begun`: the program itself ran."""

    init: int = 0
    has_begun: bool = False


def status_of(folder: str) -> Status:
    """What is known of the sandbox of the task in this folder."""
    found: dict[str, object] = {}
    try:
        with open(os.path.join(folder, STATUS), "rb") as file:
            for line in file:
                found |= json.loads(line)
    except (OSError, ValueError):
        pass  # not there, or not whole, yet
    init = found.get("child-pid", 0)
    return Status(init if isinstance(init, int) else 0, "exit-code" in found)
