"""How long do jobs take from submission to end, by policy? A public trace replayed through the production decisions.

    .venv/bin/python bench/queueing.py --data DIR [--policies weyr easy ...] [--cost-s 60] [--json]

DIR holds `jobs.csv`, itself or in `philly` (timestamp, duration in seconds, num_gpus, cluster), made from the job
list of github.com/msr-fiddle/philly-traces. Jobs of four weeks from 2017-10-09 run on one pool of 640 GPUs in virtual
time; its virtual clusters are the users. Each policy is a setting of `weyr.scheduling.queueing`; only oracles are
told true durations. Where jobs may be stopped their work is kept, but for `--cost-s` of it each time.
"""

import argparse
import csv
import heapq
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from trace_folder import trace_folder

from weyr.scheduling.placement import Node, Request
from weyr.scheduling.queueing import (
    Backfill,
    Fairness,
    History,
    InOrder,
    LeastAttained,
    LeastExpected,
    Policy,
    Queue,
    Queueing,
    Ranker,
    Task,
)

GPUS = 640
FROM, UNTIL = datetime(2017, 10, 9), datetime(2017, 11, 6)
HOUR_S = 3600.0
SUBMITTED, ENDED = 1, 0
"""What ends makes room for what is submitted at the same moment."""


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    submitted_s: float
    duration_s: float
    gpus: int
    user: str


@dataclass(frozen=True, slots=True)
class ByDuration:
    """An oracle: least work first (what is left of it, where jobs may be stopped), in eighths of a power of 2."""

    duration_s: Mapping[str, float]
    is_remaining: bool
    is_by_gpus: bool

    def level(self, task: Task, attained_s: float) -> tuple[int, float]:
        whole_s = self.duration_s[task.id]
        left_s = max(whole_s - attained_s, 0.01) if self.is_remaining else whole_s
        width = task.request.cpu_milli / 1000 if self.is_by_gpus else 1
        level = math.floor(8 * math.log2(left_s * width))
        if not self.is_remaining or left_s <= 1:
            return level, math.inf
        return level, whole_s - 2 ** (level / 8) / width + 1e-6

    def ended(self, task: Task, ran_s: float) -> None:
        """It knew."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A policy, and what it is told and allowed."""

    policy: Policy
    is_stoppable: bool = False
    is_limit_true: bool = False
    """Whether each job's time limit is its true duration."""
    history: History | None = None


@dataclass(slots=True)
class Fate:
    """What became of a job."""

    job: Job
    ended_s: float = math.nan
    stops: int = 0

    @property
    def took_s(self) -> float:
        return self.ended_s - self.job.submitted_s


def settings_of(jobs: Sequence[Job]) -> dict[str, Setting]:
    true = {job.id: job.duration_s for job in jobs}

    def plain(
        ranker: Ranker, backfill: Backfill, is_slicing: bool = False, fairness: Fairness = Fairness.NONE
    ) -> Policy:
        return Policy(ranker, backfill, fairness, is_slicing, min_run_s=0.0, patience_s=math.inf)

    weyr, unstopped, shared = History(), History(), History()
    return {
        "fifo": Setting(plain(InOrder(), Backfill.NONE)),
        "easy": Setting(plain(InOrder(), Backfill.EASY), is_limit_true=True),
        "anything-that-fits": Setting(plain(InOrder(), Backfill.ANY)),
        "drf": Setting(plain(InOrder(), Backfill.ANY, fairness=Fairness.FIRST)),
        "las-two-queues": Setting(plain(LeastAttained((8 * HOUR_S,)), Backfill.NONE, is_slicing=True), True),
        "sjf-oracle": Setting(plain(ByDuration(true, False, False), Backfill.ANY)),
        "srtf-oracle": Setting(plain(ByDuration(true, True, True), Backfill.ANY, is_slicing=True), True),
        "weyr": Setting(Policy(LeastExpected(weyr)), True, history=weyr),
        "weyr-users-first": Setting(
            Policy(LeastExpected(shared), fairness=Fairness.FIRST), is_stoppable=True, history=shared
        ),
        "weyr-never-stops": Setting(Policy(LeastExpected(unstopped)), history=unstopped),
    }


