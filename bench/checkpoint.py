"""What does an interruption cost, against the interval of checkpoints, and what do their uploads cost a step?

    python bench/checkpoint.py [--intervals 1,2,5,10] [--size 8] [--rounds 3] [--seed 0] [--json]

Work lost: real jobs on a real server are reclaimed at random moments (by seed) with no time to save; lost is what the
next attempt does again. Their steps are waits, so that several jobs can share the machine.

Cost of a step: one job computes in steps of about 100 ms and writes checkpoints, in blocks of time that take turns in
random order: its agent uploads them, its agent is stopped, and nothing is written at all. Beside the wall time stands
the time on a CPU: of a step, and of what an upload takes in the agent and in the server, as a share of an interval. The
first compares the machine with itself a moment later, the second also holds on a machine that others use.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

WEYR = str(Path(sys.executable).parent / "weyr")
AIM_PERCENT = 2.0
WITHIN_S = 120.0
STEPS_LEAST = 3
TICKS = os.sysconf("SC_CLK_TCK")
TIMES = {1.0: (1, 5), 2.0: (1, 5), 5.0: (2, 3), 10.0: (3, 2)}
"""How many jobs and how many interruptions of each, so that long intervals do not take long; else two and three."""
PROGRAM = """
import hashlib, os, signal, sys, time
record, every, size, work = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
folder = os.environ["WEYR_CHECKPOINT_DIR"]
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # no time to save: what is lost is what came after the last whole one
state = os.urandom(size)
found = sorted(name for name in os.listdir(folder) if name.startswith("step-"))
step = int(found[-1][5:]) if found else 0
out = open(record, "a", buffering=1)
line = f"begin {step} 0 0 0"
saved = time.monotonic()
while True:
    began, cpu, wrote = time.monotonic(), time.thread_time(), 0.0
    out.write(line + "\\n")
    if work == "wait":
        time.sleep(0.02)
    else:
        for _ in range(100):
            hashlib.sha256(state[: 1 << 20]).digest()
    step += 1
    ended, cpu = time.monotonic(), time.thread_time() - cpu
    if ended - saved >= every and not os.path.exists(record + ".quiet"):
        with open(f"{folder}/.saving.tmp", "wb") as file:
            file.write(step.to_bytes(8, "big") + state)
        os.rename(f"{folder}/.saving.tmp", f"{folder}/step-{step:09d}")
        for old in sorted(name for name in os.listdir(folder) if name.startswith("step-"))[:-2]:
            os.remove(f"{folder}/{old}")
        saved, wrote = ended, time.monotonic() - ended
    line = f"step {step} {ended - began:.6f} {cpu:.6f} {wrote:.6f}"
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

    def jobs(self, names: Sequence[str], every_s: Sequence[float], size_bytes: int, work: str) -> None:
        """Starts these jobs, in the place of those before; each records its steps in the file `record` names."""
        lines = []
        for name, every in zip(names, every_s, strict=True):
            words = [sys.executable, "program.py", str(self.record(name)), f"{every:g}", str(size_bytes), work]
            cpu = 1 if work == "busy" else 0.1
            lines.append(
                f"  {name}: {{run: {json.dumps(words)}, spot: true, resources: {{cpu: {cpu}, "
                f"memory: 256MiB}}, checkpoint: {{bucket: lake, every: {every:g}s}}}}\n"
            )
        (self.root / "weyr.yaml").write_text("stack: bench\nbuckets: {lake: {}}\njobs:\n" + "".join(lines))
        self.weyr("up", "--yes", "--detach")

    def record(self, name: str) -> Path:
        return self.root / f"{name}.txt"

    def outputs(self, name: str) -> dict[str, object]:
        return dict(json.loads(self.weyr("get", f"job/{name}", "--json"))["objects"][0]["outputs"] or {})


@contextmanager
def a_place() -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="weyr-bench-"))
    place = Place(root)
    try:
        yield place
    finally:
        place.weyr("down", "--yes")
        shutil.rmtree(root, ignore_errors=True)


