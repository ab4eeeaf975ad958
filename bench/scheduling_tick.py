"""How long does a decision take with 100,000 jobs in line for 10,000 nodes, and how much memory does it need?

    .venv/bin/python bench/scheduling_tick.py [--jobs 100000] [--nodes 10000] [--ticks 20] [--json]

The production decision (`weyr.scheduling.queueing`, placement included) on simulated nodes: an empty cluster is
filled; then, with as many in line, in each tick some tasks end, some write a checkpoint and some jobs come. Twenty
queues with limits and guarantees, a thousand users, gangs, shares of a GPU, priorities. Counted is CPU time, which
does not depend on who else uses the machine.
"""

import argparse
import gc
import json
import random
import resource
import statistics
import time
from collections.abc import Iterator

from weyr.scheduling.placement import Node, Request
from weyr.scheduling.queueing import Decisions, Policy, Queue, Queueing, Task

PEERS = {
    "kube-scheduler, as published (CI floors, 5,000 nodes)": "680-810 pods/s, 570/s with preemption",
    "Kueue, as published (CI)": "15,000 workloads in 351 s: 43/s",
}
QUEUES, USERS = 20, 1000
SHAPES = [
    (Request(4_000, 16_384), 1, 20),
    (Request(16_000, 65_536), 1, 10),
    (Request(4_000, 16_384, share_milli=250), 1, 10),
    (Request(8_000, 65_536, devices=1), 1, 30),
    (Request(16_000, 131_072, devices=2), 1, 10),
    (Request(32_000, 262_144, devices=4, models=frozenset({"A100"})), 1, 5),
    (Request(64_000, 524_288, devices=8), 1, 8),
    (Request(64_000, 524_288, devices=8), 4, 4),
    (Request(64_000, 524_288, devices=8, models=frozenset({"H100"})), 16, 2),
    (Request(8_000, 65_536, devices=1), 8, 1),
]
LIMITS_S = (None, 3_600.0, 14_400.0, 86_400.0)


def nodes(count: int) -> Iterator[Node]:
    for n in range(count):
        match n % 4:
            case 0:
                yield Node(f"h{n:05}", 128_000, 1_048_576, 8, "H100", 81_920)
            case 1:
                yield Node(f"a{n:05}", 96_000, 1_048_576, 8, "A100", 81_920)
            case 2:
                yield Node(f"t{n:05}", 64_000, 262_144, 4, "T4", 16_384)
            case _:
                yield Node(f"c{n:05}", 64_000, 262_144)


def tasks(count: int, chance: random.Random, first: int, now_s: float, is_alike: bool) -> Iterator[Task]:
    """Each user has three sorts of jobs, or, where they are not alike, each job is a sort of its own."""
    weights = [weight for *_, weight in SHAPES]
    for n in range(first, first + count):
        user = chance.randrange(USERS)
        sort = random.Random(3 * user + chance.randrange(3)) if is_alike else chance
        request, replicas, _ = sort.choices(SHAPES, weights)[0]
        yield Task(
            f"j{n}", request, replicas, f"q{user % QUEUES}", f"u{user}", priority=sort.choice((0, 0, 0, 0, 10)),
            submitted_s=now_s, limit_s=sort.choice(LIMITS_S), is_preemptible=sort.random() < 0.5,
        )  # fmt: skip


def queues(gpus: int) -> Iterator[Queue]:
    share = gpus * 1000 // QUEUES
    for n in range(QUEUES):
        guarantee = {"gpu": share // 2} if n % 2 else {}
        yield Queue(f"q{n}", guarantee, {"gpu": 3 * share}, {"gpu": 400_000}, weight=1 + n % 3)


def timed(board: Queueing, now_s: float) -> tuple[float, Decisions]:
    began = time.process_time()
    found = board.decide(now_s)
    return time.process_time() - began, found


def filled(board: Queueing, now_s: float) -> list[tuple[float, int]]:
    """Ticks until nothing more starts: what each took, and how many started."""
    ticks: list[tuple[float, int]] = []
    while True:
        took_s, found = timed(board, now_s)
        ticks.append((took_s, len(found.starts)))
        if found.again_s != now_s:
            return ticks


def measure(jobs: int, node_count: int, ticks: int, is_alike: bool) -> dict[str, object]:
    chance = random.Random(7)
    began = time.process_time()
    board = Queueing(queues(node_count * 5), nodes(node_count), Policy())
    built_s = time.process_time() - began
    began = time.process_time()
    for task in tasks(jobs, chance, 0, 0.0, is_alike):
        board.submit(task)
    submit_us = (time.process_time() - began) / jobs * 1e6
    gc.collect()
    gc.freeze()
    full = filled(board, 1.0)
    # As many started, as many more come: all ticks are measured with as many in line.
    for task in tasks(jobs - len(board.lanes), chance, jobs, 1.0, is_alike):
        board.submit(task)
    filled(board, 1.0)
    now_s, submitted = 1.0, 2 * jobs
    steady: list[tuple[float, int, int]] = []
    for _ in range(ticks):
        now_s += 100.0
        running = list(board.decks.all)
        for id in chance.sample(running, min(len(running) // 100, 200)):
            board.end(id)
        for id in chance.sample(running, min(len(running) // 50, 400)):
            board.checkpoint(id, now_s)
        for task in tasks(200, chance, submitted, now_s, is_alike):
            board.submit(task)
        submitted += 200
        took_s, found = timed(board, now_s)
        steady.append((took_s, len(found.starts), len(found.preemptions)))
        for each in found.preemptions:
            task = board.decks.stopping[each.id].task
            board.end(each.id)
            board.submit(task)
    times = [took_s for took_s, *_ in steady]
    starts = sum(count for _, count in full)
    return {
        "jobs": jobs,
        "nodes": node_count,
        "build_s": round(built_s, 2),
        "submit_us": round(submit_us, 1),
        "full_ticks": len(full),
        "full_tick_max_s": round(max(took_s for took_s, _ in full), 3),
        "full_starts": starts,
        "full_starts_per_s": round(starts / sum(took_s for took_s, _ in full)),
        "steady_tick_s": round(statistics.median(times), 3),
        "steady_tick_max_s": round(max(times), 3),
        "steady_starts": sum(count for _, count, _ in steady),
        "steady_preemptions": sum(count for *_, count in steady),
        "lanes": len(board.lanes.lanes),
        "waiting": len(board.lanes),
        "running": len(board.decks.all),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peers": PEERS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--ticks", type=int, default=20)
    parser.add_argument("--unlike", action="store_true", help="no two jobs of a user are alike")
    parser.add_argument("--json", action="store_true", help="one JSON line")
    args = parser.parse_args()
    found = measure(args.jobs, args.nodes, args.ticks, not args.unlike)
    if args.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