@dataclass(slots=True)
class Replay:
    """Jobs through a board, in virtual time. `cost_s` of work are lost by each that is stopped."""

    jobs: Mapping[str, Job]
    setting: Setting
    cost_s: float
    board: Queueing = field(init=False)
    fates: dict[str, Fate] = field(init=False)
    decisions: int = 0
    _left_s: dict[str, float] = field(init=False)
    _began_s: dict[str, float] = field(default_factory=dict)
    _events: list[tuple[float, int, str]] = field(init=False)

    def __post_init__(self) -> None:
        # GPUs that any job may have any of are counted as cores are.
        self.board = Queueing([Queue("")], [Node("pool", GPUS * 1000, 0)], self.setting.policy)
        self.fates = {job.id: Fate(job) for job in self.jobs.values()}
        self._left_s = {job.id: job.duration_s for job in self.jobs.values()}
        self._events = [(job.submitted_s, SUBMITTED, job.id) for job in self.jobs.values()]
        heapq.heapify(self._events)

    def run(self) -> None:
        again_s = math.inf
        while self._events:
            now_s = min(again_s, self._events[0][0])
            while self._events and self._events[0][0] <= now_s:
                _, kind, id = heapq.heappop(self._events)
                if kind == SUBMITTED:
                    self.board.submit(self._task(id, now_s))
                elif id in self._began_s and self._began_s[id] + self._left_s[id] <= now_s + 1e-6:
                    self._end(id, now_s)
            again_s = self._decide(now_s)

    def _decide(self, now_s: float) -> float:
        found = self.board.decide(now_s)
        self.decisions += 1
        for each in found.preemptions:
            self._left_s[each.id] += self.cost_s - (now_s - self._began_s.pop(each.id))
            self.fates[each.id].stops += 1
            self.board.end(each.id)
            self.board.submit(self._task(each.id, now_s))
        for start in found.starts:
            self._began_s[start.id] = now_s
            # Work is kept: as if each wrote checkpoints all the time.
            self.board.checkpoint(start.id, math.inf)
            heapq.heappush(self._events, (now_s + self._left_s[start.id], ENDED, start.id))
        return math.inf if found.again_s is None else max(found.again_s, now_s + 1e-3)

    def _end(self, id: str, now_s: float) -> None:
        self.board.end(id)
        del self._began_s[id]
        self.fates[id].ended_s = now_s
        if self.setting.history is not None:
            self.setting.history.ended(self._task(id, now_s), self.jobs[id].duration_s)

    def _task(self, id: str, now_s: float) -> Task:
        job = self.jobs[id]
        return Task(
            id, Request(job.gpus * 1000), user=job.user, submitted_s=job.submitted_s, since_s=now_s,
            limit_s=job.duration_s if self.setting.is_limit_true else None,
            attained_s=max(job.duration_s - self._left_s[id], 0.0), is_preemptible=self.setting.is_stoppable,
        )  # fmt: skip


def read_jobs(path: Path) -> list[Job]:
    """The jobs of the four weeks, in the order of their submission."""
    with path.open(newline="") as file:
        rows = [(datetime.fromisoformat(row["timestamp"]), row) for row in csv.DictReader(file)]
    rows = sorted(((at, row) for at, row in rows if FROM <= at < UNTIL), key=lambda each: each[0])
    return [
        Job(f"j{n:06}", (at - FROM).total_seconds(), float(row["duration"]), int(row["num_gpus"]), row["cluster"])
        for n, (at, row) in enumerate(rows)
    ]


def line_of(name: str, fates: Sequence[Fate], cost_s: float, decisions: int, cpu_s: float) -> dict[str, object]:
    """A user's slowdown is the time its jobs took over the time they would have taken alone; the worst is given."""
    took = sorted(fate.took_s for fate in fates)
    waited = sorted(fate.took_s - fate.job.duration_s for fate in fates)
    users: dict[str, list[Fate]] = {}
    for fate in fates:
        users.setdefault(fate.job.user, []).append(fate)
    slowdowns = [sum(f.took_s for f in each) / sum(f.job.duration_s for f in each) for each in users.values()]
    return {
        "workload": "philly",
        "policy": name,
        "cost_s": cost_s,
        "jobs": len(took),
        "mean_h": round(sum(took) / len(took) / HOUR_S, 3),
        "p95_h": round(took[int(0.95 * len(took))] / HOUR_S, 2),
        "wait_p99_min": round(waited[int(0.99 * len(waited))] / 60),
        "wait_max_h": round(waited[-1] / HOUR_S, 1),
        "worst_user_slowdown": round(max(slowdowns), 2),
        "stops": sum(fate.stops for fate in fates),
        "decisions": decisions,
        "ms_per_decision": round(1000 * cpu_s / decisions, 2),
    }


def show(line: Mapping[str, object], is_json: bool, is_first: bool) -> None:
    if is_json:
        print(json.dumps(line), flush=True)
        return
    names = [name for name in line if name != "workload"]
    if is_first:
        print("  ".join(f"{name:>18}" for name in names))
    print("  ".join(f"{line[name]!s:>18}" for name in names), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the trace's folder, or one with philly/ in it")
    parser.add_argument("--policies", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--cost-s", type=float, default=0.0, help="work lost by each stop (default: none)")
    parser.add_argument("--json", action="store_true", help="one JSON line for each policy")
    args = parser.parse_args()
    jobs = read_jobs(trace_folder(args.data, "philly", "jobs.csv") / "jobs.csv")
    settings = settings_of(jobs)
    names: list[str] = args.policies or list(settings)
    for name in names:
        began = time.process_time()
        replay = Replay({job.id: job for job in jobs}, settings[name], args.cost_s)
        replay.run()
        cpu_s = time.process_time() - began
        line = line_of(name, list(replay.fates.values()), args.cost_s, replay.decisions, cpu_s)
        show(line, args.json, name == names[0])


if __name__ == "__main__":
    main()
