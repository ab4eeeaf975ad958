"""What does Weyr cost over Ray? One program as a bare detached actor and as our attempt, on one cluster, in one run.

    .venv/bin/python bench/ray_jobs.py [--json] [--jobs 10]

The cluster is a real head and one worker of this machine (needs root, for the worker's network namespace). A bare actor
runs the program by itself, without limits, log, lease or recorded end: it is what Ray's own time for one job is at the
least. `ray job submit` takes longer than that. A ratio is our time over the bare actor's.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("clusters", "conformance")]

from engines import Program, facts_of, task_id  # noqa: E402 - beside the tests
from ray_cluster import RayCluster  # noqa: E402
from ray_world import RayWorld  # noqa: E402

from weyr.core.seen import Present  # noqa: E402

BARE = """
import subprocess, sys, time
import ray
ray.init(address=sys.argv[1], namespace="bare", logging_level="error", log_to_driver=False)
@ray.remote(num_cpus=1)
class Bare:
    def run(self):
        return subprocess.run(["echo", "begun"], capture_output=True).stdout
def one(number):
    actor = Bare.options(name=f"bare-{number}", lifetime="detached").remote()
    assert ray.get(actor.run.remote()) == b"begun\\n"
    ray.kill(actor)
one(-1)
for number in range(int(sys.argv[2])):
    began = time.perf_counter()
    one(number)
    print(time.perf_counter() - began, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--jobs", type=int, default=10)
    options = parser.parse_args()
    cluster = RayCluster()
    try:
        cluster.add_worker("a")
        bare = _bare(cluster, options.jobs)
        ours, lost_s = _ours(cluster, options.jobs)
    finally:
        cluster.close()
    figures = {
        "bare_actor_s": round(statistics.median(bare), 3),
        "submit_to_log_s": round(statistics.median(ours), 3),
        "ratio": round(statistics.median(ours) / statistics.median(bare), 2),
        "node_killed_to_lost_s": round(lost_s, 3),
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:24}{value:>10}")


def _bare(cluster: RayCluster, jobs: int) -> list[float]:
    command = [sys.executable, "-c", BARE, cluster.address, str(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    return [float(line) for line in done.stdout.split()]


def _ours(cluster: RayCluster, jobs: int) -> tuple[list[float], float]:
    """Seconds from the engine's verb to the first line of the log here, for each; and from a node's end to its news."""
    world = RayWorld(cluster)
    try:
        world.inventory()
        taken = []
        for number in range(-1, jobs):
            id = task_id(str(number + 2))
            began = time.perf_counter()
            world.ensure(id, Program(writes="begun\n"))
            _until(world, lambda id=id: b"begun" in b"".join(world.provider.logs(id)))  # type: ignore[misc]
            taken.append(time.perf_counter() - began)
            world.ended(id)
            world.clear(id)
        last = task_id("9999")
        world.ensure(last, Program(runs_s=600))
        world.running(last)
        cluster.kill("a")
        began = time.perf_counter()

        def is_lost() -> bool:
            seen = world.observe(last)
            return isinstance(seen, Present) and facts_of(seen).end is not None

        _until(world, is_lost)
        return taken[1:], time.perf_counter() - began
    finally:
        world.end()


def _until(world: RayWorld, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it takes too long"
        world.pause()


if __name__ == "__main__":
    main()
