"""What does Weyr cost over sbatch? The same jobs on one real cluster, by `sbatch` itself and by our engine, in one run.

    .venv/bin/python bench/slurm.py [--json] [--jobs N]

The cluster is slurmctld, three slurmd and munged of this machine, with a scheduler that looks at once. A ratio is our
time over sbatch's; what is left over is one Python per task, which keeps its log, its limits and its end.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "clusters")]

from slurm_cluster import PAUSE, SlurmCluster, running_slurm  # noqa: E402

from weyr.core.capability import TaskBody, Wanted  # noqa: E402
from weyr.core.ref import Ref, ThingId  # noqa: E402
from weyr.core.seen import Absent, Present, TaskFacts, TaskState  # noqa: E402
from weyr.engines.slurm.settings import SlurmSettings  # noqa: E402
from weyr.engines.slurm.tasks import SlurmTasks  # noqa: E402
from weyr.sim.identities import SimIssuer, SimSecretValues  # noqa: E402

REPEATS = 7
WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: ours beside sbatch's, in the same unit."""

    name: str
    ours: float
    sbatch: float | None
    unit: str

    def text(self) -> str:
        beside = f"   sbatch {self.sbatch:8.3f}   x{self.ours / self.sbatch:.2f}" if self.sbatch else ""
        return f"{self.name:38}{self.ours:9.3f} {self.unit}{beside}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--jobs", type=int, default=60, help="how many at once")
    options = parser.parse_args()
    figures = []
    with running_slurm() as cluster:
        engine = _engine(cluster)
        for figure in _measured(cluster, engine, options.jobs):
            figures.append(figure)
            if not options.json:
                print(figure.text(), flush=True)
        engine.close()
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures]))
    return 0


def _measured(cluster: SlurmCluster, engine: SlurmTasks, jobs: int) -> Iterator[Figure]:
    ours, theirs, seen = [], [], []
    for number in range(REPEATS):
        theirs.append(_first_line_of_sbatch(cluster, number))
        started, ended = _first_line_of_ours(cluster, engine, number)
        ours.append(started)
        seen.append(ended)
    yield Figure("submit to first line, idle, median", statistics.median(ours), statistics.median(theirs), "s")
    yield Figure("a task's end to when it is seen, median", statistics.median(seen), None, "s")
    many = _many_of_ours(cluster, engine, jobs)
    yield Figure(f"{jobs} tasks at once, to the last end", many, _many(cluster, jobs), "s")


def _engine(cluster: SlurmCluster) -> SlurmTasks:
    home = Path(tempfile.mkdtemp(dir=cluster.shared))
    engine = SlurmTasks(
        home / "slurm", lambda: SlurmSettings(settle=0.2), home / "sockets", home / "cache", SimIssuer(),
        SimSecretValues(), dict, time.time, env=cluster.env,
    )  # fmt: skip
    _until(lambda: isinstance(engine.observe([_id("none")])[_id("none")], Absent))
    return engine


def _id(part: str) -> ThingId:
    return ThingId(Ref("bench", "job", "work"), part)


def _first_line_of_sbatch(cluster: SlurmCluster, number: int) -> float:
    file = cluster.shared / f"sbatch-{number}"
    began = time.monotonic()
    cluster.run("sbatch", "-o", "/dev/null", text=f"#!/bin/sh\necho on > {file}\n")
    _until(file.exists)
    return time.monotonic() - began


def _first_line_of_ours(cluster: SlurmCluster, engine: SlurmTasks, number: int) -> tuple[float, float]:
    file = cluster.shared / f"ours-{number}"
    id = _id(f"one-{number}")
    began = time.monotonic()
    engine.ensure([Wanted(id, 1, TaskBody(("/bin/sh", "-c", f"echo on > {file}"), "/"))])
    _until(file.exists)
    started = time.monotonic() - began
    end = _ends(engine, [id])[0]
    return started, max(0.0, time.time() - end)


def _many(cluster: SlurmCluster, jobs: int) -> float:
    began = time.monotonic()
    cluster.run("sbatch", "-o", "/dev/null", f"--array=0-{jobs - 1}", text="#!/bin/sh\nexec srun true\n")
    _until(lambda: not cluster.run("squeue", "-h", "-r", "-t", "PD,R,CG,CF").strip(), pause_s=0.2)
    return time.monotonic() - began


def _many_of_ours(cluster: SlurmCluster, engine: SlurmTasks, jobs: int) -> float:
    ids = [_id(f"many-{number}") for number in range(jobs)]
    began = time.monotonic()
    engine.ensure([Wanted(id, 1, TaskBody(("true",), "/")) for id in ids])
    _ends(engine, ids)
    return time.monotonic() - began


def _ends(engine: SlurmTasks, ids: Sequence[ThingId]) -> list[float]:
    """When they ended, once all have."""
    found: dict[ThingId, float] = {}

    def all_ended() -> bool:
        for id, seen in engine.observe([id for id in ids if id not in found]).items():
            if isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) and seen.facts.state is TaskState.ENDED:
                assert seen.facts.end is not None
                assert seen.facts.end.exit_code == 0, seen
                found[id] = seen.facts.ended_at or 0.0
        return len(found) == len(ids)

    _until(all_ended)
    return [found[id] for id in ids]


def _until(is_so: Callable[[], bool], pause_s: float = 0.01) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        PAUSE.wait(pause_s)


if __name__ == "__main__":
    os.chdir("/")
    sys.exit(main())
