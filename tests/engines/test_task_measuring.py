"""Limits where no control groups may be made: a wrapper by itself, as an ordinary user's machine would run it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from engines import plain_order

RUN = """
import json, os, sys
from weyr.attempt import standby
order = json.load(sys.stdin)
lock = os.open(order["folder"], os.O_RDONLY)
standby.main({}, lambda: (order, lock))
"""

FORKS = """
import os, select
held = bytearray(60 << 20)
for _ in range(3):
    os.fork() or (select.select([], [], [], 1), os._exit(0))
for _ in range(3):
    os.wait()
"""


def run(folder: Path, script: str, **changes: Any) -> dict[str, Any]:
    """Runs a task under a wrapper that has no groups; gives its recorded end."""
    order = plain_order(folder, script, **({"cpu": 0.5, "env": dict(os.environ)} | changes))
    subprocess.run([sys.executable, "-c", RUN], input=json.dumps(order), text=True, check=True, timeout=90)
    end: dict[str, Any] = json.loads((folder / "exit.json").read_text())
    return end


def test_memory_is_measured_over_the_whole_tree(tmp_path: Path) -> None:
    """Two children of 60 MiB each are 120, though each alone would be allowed."""
    eat = f"{sys.executable} -S -c 'import signal; x = bytearray(60 << 20); signal.pause()'"
    end = run(tmp_path, f"{eat} & {eat} & wait", memory_bytes=100 << 20)
    assert end["reason"] == "out of memory"
    assert end["memory_max_bytes"] > 100 << 20


def test_pages_that_are_shared_count_once(tmp_path: Path) -> None:
    """A program that forks workers holds its 60 MiB once; it must not be ended for holding them four times."""
    program = tmp_path / "forks.py"
    program.write_text(FORKS)
    end = run(tmp_path, f"{sys.executable} -S {program}", memory_bytes=120 << 20)
    assert end["reason"] == "succeeded"


def test_cpu_is_bounded_by_affinity(tmp_path: Path) -> None:
    """Half a CPU cannot become two."""
    end = run(tmp_path, "nproc > " + str(tmp_path / "seen"))
    assert end["reason"] == "succeeded"
    assert (tmp_path / "seen").read_text() == "1\n"