def lost_s(place: Place, intervals: Sequence[float], size_bytes: int, seed: int) -> dict[float, list[float]]:
    """Seconds of work that each interruption cost, by interval."""
    jobs = [
        (f"lost{round(every * 1000)}-{number}", every, times)
        for every in intervals
        for count, times in [TIMES.get(every, (2, 3))]
        for number in range(count)
    ]
    place.jobs([name for name, _, _ in jobs], [every for _, every, _ in jobs], size_bytes, "wait")
    lost: dict[float, list[float]] = {every: [] for every in intervals}
    with ThreadPoolExecutor(len(jobs)) as pool:
        runs = [(every, pool.submit(_interrupted, place, *job, seed)) for job in jobs for every in [job[1]]]
        for every, run in runs:
            lost[every] += run.result()
    return lost


def _interrupted(place: Place, name: str, every_s: float, times: int, seed: int) -> list[float]:
    record, chance, lost = place.record(name), random.Random(f"{seed} {name}"), []
    for number in range(1, times + 1):
        _until(partial(_has_begun, record, number))
        _until(partial(_has_saved, place, name, number), every_s=0.5)
        time.sleep(every_s * chance.random())
        place.weyr("chaos", "reclaim", f"job/{name}", "--notice", "0s")
        _until(partial(_has_begun, record, number + 1))
        lost.append(_lost_of(record, number))
    return lost


def _lost_of(record: Path, number: int) -> float:
    """What came before the begin of that number, and is done again after it, in seconds of its own steps."""
    steps: list[float] = []
    done = first = count = 0
    for line in record.read_text().splitlines():
        word, step, took, _, _ = line.split()
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


@dataclass
class Block:
    """What was seen in one stretch of time: means over its steps, and the CPU time of agent and server."""

    wall_s: float
    cpu_s: float
    wrote_s: float
    lasted_s: float
    agent_s: float
    server_s: float


def blocks_of(
    place: Place, every_s: float, size_bytes: int, modes: Sequence[str], lasts_s: float, rounds: int, seed: int
) -> tuple[dict[str, list[Block]], float]:
    """The blocks of each mode, one a round, and how many uploads there were in an uploading one."""
    name, chance = f"busy{round(every_s * 1000)}", random.Random(seed)
    place.jobs([name], [every_s], size_bytes, "busy")
    _until(partial(_has_begun, place.record(name), 1))
    _until(partial(_has_saved, place, name, 1), every_s=0.5)
    blocks: dict[str, list[Block]] = {mode: [] for mode in modes}
    uploads = 0
    for _ in range(rounds):
        for mode in chance.sample(modes, len(modes)):
            before = _saved(place, name)
            blocks[mode].append(_block(place, name, mode, lasts_s))
            uploads += _saved(place, name) - before
    return blocks, uploads / rounds


def _block(place: Place, name: str, mode: str, lasts_s: float) -> Block:
    record, pids = place.record(name), _processes(place.root)
    agent = next(pid for pid, what in pids.items() if what == "agent")
    quiet = Path(f"{record}.quiet")
    quiet.touch() if mode == "nothing" else quiet.unlink(missing_ok=True)
    os.kill(agent, signal.SIGCONT if mode == "uploaded" else signal.SIGSTOP)
    first, began, cpu = len(record.read_text().splitlines()), time.monotonic(), _cpu_s(pids)
    try:
        time.sleep(lasts_s)
        _until(lambda: len(record.read_text().splitlines()) >= first + STEPS_LEAST)
    finally:
        os.kill(agent, signal.SIGCONT)
    used, lasted_s = _cpu_s(pids), time.monotonic() - began
    steps = [[float(word) for word in line.split()[2:]] for line in record.read_text().splitlines()[first:]]
    wall, on_cpu, wrote = (statistics.mean(column) for column in zip(*steps, strict=True))
    return Block(wall, on_cpu, wrote, lasted_s, *(used[what] - cpu[what] for what in ("agent", "server")))


def _processes(root: Path) -> dict[int, str]:
    """The agent, and every process of the server, by what they were started with."""
    found = {}
    for at in Path("/proc").glob("[0-9]*"):
        try:
            words, home = (at / "cmdline").read_bytes(), (at / "environ").read_bytes()
        except OSError:
            continue
        if b"program.py" in words or str(root).encode() not in words + home:
            continue
        found[int(at.name)] = "agent" if b"checkpoint_agent" in words else "server"
    return found


