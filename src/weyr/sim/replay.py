"""Plays simulated worlds: one, whose story it tells, or many.

python -m weyr.sim.replay --seed 8841
python -m weyr.sim.replay --worlds 10000 --workers 4
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from weyr.compose.kinds import KINDS
from weyr.sim.broken import Broken, told
from weyr.sim.play import play

SHARED_MEMORY = Path("/dev/shm")
FAILURES_SHOWN_MAX = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Gives 0 if every check held in every world, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m weyr.sim.replay", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=None, help="play this world and tell its story")
    parser.add_argument("--worlds", type=int, default=100, help="play so many worlds")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that share the work")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _tell(options.seed)
    return _soak(range(options.first, options.first + options.worlds), options.workers)


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where there is such a place: a world's commits need no disk."""
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as path:
        yield Path(path)


def _tell(seed: int) -> int:
    with folder_in_memory() as folder:
        try:
            world = play(seed, KINDS, folder)
        except Broken as broken:
            print(broken)
            return 1
        print("\n".join(told(world.story(), world.incidents)))
        vanished = world.engine.nodes.count
        print(f"every check held; {world.deaths} deaths, {world.engine.faults.count} faults of calls, ", end="")
        print(f"{vanished} nodes vanished")
    return 0


def _soak(seeds: range, workers: int) -> int:
    began = time.monotonic()
    with ProcessPoolExecutor(workers) as pool:
        failures = [failure for failure in pool.map(_failure_of, seeds, chunksize=10) if failure]
    took_s = time.monotonic() - began
    for failure in failures[:FAILURES_SHOWN_MAX]:
        print(failure, end="\n\n")
    print(f"{len(seeds)} worlds, {len(failures)} broken, {len(seeds) / took_s:.1f} worlds/s", file=sys.stderr)
    return 1 if failures else 0


def _failure_of(seed: int) -> str:
    with folder_in_memory() as folder:
        try:
            play(seed, KINDS, folder)
        except Broken as broken:
            return str(broken)
        except Exception as e:  # noqa: BLE001 - a world that cannot be played is a finding as well
            return f"{type(e).__name__}: {e}\nseed {seed}; play it again: python -m weyr.sim.replay --seed {seed}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
