"""What does an interruption cost, against the interval of checkpoints, and what do their uploads cost a step?

    python bench/checkpoint.py [--intervals 0.5,1,2,4] [--interruptions 4] [--size 8] [--rounds 3] [--json]

Work lost: a real job on a real server is reclaimed at random moments (by seed) with no time to save; lost is what the
next attempt does again. Cost of a step: the same program, which saves as often to the same folder, as a job with
`checkpoint` and as one without, in turn, and the median step of each.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

WEYR = str(Path(sys.executable).parent / "weyr")
AIM_PERCENT = 2.0
WITHIN_S = 180.0
PROGRAM = """
import hashlib, os, signal, sys, time
folder, record, every, size, steps = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
folder = os.environ.get("WEYR_CHECKPOINT_DIR", folder)
os.makedirs(folder, exist_ok=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # no time to save: what is lost is what came after the last whole one
state = os.urandom(size)
found = sorted(name for name in os.listdir(folder) if name.startswith("step-"))
step = int(found[-1][5:]) if found else 0
out = open(record, "a", buffering=1)
out.write(f"begin {step} 0\\n")
saved = time.monotonic()
while step < steps:
    began = time.monotonic()
    for _ in range(8):
        hashlib.sha256(state[: 1 << 20]).digest()
    step += 1
    out.write(f"step {step} {time.monotonic() - began:.6f}\\n")
    if time.monotonic() - saved >= every:
        with open(f"{folder}/.saving.tmp", "wb") as file:
            file.write(state)
        os.rename(f"{folder}/.saving.tmp", f"{folder}/step-{step:09d}")
        for old in sorted(name for name in os.listdir(folder) if name.startswith("step-"))[:-2]:
            os.remove(f"{folder}/{old}")
        saved = time.monotonic()
out.write(f"end {step} 0\\n")
"""


class Place:
    """A data folder and a stack file of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._env = {**os.environ, "WEYR_HOME": str(root / "home")}
        (root / "program.py").write_text(PROGRAM)

    def weyr(self, *words: str) -> str:
        return subprocess.run(
            [WEYR, *words], cwd=self.root, env=self._env, check=True, capture_output=True, text=True
        ).stdout

    def job(self, name: str, every_s: float, size_bytes: int, steps: int, is_kept: bool) -> Path:
        """Starts one job, in the place of the one before; gives the file that it records its steps in."""
        record = self.root / f"{name}.txt"
        words = [sys.executable, "program.py", str(self.root / f"{name}-state"), str(record)]
        words += [f"{every_s:g}", str(size_bytes), str(steps)]
        kept = f", checkpoint: {{bucket: lake, every: {every_s:g}s}}" if is_kept else ""
        (self.root / "weyr.yaml").write_text(
            f"stack: bench\nbuckets: {{lake: {{}}}}\njobs:\n"
            f"  {name}: {{run: {json.dumps(words)}, spot: true, resources: {{cpu: 1, memory: 1GiB}}{kept}}}\n"
        )
        self.weyr("up", "--yes", "--detach")
        return record

    def row(self, name: str) -> dict[str, object]:
        return dict(json.loads(self.weyr("get", f"job/{name}", "--json"))["objects"][0])


@contextmanager
def a_place() -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="weyr-bench-"))
    place = Place(root)
    try:
        yield place
    finally:
        place.weyr("down", "--yes")
        shutil.rmtree(root, ignore_errors=True)


def lost_s(place: Place, every_s: float, size_bytes: int, times: int, chance: random.Random) -> list[float]:
    """Seconds of work that each of so many interruptions cost."""
    name = f"lost{round(every_s * 1000)}"
    record = place.job(name, every_s, size_bytes, 10**9, is_kept=True)
    lost = []
    for number in range(1, times + 1):
        _until(partial(_has_begun, record, number))
        _until(partial(_has_saved, place, name, number), every_s=0.5)
        time.sleep(every_s * (1 + chance.random()))
        place.weyr("chaos", "reclaim", f"job/{name}", "--notice", "0s")
        _until(partial(_has_begun, record, number + 1))
        lost.append(_lost_of(record, number))
    return lost


def _lost_of(record: Path, number: int) -> float:
    """What came before the begin of that number, and is done again after it, in seconds of its own steps."""
    steps: list[float] = []
    done = first = count = 0
    for line in record.read_text().splitlines():
        word, step, took = line.split()
        if word == "begin":
            count += 1
            first = int(step)
            if count == number + 1:
                return sum(steps[first - done :]) if done > first else 0.0
            steps, done = [], first
        else:
            steps.append(float(took))
            done = int(step)
    raise AssertionError("it did not begin again")


def step_s(place: Place, name: str, every_s: float, size_bytes: int, steps: int, is_kept: bool) -> float:
    """The median step of one run to its end."""
    record = place.job(name, every_s, size_bytes, steps, is_kept)
    # Its own record tells the end: a command that asks again and again would be measured as well.
    _until(lambda: record.exists() and "end" in record.read_text())
    return statistics.median(float(line.split()[2]) for line in record.read_text().splitlines() if line[0] == "s")


def _has_begun(record: Path, times: int) -> bool:
    return record.exists() and record.read_text().count("begin") >= times


def _has_saved(place: Place, name: str, times: int) -> bool:
    """Whether that attempt runs, and a checkpoint of its own is whole in the bucket."""
    outputs = place.row(name)["outputs"]
    assert isinstance(outputs, dict)
    return outputs.get("attempt") == times and bool(outputs.get("saved"))


def _until(question: Callable[[], bool], every_s: float = 0.05) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not question():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every_s)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--intervals", default="0.5,1,2,4")
    parser.add_argument("--interruptions", type=int, default=4)
    parser.add_argument("--size", type=int, default=8, help="MiB of a checkpoint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chance, size_bytes = random.Random(options.seed), options.size << 20
    with a_place() as place:
        for text in options.intervals.split(","):
            lost = lost_s(place, float(text), size_bytes, options.interruptions, chance)
            _say(options.json, "lost", interval_s=float(text), interruptions=len(lost), mean_s=statistics.mean(lost),
                 most_s=max(lost), intervals=statistics.mean(lost) / float(text))  # fmt: skip
        kept, bare = [], []
        for number in range(options.rounds):
            kept.append(step_s(place, f"kept{number}", 1.0, size_bytes, options.steps, is_kept=True))
            bare.append(step_s(place, f"bare{number}", 1.0, size_bytes, options.steps, is_kept=False))
        percent = (statistics.median(kept) / statistics.median(bare) - 1) * 100
        _say(options.json, "upload", size_mib=options.size, interval_s=1.0, step_ms=statistics.median(kept) * 1000,
             without_ms=statistics.median(bare) * 1000, percent=percent, aim_percent=AIM_PERCENT)  # fmt: skip


def _say(as_json: bool, what: str, **figures: float) -> None:
    shown = {name: round(value, 4) for name, value in figures.items()}
    print(json.dumps({"measure": what, **shown}) if as_json else f"{what:8}" + str(shown), flush=True)


if __name__ == "__main__":
    main()
