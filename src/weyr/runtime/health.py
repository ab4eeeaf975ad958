"""Is the program beside me well? Runs a service's command, checks it, and answers its engine on $WEYR_SOCKET.

    python -m weyr.runtime.health (--http /healthz | --tcp | --exec COMMAND | --alive) ... -- COMMAND

An engine asks one HTTP question over a Unix socket whatever a service speaks, and never waits for a service that hangs.
Standard library only: it starts before the service does.
"""

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from weyr.runtime.ring import ring_beside

READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NOT_READY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
STARTING_EVERY_S = 0.01
STARTING_SHARE = 0.05
"""Until it is well for the first time it is looked at after a twentieth of the time that it has taken so far: what
starts in a second is seen at once, and what loads for minutes is not kept busy with questions."""


def main(words: list[str] | None = None) -> int:
    """Gives the program's own exit status; one that a signal ended ends us by the same signal."""
    options = _parser().parse_args(words)
    program = subprocess.Popen(options.command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: program.send_signal(number))
    pulse = Pulse(_check_of(options), options.after, options.every, options.failures)
    threading.Thread(target=pulse.keep, daemon=True).start()
    threading.Thread(target=_answer, args=(os.environ["WEYR_SOCKET"], pulse), daemon=True).start()
    status = program.wait()
    if status < 0:
        with suppress(OSError):  # SIGKILL has no handler to be taken off
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


class Pulse:
    """Whether the program is well: from its first good check on, until `failures` in a row were not."""

    def __init__(self, check: Callable[[], str], after_s: float, every_s: float, failures_max: int) -> None:
        self._check, self._after_s, self._every_s, self._failures_max = check, after_s, every_s, failures_max
        self._stopping = threading.Event()
        self._failures = 0
        self._was_well = False
        self.is_well = False

    def keep(self) -> None:
        """Checks for as long as the process lives. Tells of each change, with the reason."""
        began = time.monotonic()
        self._stopping.wait(self._after_s)
        while not self._stopping.is_set():
            before = self.is_well
            self.note(self._check())
            if self.is_well and not before:
                ring_beside()
            self._stopping.wait(self.pause_s(time.monotonic() - began))

    def pause_s(self, since_s: float) -> float:
        """How long until the next check, `since_s` after the start."""
        if self._was_well:
            return self._every_s
        return min(self._every_s, max(STARTING_EVERY_S, STARTING_SHARE * since_s))

    def note(self, problem: str) -> None:
        """Takes in the outcome of a check: what is wrong, "" where nothing is."""
        self._failures = self._failures + 1 if problem else 0
        if self.is_well and self._failures == self._failures_max:
            print(f"health: not well: {problem}", file=sys.stderr, flush=True)
        self._was_well = self._was_well or not problem
        self.is_well = not problem or (self.is_well and self._failures < self._failures_max)


def http_check(port: int, path: str, timeout_s: float) -> str:
    """What is wrong with a server that should answer GET `path` with a status below 400."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as e:
        return f"GET {path}: {str(e) or type(e).__name__}"
    finally:
        connection.close()
    return "" if status < 400 else f"GET {path} was answered with {status}"


def tcp_check(port: int, timeout_s: float) -> str:
    """What is wrong with a server that should take connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout_s).close()
    except OSError as e:
        return f"port {port} takes no connection: {e}"
    return ""


def exec_check(command: str, timeout_s: float) -> str:
    """What a command says is wrong, by its exit status."""
    try:
        done = subprocess.run(["/bin/sh", "-c", command], timeout=timeout_s, capture_output=True, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"the check did not end: {e}"
    said = (done.stderr or done.stdout).decode(errors="replace").strip()[-200:]
    return "" if done.returncode == 0 else f"the check ended with {done.returncode} {said}"


def _check_of(options: argparse.Namespace) -> Callable[[], str]:
    port = int(os.environ.get("PORT") or 0)
    if options.http:
        return lambda: http_check(port, options.http, options.timeout)
    if options.exec:
        return lambda: exec_check(options.exec, options.timeout)
    if options.tcp:
        return lambda: tcp_check(port, options.timeout)
    return lambda: ""


def _answer(path: str, pulse: Pulse) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(16)
        while True:
            asker, _ = door.accept()
            with asker:
                asker.settimeout(1.0)
                try:
                    asker.recv(4096)
                    asker.sendall(READY if pulse.is_well else NOT_READY)
                except OSError:
                    continue  # who asked has gone; the next may not have


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.runtime.health", description=__doc__.partition("\n")[0])
    kinds = parser.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--http", metavar="PATH", help="GET it at $PORT; a status below 400 is well")
    kinds.add_argument("--tcp", action="store_true", help="connect to $PORT")
    kinds.add_argument("--exec", metavar="COMMAND", help="run it; exit status 0 is well")
    kinds.add_argument("--alive", action="store_true", help="it is well while it runs")
    parser.add_argument("--after", type=float, default=0.0, help="seconds before the first check")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between checks")
    parser.add_argument("--timeout", type=float, default=1.0, help="seconds a check may take")
    parser.add_argument("--failures", type=int, default=3, help="failed checks in a row before it is not well")
    parser.add_argument("command", nargs="+")
    return parser


if __name__ == "__main__":
    sys.exit(main())