def _cpu_s(pids: dict[int, str]) -> dict[str, float]:
    used = {"agent": 0.0, "server": 0.0}
    for pid, what in pids.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        used[what] += (int(fields[11]) + int(fields[12])) / TICKS
    return used


def _saved(place: Place, name: str) -> int:
    """The number of the newest checkpoint in the bucket."""
    return int(str(place.outputs(name)["saved"]).rpartition("#")[2])


def costs(blocks: dict[str, list[Block]], uploads: float, every_s: float) -> dict[str, float]:
    """What an upload costs, and beside it the whole: percent of a step, medians over the rounds. What one takes of the
    CPUs is a mean, for the kernel counts in hundredths of a second.
    """
    assert uploads > 0, "no upload fell into a block: ask for more rounds"
    with_it, without = blocks["uploaded"], blocks["written"]

    def percent(of: Callable[[Block], float], these: list[Block], those: list[Block]) -> list[float]:
        return [(of(this) / of(that) - 1) * 100 for this, that in zip(these, those, strict=True)]

    wall = percent(lambda block: block.wall_s, with_it, without)
    agent_s = statistics.mean(block.agent_s for block in with_it) / uploads
    server_s = statistics.mean(a.server_s - b.server_s for a, b in zip(with_it, without, strict=True))
    server_s /= uploads
    figures = {
        "step_ms": statistics.median(block.wall_s for block in without) * 1000,
        "uploads_a_block": uploads,
        "wall_percent": statistics.median(wall),
        "wall_least": min(wall),
        "wall_most": max(wall),
        "step_cpu_percent": statistics.median(percent(lambda block: block.cpu_s, with_it, without)),
        "agent_cpu_ms": agent_s * 1000,
        "server_cpu_ms": server_s * 1000,
        "cpu_share_percent": (agent_s + server_s) / every_s * 100,
    }
    if "nothing" in blocks:
        whole = percent(lambda block: block.wall_s + block.wrote_s, with_it, blocks["nothing"])
        figures["whole_wall_percent"] = statistics.median(whole)
        figures["writing_wall_percent"] = statistics.median(
            percent(lambda block: block.wall_s + block.wrote_s, without, blocks["nothing"])
        )
    return figures


def _has_begun(record: Path, times: int) -> bool:
    return record.exists() and record.read_text().count("begin") >= times


def _has_saved(place: Place, name: str, times: int) -> bool:
    """Whether that attempt runs, and a checkpoint of its own is whole in the bucket."""
    outputs = place.outputs(name)
    return outputs.get("attempt") == times and bool(outputs.get("saved"))


def _until(question: Callable[[], bool], every_s: float = 0.05) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not question():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--intervals", default="1,2,5,10")
    parser.add_argument("--size", type=int, default=8, help="MiB of a checkpoint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size_bytes, seed, rounds = options.size << 20, options.seed, options.rounds
    say = partial(_say, options.json)
    with a_place() as place:
        for every, lost in lost_s(place, [float(text) for text in options.intervals.split(",")], 1 << 20, seed).items():
            say("lost", interval_s=every, interruptions=len(lost), mean_s=statistics.mean(lost), most_s=max(lost),
                intervals=statistics.mean(lost) / every)  # fmt: skip
        modes = ["uploaded", "written"]
        figures = costs(*blocks_of(place, 10.0, size_bytes, modes, 10.0, rounds, seed), 10.0)
        say("upload", size_mib=options.size, interval_s=10.0, **figures, aim_percent=AIM_PERCENT)
        figures = costs(*blocks_of(place, 1.0, size_bytes, [*modes, "nothing"], 2.0, rounds, seed), 1.0)
        say("upload", size_mib=options.size, interval_s=1.0, **figures, aim_percent=AIM_PERCENT)


def _say(as_json: bool, what: str, **figures: float) -> None:
    shown = {name: round(value, 4) for name, value in figures.items()}
    print(json.dumps({"measure": what, **shown}) if as_json else f"{what:8}" + str(shown), flush=True)


if __name__ == "__main__":
    main()
