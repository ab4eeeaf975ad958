"""How long does a week of 100 endpoints and 1,000 jobs a day take to rehearse?

    .venv/bin/python bench/rehearse.py [--days 7] [--endpoints 100] [--jobs 1000] [--profile tottime] [--json]

One process, one core. The endpoints are asked between 0.06 and 32 times a second in the mean (log-uniform), over an
office's day, for 50, 200 or 500 ms each; half of them may sleep, and all of them scale up to six replicas. Jobs of 2
vCPU take 20 minutes. The limit that this is held against is 60 s for all of it. CPU seconds depend less than wall
seconds on who else uses the machine; beside them stands what ten million additions in Python took just before.
"""

import argparse
import cProfile
import json
import pstats
import random
import tempfile
import time
from pathlib import Path

from weyr.compose.kinds import KINDS
from weyr.core.units import DAY_S
from weyr.sim.rehearsal.outcome import outcome_of
from weyr.sim.rehearsal.rates import arrivals_at, read_rates
from weyr.sim.rehearsal.setting import Setting
from weyr.sim.rehearsal.world import Rehearsal
from weyr.stack.parse import parse_stack

LIMIT_S = 60.0


def stack_text(endpoints: int) -> str:
    scale = "scale: {min: %d, max: 6, target_inflight: 4}, waiting: {per_replica: 4}"
    lines = [f"  e{n}: {{run: serve, ready: /, {scale % (n % 2)}}}" for n in range(endpoints)]
    job = "  train: {run: x, resources: {cpu: 2, memory: 4GiB}, expected_duration: 20m}"
    return "\n".join(["stack: many", "jobs:", job, *(["endpoints:", *lines] if lines else [])]) + "\n"


def rates_text(endpoints: int, jobs: float) -> str:
    chance = random.Random(1)
    asked = [
        f"endpoint/e{n}={2 ** chance.uniform(-4, 5):.3f}/s*{chance.choice((50, 200, 500))}ms" for n in range(endpoints)
    ]
    return ", ".join([f"job/train={jobs:g}/d*20m", *asked])


def yardstick_s() -> float:
    """What ten million additions take here just now."""
    began, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--endpoints", type=int, default=100)
    parser.add_argument("--jobs", type=float, default=1000.0, help="a day")
    parser.add_argument("--profile", default="", metavar="KEY", help="print a profile by this key, such as tottime")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    stack = parse_stack(stack_text(options.endpoints), "many.yaml", KINDS)
    known = [str(ref) for ref in stack.objects]
    length_s = options.days * DAY_S
    yard_s = yardstick_s()
    began, cpu = time.perf_counter(), time.process_time()
    arrivals = arrivals_at(read_rates(rates_text(options.endpoints, options.jobs), known, {}), length_s, "office", 1)
    profile = cProfile.Profile() if options.profile else None
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = Rehearsal(KINDS, stack, arrivals, Setting(length_s), Path(folder))
        if profile:
            profile.enable()
        rehearsal.run()
        if profile:
            profile.disable()
        out = outcome_of(rehearsal)
        rehearsal.close()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    requests = sum(of["requests"] for of in out["serving"].values())
    late = sum(of["late"] + of["dropped"] for of in out["serving"].values())
    row = {
        "days": options.days, "endpoints": options.endpoints, "runs": out["jobs"]["train"]["asked"],
        "requests": requests, "late": round(late / max(1, requests), 5), "usd": out["cost"]["total_micros"] / 1e6,
        "wall_s": round(wall_s, 1), "cpu_s": round(cpu_s, 1), "yardstick_s": round(yard_s, 2),
        "of_the_limit": round(cpu_s / LIMIT_S / (options.days / 7), 2),
    }  # fmt: skip
    if options.json:
        print(json.dumps(row))
    else:
        print(
            f"{options.days:g} days of {options.endpoints} endpoints and {row['runs']:,} runs, {requests:,} requests: "
            f"{wall_s:.1f} s, {cpu_s:.1f} s of CPU; {row['of_the_limit']:.2f} of what a week may take (60 s) "
            f"(ten million additions: {yard_s:.2f} s). It would cost {row['usd']:.2f} USD, {row['late']:.2%} late."
        )
    if profile:
        pstats.Stats(profile).sort_stats(options.profile).print_stats(45)


if __name__ == "__main__":
    main()
