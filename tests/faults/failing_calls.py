"""Makes the n-th system call of a sort fail in a process that runs: strace attaches, injects the error, and goes."""

import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ATTACH_S = 60.0
_PAUSE = threading.Event()

DISK_CALLS = ("pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "link", "mkdir", "unlink")
"""What a full or broken disk can refuse and a socket never sees. `write` is left to really full disks:
here it could not be told from a wake-up of an event loop, which never fails."""


@dataclass
class Injected:
    """What was injected, known once the block has ended."""

    calls: list[str] = field(default_factory=list)


@contextmanager
def failing(pids: Sequence[int], log: Path, call: str, error: str, when: str) -> Iterator[Injected]:
    """Every thread of these, and of what they fork, meets `error` at its `when`-th `call`, as strace counts."""
    injected = Injected()
    with attached(pids, log, f"trace={call}", f"inject={call}:error={error}:when={when}"):
        yield injected
    text = log.read_text(errors="replace")
    injected.calls += [line for line in text.splitlines() if line.endswith("(INJECTED)")]


@contextmanager
def attached(pids: Sequence[int], log: Path, *expressions: str) -> Iterator[None]:
    """strace on running processes and all their threads, from here to the end of the block."""
    words = [word for expression in expressions for word in ("-e", expression)]
    targets = [word for pid in pids for word in ("-p", str(pid))]
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", *targets, "-o", str(log), *words], stderr=subprocess.PIPE, text=True
    )
    try:
        _until_traced(pids, tracer)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=ATTACH_S)


def _until_traced(pids: Sequence[int], tracer: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + ATTACH_S
    threads: Sequence[Path] = ()
    while not threads or not all(_is_traced(thread) for thread in threads):
        assert tracer.poll() is None, f"strace ended: {tracer.communicate()[1]}"
        assert time.monotonic() < deadline, "strace did not attach in time"
        _PAUSE.wait(0.002)
        threads = [thread for pid in pids for thread in Path("/proc").glob(f"{pid}/task/*")]


def _is_traced(thread: Path) -> bool:
    try:
        found = re.search(r"^TracerPid:\t(\d+)$", (thread / "status").read_text(), re.MULTILINE)
    except OSError:
        return True  # a thread that has ended meets no error
    return bool(found) and found[1] != "0" if found else False
