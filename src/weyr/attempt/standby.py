"""What does a wrapper's process do before it has a task? All that it can, so that a task starts at once.

Standard library only: the launcher imports this.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable

from weyr.attempt import processes, task_folder
from weyr.attempt.limits import Hierarchy, Limits
from weyr.attempt.logs import TaskLog
from weyr.attempt.spawn import recruited
from weyr.attempt.task_folder import Order
from weyr.attempt.verdict import Told, told_to_end
from weyr.attempt.wrapper import Wrapper


def rehearse() -> None:
    """Does what a wrapper does first, without effect: its pages are then copied before anybody waits."""
    nowhere = "/proc/self/nowhere"
    TaskLog(nowhere, ["rehearsal"]).write(b"rehearsal\n")
    Limits("000000", 1e9, None, {})
    processes.start_ticks(os.getpid())
    task_folder.read_json(nowhere, task_folder.STOP)
    with contextlib.suppress(OSError):
        task_folder.write_json(nowhere, task_folder.STATE, json.loads(json.dumps({"started_at": time.time()})))


def main(
    trees: dict[str, Hierarchy],
    receive: Callable[[], tuple[Order, int] | None],
    renewals: int = -1,
    told: Told = told_to_end,
    loaded: tuple[str, str] | None = None,
) -> None:
    """The wrapper process, right after the launcher's fork. What can be done before its order is, is.

    `receive` waits for the order and the task's lock, which is held until this process is gone; None ends it. `told`
    says, as an end's reason and detail, on whose behalf it was sent a SIGTERM. `loaded`: see `Recruit`.
    """
    if os.getpgrp() != os.getpid():
        os.setsid()  # whom srun or a terminal started leads a group already, and may not leave it
    os.chdir("/")
    processes.adopt_orphans()
    output, write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(output, False)
    recruit = recruited(write, loaded)
    received = receive()
    if received is None:
        return
    order, lock = received
    assert fcntl.fcntl(lock, fcntl.F_GETFD) & fcntl.FD_CLOEXEC, "the task must not inherit its own lock"
    wrapper = Wrapper(order, trees, recruit, output, renewals)
    wrapper.told = told
    wrapper.run()
