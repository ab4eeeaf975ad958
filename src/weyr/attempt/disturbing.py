"""How is a task made slow, or cut off, for a while? By a process that stops it, or its line, and lets it go on again.

    python -m weyr.attempt.disturbing slow PID SHARE SECONDS     # it runs only so much of the time
    python -m weyr.attempt.disturbing cut PID SECONDS            # this process, which carries for it, does nothing

It outlives whoever asked for it, so that nothing stays stopped because a server ended. Standard library only.
"""

import os
import select
import signal
import sys
import time

from weyr.attempt import processes

CYCLE_S = 0.1
SHARE_MIN = 0.02


def slow(pid: int, share: float, seconds: float) -> None:
    """Lets a process and all below it run for `share` of each cycle."""
    begun, share = processes.start_ticks(pid), min(1.0, max(SHARE_MIN, share))
    until = time.monotonic() + seconds
    task = os.pidfd_open(pid)
    try:
        while time.monotonic() < until and processes.start_ticks(pid) == begun:
            processes.signal_all(_all(pid), signal.SIGSTOP)
            if _ends_within(task, CYCLE_S * (1 - share)):
                return
            processes.signal_all(_all(pid), signal.SIGCONT)
            if _ends_within(task, CYCLE_S * share):
                return
    finally:
        if processes.start_ticks(pid) == begun:
            processes.signal_all(_all(pid), signal.SIGCONT)


def cut(pid: int, seconds: float) -> None:
    """Stops a process for so long: what it carries is not lost, and does not come."""
    line = os.pidfd_open(pid)
    signal.pidfd_send_signal(line, signal.SIGSTOP)
    try:
        _ends_within(line, seconds)
    finally:
        signal.pidfd_send_signal(line, signal.SIGCONT)


def _all(pid: int) -> list[int]:
    return [pid, *processes.descendants(pid)]


def _ends_within(process: int, seconds: float) -> bool:
    return bool(select.select([process], [], [], seconds)[0])


def main(argv: list[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    match argv:
        case ["slow", pid, share, seconds]:
            slow(int(pid), float(share), float(seconds))
        case ["cut", pid, seconds]:
            cut(int(pid), float(seconds))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ProcessLookupError:
        sys.exit(0)  # it ended first
