"""Does the owner of the machine notice a hundred jobs? The same work by hand, alone and beside them.

    .venv/bin/python bench/owner.py [--jobs 100] [--looks 5] [--json]

The owner's work is a fixed piece of computing in a process of its own, at the usual niceness. Beside it, in turn:
nothing; as many jobs as there are CPUs under our engine, which is what its line lets in at once; all of them under our
engine at once, past any line; and the same number of plain background processes, as a shell's `&` would start them,
which ruins the machine for a minute. Times are medians; 1.0 would be unnoticed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weyr.core.capability import TaskBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Present, TaskFacts, TaskState
from weyr.engines.local.launcher_client import LauncherClient
from weyr.engines.local.tasks import local_tasks
from weyr.sim.identities import SimIssuer, SimSecretValues

WORK = "sum(i * i for i in range(3_000_000))"
SPIN = ("timeout", "60", "/bin/sh", "-c", "while :; do :; done")
"""Bounded, should we be killed in the middle."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100, help="jobs, and plain processes, at once")
    parser.add_argument("--looks", type=int, default=5, help="how often the owner's work is timed")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each row")
    args = parser.parse_args()
    cpus = os.cpu_count() or 1
    alone_s = _work_s(args.looks)
    if not args.json:
        print(f"{'beside the owner':44}{'seconds':>9}{'times slower':>14}")
    _print("nothing", alone_s, alone_s, args.json)
    for name, beside in (
        (f"{cpus} jobs, as the line lets in", _jobs(cpus)),
        (f"{args.jobs} jobs at once", _jobs(args.jobs)),
        (f"{args.jobs} plain processes", _plain(args.jobs)),
    ):
        with beside:
            took_s = _work_s(1 if name.endswith("plain processes") else args.looks)
        _print(name, took_s, alone_s, args.json)
    return 0


def _print(beside: str, took_s: float, alone_s: float, is_json: bool) -> None:
    if is_json:
        row = {"beside": beside, "took_s": round(took_s, 3), "times_slower": round(took_s / alone_s, 2)}
        print(json.dumps(row), flush=True)
    else:
        print(f"{beside:44}{took_s:9.3f}{took_s / alone_s:14.2f}", flush=True)


def _work_s(looks: int) -> float:
    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-S", "-c", WORK], check=True)
        return time.perf_counter() - began

    return statistics.median(once() for _ in range(looks))


@contextmanager
def _plain(count: int) -> Iterator[None]:
    started = [subprocess.Popen(SPIN) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


@contextmanager
def _jobs(count: int) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="weyr-owner-") as name:
        home = Path(name)
        launcher = LauncherClient(home / "l.sock", home / "l.json", home / "log")
        tasks = local_tasks(
            home / "tasks", home / "sockets", home / "cache", launcher, SimIssuer(), SimSecretValues(), dict, time.time
        )
        ids = [ThingId(Ref("owner", "job", "spin"), str(n)) for n in range(count)]
        tasks.ensure([Wanted(id, 1, TaskBody(SPIN, "/", grace_s=0.1)) for id in ids])
        while not all(_runs(seen) for seen in tasks.observe(ids).values()):
            time.sleep(0.05)
        try:
            yield
        finally:
            while not all(isinstance(seen, Absent) for seen in tasks.observe(ids).values()):
                tasks.release(ids)
                time.sleep(0.05)
            launcher.stop()


def _runs(seen: object) -> bool:
    return isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) and seen.facts.state is TaskState.RUNNING


if __name__ == "__main__":
    sys.exit(main())
