"""How does one attempt run where no launcher is? By `python -m weyr.attempt ORDER`, on any machine that has Weyr.

ORDER is a file that holds the order (`weyr.attempt.task_folder.Order`) as JSON; it is removed once it is read, for it
holds secrets. `-` stands for the first line of the input. Each further byte of the input renews the lease. The
attempt's folder is made where there is none; its log, state and end lie in it, the end durably before this one ends.

Exit code 0: its end is recorded. 75: an attempt of this name began here before, and it is not begun again.
It ends with its parent: told by SIGTERM, it stops what it runs within its grace, and records that.
"""

import contextlib
import json
import os
import signal
import sys

from weyr.attempt import limits, processes, requirements, sandbox, standby, task_folder
from weyr.attempt.task_folder import Order

BEGUN_BEFORE = 75
ENVIRONMENTS = "~/.cache/weyr/environments"
"""Where Python environments lie on machines that have no data folder."""


def main(argv: list[str]) -> int:
    processes.die_with_parent(os.getppid(), signal.SIGTERM)
    order = _order(argv[0])
    folder = order["folder"]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if order["agent"]:
        os.makedirs(os.path.join(folder, task_folder.CHECKPOINTS), mode=0o700, exist_ok=True)
    order["env"] = {"HOME": os.path.expanduser("~")} | order["env"]
    order = requirements.needed(order, os.path.expanduser(ENVIRONMENTS), sys.executable, os.environ)
    trees = limits.hierarchies()
    groups = limits.group_folders(order["group"], trees)
    lock = task_folder.lock(folder)
    if lock is None or not task_folder.begin(folder, {"boot": processes.boot_id(), "groups": groups}):
        print(f"{order['id']} began here before", file=sys.stderr)
        return BEGUN_BEFORE
    try:
        order = sandbox.confined_there(order, [os.path.dirname(folder)], order["devices"])
    except sandbox.NoSandbox as e:
        task_folder.refuse(folder, str(e))
        return 0
    os.set_blocking(0, False)
    standby.main(trees, lambda: (order, lock), renewals=0)
    return 0


def _order(place: str) -> Order:
    """Read to the end of its line and no further: what comes after it are renewals. Raises: OSError, ValueError."""
    if place != "-":
        with open(place) as file:
            order: Order = json.load(file)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place)
        return order
    text = bytearray()
    while not text.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise ValueError("there is no order on the input")
        text += byte
    whole: Order = json.loads(text)
    return whole


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
