"""What does the control plane cost, beside sbatch, `ray job submit` and HyperQueue on the same machine in one run?

    python bench/control_plane.py [--json] [--jobs 40] [--running 20] [--ray-python PATH] [--hyperqueue-python PATH]

Rows of {"figure", "who", "value", "unit", "ratio", "note"}. The ratio is ours over theirs, in the figure's unit. All
have as many slots as jobs are to run at once. CPU time and memory are of all that a system runs, daemons, wrappers and
the programs (memory without these), but not of the clients that submit. Needs root, for the accounts. Ray needs a
Python that has `ray[default]`, whose job server the extra does not install; HyperQueue one that has `hyperqueue`.
"""

import argparse
import functools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from job_peers import HyperQueue, Peer, RayJobs, Slurm, Weyr, until

OURS = "weyr"
REPEATS = 3
RESTART_WITHIN_S = 20.0
UPKEEP_S = 5.0
RAY_JOBS = 8
"""At once, at most: each is a Python of its own, and takes seconds of CPU."""
BY_COMMAND = "submit to first log line, by command"
BY_API = "submit to first log line, by API"
RESTART = "kill -9 to the next attempt's first line"
RATE = "no-op jobs, to the last end"
CPU = "CPU of a no-op job"
MEMORY = "memory (PSS) of a running job"
UPKEEP = "CPU of a running job"
FIGURES = {BY_COMMAND: "s", BY_API: "s", RESTART: "s", RATE: "jobs/s", CPU: "ms", MEMORY: "MB", UPKEEP: "ms/s"}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one system. `value` None: it has none, and the note says why."""

    figure: str
    who: str
    value: float | None
    unit: str
    ratio: float | None
    note: str = ""

    def text(self) -> str:
        value = f"{'none':>10}" if self.value is None else f"{self.value:10.3f} {self.unit:7}"
        ratio = "" if self.ratio is None else f"x{self.ratio:.3g}"
        return f"{self.figure:42}{self.who:18}{value} {ratio:8} {self.note}".rstrip()


Measured = Iterator[tuple[str, str, float | None, str]]
"""Figure, who, value, note."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--jobs", type=int, default=40, help="no-op jobs at once")
    parser.add_argument("--running", type=int, default=20, help="sleeping jobs at once, and the slots of each system")
    parser.add_argument("--ray-python", help="a Python that has ray[default]")
    parser.add_argument("--hyperqueue-python", help="a Python that has hyperqueue")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="weyr-bench-"))
    idler = Path(shutil.copy(str(shutil.which("sleep")), folder / "idler"))  # by whose name the jobs are told apart
    bench = functools.partial(_measured, folder=folder, idler=idler)
    rows: list[Row] = []
    ours: dict[str, float | None] = {}
    try:
        for figure, who, value, note in _all(bench, folder, options):
            if who == OURS:
                ours[figure] = value
            first = ours.get(figure)
            ratio = None if who == OURS or not value or first is None else round(first / value, 4)
            rounded = None if value is None else round(value, 4)
            rows.append(Row(figure, who, rounded, FIGURES[figure], ratio, note))
            print(rows[-1].text(), file=sys.stderr if options.json else sys.stdout, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    return 0


def _all(bench: Callable[..., Measured], folder: Path, options: argparse.Namespace) -> Measured:
    slots = options.running
    many = {"jobs": options.jobs, "running": slots}
    few = {name: min(count, RAY_JOBS) for name, count in many.items()}
    yield from bench(OURS, lambda: Weyr(folder / "weyr", slots), **many)
    if shutil.which("sbatch"):
        yield from bench("sbatch", lambda: Slurm(folder / "slurm", slots), **many)
    else:
        yield from _absent("sbatch", "install slurmctld, slurmd, slurm-client and munge")
    if options.ray_python:
        yield from bench("ray job submit", lambda: RayJobs(folder / "ray", slots, options.ray_python), **few)
    else:
        yield from _absent("ray job submit", "give --ray-python, a Python that has ray[default]")
    if options.hyperqueue_python:
        yield from bench("hyperqueue", lambda: HyperQueue(folder / "hq", slots, options.hyperqueue_python), **many)
    else:
        yield from _absent("hyperqueue", "give --hyperqueue-python, a Python that has hyperqueue")


def _absent(who: str, why: str) -> Measured:
    print(f"NOT MEASURED: {who}: {why}", file=sys.stderr)
    for figure in FIGURES:
        yield figure, who, None, f"not measured: {why}"


def _measured(who: str, make: Callable[[], Peer], *, jobs: int, running: int, folder: Path, idler: Path) -> Measured:
    with closing(make()) as peer:
        if peer.command("none", "true") is None:
            yield BY_COMMAND, who, None, "it has no command here"
        else:
            yield BY_COMMAND, who, statistics.median(_by_command(peer, n) for n in range(REPEATS)), ""
        yield BY_API, who, statistics.median(_by_api(peer, n) for n in range(REPEATS)), ""
        restart_s = _restart(peer.submit_retried, peer.has_failed, folder / f"{who}-again".replace(" ", "-"))
        yield RESTART, who, restart_s, "" if restart_s is not None else "it does not try again"
        if isinstance(peer, RayJobs):
            restart_s = _restart(peer.submit_task, peer.has_failed, folder / "ray-task")
            yield RESTART, "a ray job's task", restart_s, "max_retries"
        cpu_s = peer.account.cpu_s()
        took_s = _seconds(lambda: peer.no_ops(jobs))
        yield RATE, who, jobs / took_s, f"{jobs} jobs"
        yield CPU, who, (peer.account.cpu_s() - cpu_s) / jobs * 1000, ""
        before = peer.account.memory_bytes(idler.name)
        peer.idle(running, f"exec {idler} 900")
        until(lambda: peer.account.count(idler.name) == running)
        yield MEMORY, who, (peer.account.memory_bytes(idler.name) - before) / running / 1e6, f"{running} running"
        cpu_s, began = peer.account.cpu_s(), time.perf_counter()
        time.sleep(UPKEEP_S)  # the time over which it is averaged; nothing is waited for
        load = (peer.account.cpu_s() - cpu_s) / (time.perf_counter() - began)
        yield UPKEEP, who, load / running * 1000, "the daemons' own included"


def _by_command(peer: Peer, number: int) -> float:
    name = f"c{number}"
    command = peer.command(name, "echo hello")
    assert command
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        until(lambda: "hello" in peer.log(name))
        return time.perf_counter() - began


def _by_api(peer: Peer, number: int) -> float:
    name = f"a{number}"
    began = time.perf_counter()
    peer.submit(name, "echo hello")
    until(lambda: "hello" in peer.log(name))
    return time.perf_counter() - began


def _restart(submit: Callable[[str, Path], None], has_failed: Callable[[str], bool], file: Path) -> float | None:
    """None: the system called it failed, or tried nothing in time."""

    def attempts() -> list[str]:
        return file.read_text().splitlines() if file.exists() else []

    submit(file.name, file)
    until(lambda: len(attempts()) == 1)
    began = time.perf_counter()
    os.kill(int(attempts()[0]), signal.SIGKILL)
    try:
        until(lambda: len(attempts()) == 2 or has_failed(file.name), within_s=RESTART_WITHIN_S)
    except TimeoutError:
        return None
    took_s = time.perf_counter() - began
    if len(attempts()) < 2:
        return None
    os.kill(int(attempts()[1]), signal.SIGKILL)
    return took_s


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
