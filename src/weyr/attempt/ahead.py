"""How does a program of ours begin at once? Its process is made before anybody asks, and has loaded it by then.

    python -I -m weyr.attempt.ahead ORDER_FD REPORT_FD MODULE

A `weyr.attempt.spawn.Recruit` that is a Python with MODULE loaded. Told to become `python -I -m MODULE ...` it calls
the module's `main`; told to become anything else it executes that. Either way its process looks, to whoever lists
processes, as if it had been started as what it became: what is left of a dead task is found by its environment.
"""

import contextlib
import gc
import importlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weyr.attempt import spawn
from weyr.attempt.task_folder import MARK

SETTLED_AT_START = ("LD_", "LC_", "GLIBC_", "MALLOC_", "LANGUAGE", "OPENBLAS_", "MKL_", "OMP_", "KMP_", "GOMP_")
"""Variables that a process or its libraries read as they begin, and never again."""
SERVER = "weyr.runtime.serve"
THREADS = "OMP_NUM_THREADS"
"""The one of those that every task has: it is told to the libraries again."""


def is_at_hand(argv: Sequence[str], env: Mapping[str, str], python: str, module: str) -> bool:
    """Whether a process with this module loaded can become this without an exec."""
    is_ours = list(argv[:4]) == [python, "-I", "-m", module]
    return (
        is_ours
        and env.get("LANG", spawn.LANG) == spawn.LANG
        and not any(name.startswith(SETTLED_AT_START) and name != THREADS for name in env)
        # What is installed in an environment of the task's own goes before what was loaded.
        and not (module == SERVER and "VIRTUAL_ENV" in env)
    )


def at_hand(argv: Sequence[str], env: Mapping[str, str], python: str, modules: Sequence[str]) -> str:
    """Which of these modules a process may have loaded to become this without an exec, "" for none."""
    return next((module for module in modules if is_at_hand(argv, env, python, module)), "")


def main(argv: Sequence[str]) -> int:
    """Waits for what to become. Gives its exit status."""
    order, report, module = int(argv[0]), socket.socket(fileno=int(argv[1])), argv[2]
    for fd in (order, report.fileno()):
        os.set_inheritable(fd, False)
    program: Any = importlib.import_module(module)
    if hasattr(program, "__path__"):
        program = importlib.import_module(f"{module}.__main__")
    for name in getattr(program, "AHEAD", ()):
        with contextlib.suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(name)
    if hasattr(program, "rehearse"):
        program.rehearse()
    gc.collect()
    gc.freeze()  # nothing of it goes away, so no collector need look at it again
    with report:
        text = spawn.read_all(order)
        os.close(order)
        if not text:
            return 0  # not needed after all
        command: spawn.Command = json.loads(text)
        run = spawn.undertaken(command, report, lambda: _become(command, program.main, module))
    # The report is closed: whoever asked knows that it has begun.
    return run() if run else 127


def _become(command: spawn.Command, run: Callable[[], int], module: str) -> Callable[[], int]:
    """Takes on words and environment. Raises: OSError, where it executes the words and that is impossible."""
    words, env = command["argv"], command["env"]
    try:
        if is_at_hand(words, env, sys.executable, module) and _may_have_threads(env.get(THREADS, "1")):
            _look_like(words, f"{MARK}={env[MARK]}")
            os.environ.clear()
            os.environ.update(env)
            time.tzset()
            sys.argv[1:] = words[4:]
            return run
    except (OSError, KeyError, ValueError):
        pass  # a kernel that does not let a process write its own memory: begin it anew
    spawn.execute(words, env)
    raise AssertionError("an exec does not return")


def _may_have_threads(count: str) -> bool:
    """Lets the libraries that were loaded have as many threads as the task may have; False where nobody can.

    They were loaded with one, for they ask once only.
    """
    if count == "1" or "numpy" not in sys.modules:
        return True
    try:
        threadpoolctl: Any = importlib.import_module("threadpoolctl")
        threadpoolctl.threadpool_limits(int(count))
    except (ImportError, ValueError):
        return False
    return True


def _look_like(words: Sequence[str], mark: str) -> None:
    """Writes them where the kernel reads the words and the environment of this process. Raises: OSError, ValueError."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    # Fields 48 to 51 of proc(5); the first one here is the third.
    arg_start, arg_end, env_start, env_end = map(int, fields[45:49])
    places = ((arg_start, arg_end, "\0".join(words)), (env_start, env_end, mark))
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        for start, end, text in places:
            room = end - start - 1
            if room < len(mark) + 1:
                raise ValueError("there is no room for them")
            memory.seek(start)
            memory.write(text.encode()[:room].ljust(room + 1, b"\0"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
