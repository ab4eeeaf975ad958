"""Is anybody still working here? Holds a development session open, and ends it once nothing has happened for long.

    python -m weyr.runtime.session --socket PATH --idle-after SECONDS [-- COMMAND ...]

Something happens while a process of the session uses a processor, a terminal of it is typed into or written to,
somebody is connected to $PORT, or a kernel of its Jupyter is at work, though it only waits. Standard library only.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.request import Request, urlopen

READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NOT_READY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
LOOKS = 10
"""How often it is looked in one stretch of idle time."""
BUSY_SHARE = 0.01
"""Less of one processor than this is what programs do that only wait."""
ESTABLISHED = "01"
KERNELS = "JUPYTER_RUNTIME_DIR"
ANSWER_S = 5.0
TICKS = os.sysconf("SC_CLK_TCK")


def main(words: list[str] | None = None) -> int:
    """Gives 0 at the end of an idle session, else the command's exit status."""
    options = _parser().parse_args(words)
    port = int(os.environ.get("PORT") or 0)
    program = subprocess.Popen(options.command, start_new_session=True) if options.command else None
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    if program is not None:
        threading.Thread(target=_tell_end, args=(program, stopped), daemon=True).start()
    threading.Thread(target=_answer, args=(options.socket, port if program else 0), daemon=True).start()
    activity = Activity(os.environ.get("WEYR_TASK_ID", ""), port)
    while not stopped.wait(options.idle_after / LOOKS):
        if activity.idle_s(time.monotonic()) >= options.idle_after:
            print(f"session: nothing happened for {options.idle_after:g} s; it ends", flush=True)
            break
    if program is None:
        return 0
    if program.poll() is None:
        program.terminate()
        return 0 if program.wait() < 0 else program.returncode
    return program.returncode


def _tell_end(program: "subprocess.Popen[bytes]", stopped: threading.Event) -> None:
    program.wait()
    stopped.set()


class Activity:
    """What has happened in the session of one task, look by look. `port` 0: it has none."""

    def __init__(self, task: str, port: int) -> None:
        self._mark, self._port = f"WEYR_TASK_ID={task}".encode(), port
        self._cpu_s: float | None = None
        self._looked_at = self._active_at = time.monotonic()
        self._typed_at = 0.0

    def idle_s(self, now: float) -> float:
        """How long nothing has happened by now."""
        pids = self._pids()
        cpu_s, typed_at = sum(map(cpu_of, pids)), max(map(typed_of, pids), default=0.0)
        used = 0.0 if self._cpu_s is None else (cpu_s - self._cpu_s) / max(now - self._looked_at, 0.001)
        is_used = used > BUSY_SHARE or typed_at > self._typed_at or (self._port and is_connected(self._port))
        if is_used or has_busy_kernel(os.environ.get(KERNELS, "")):
            self._active_at = now
        self._cpu_s, self._looked_at, self._typed_at = cpu_s, now, max(typed_at, self._typed_at)
        return now - self._active_at

    def _pids(self) -> list[int]:
        """The session's processes, whoever started them; not this one."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                try:
                    environ = Path(f"/proc/{name}/environ").read_bytes()
                except OSError:
                    continue
                if self._mark in environ.split(b"\0"):
                    found.append(int(name))
        return found


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process and the children it waited for have used; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / TICKS


def typed_of(pid: int) -> float:
    """When a process's terminal was used last, in Unix seconds; 0 where it has none."""
    try:
        terminal = os.readlink(f"/proc/{pid}/fd/0")
        return os.stat(terminal).st_mtime if terminal.startswith("/dev/pts/") else 0.0
    except OSError:
        return 0.0


def is_connected(port: int) -> bool:
    """Whether anybody is connected to a port of ours."""
    try:
        lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return False
    ends = [line.split()[1:4:2] for line in lines]
    return any(state == ESTABLISHED and int(local.rpartition(":")[2], 16) == port for local, state in ends)


def has_busy_kernel(folder: str) -> bool:
    """Whether a Jupyter that says in this folder where it is has a kernel that has not ended what it was given."""
    for path in Path(folder).glob("jpserver-*.json") if folder else ():
        try:
            server = json.loads(path.read_text())
            # Being asked is otherwise activity to it, and it would never end by itself.
            url = f"{server['url']}api/kernels?no_track_activity=1"
            asked = Request(url, headers={"Authorization": f"token {server['token']}"})
            with urlopen(asked, timeout=ANSWER_S) as answer:
                if any(kernel.get("execution_state") == "busy" for kernel in json.load(answer)):
                    return True
        except (OSError, ValueError, KeyError):
            continue  # it is starting, or ending
    return False


def _answer(path: str, port: int) -> None:
    """Tells the engine whether the session can be used: at once, or once its command listens."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(16)
        while True:
            asker, _ = door.accept()
            with asker:
                asker.settimeout(1.0)
                try:
                    asker.recv(4096)
                    asker.sendall(READY if not port or _listens(port) else NOT_READY)
                except OSError:
                    continue  # who asked has gone; the next may not have


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.runtime.session", description=__doc__.partition("\n")[0])
    parser.add_argument("--socket", required=True, help="where the engine asks")
    parser.add_argument("--idle-after", type=float, required=True, help="seconds without anything happening")
    parser.add_argument("command", nargs="*", help="what the session runs; nothing: it is there to be entered")
    return parser


if __name__ == "__main__":
    sys.exit(main())
