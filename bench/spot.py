"""What does spot under a deadline cost, beside the rules it is held against and beside who knows the future?

    .venv/bin/python bench/spot.py --data DIR [--starts 24] [--json]

DIR holds traces of spot as the authors of "Can't Be Late" (NSDI 2024) published them. Each policy runs each job: 48
hours of work, four deadlines, two costs of a start, from `--starts` moments of each trace. `closed` is the share of the
way from greedy to omniscient.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean

from spot_world import (
    SETTINGS,
    Maker,
    Trace,
    greedy,
    never_idle,
    omniscient,
    on_demand,
    ours,
    played,
    traces_in,
    uniform_progress,
    uniform_progress_by_letter,
)
from trace_folder import trace_folder

POLICIES: dict[str, Maker] = {
    "on-demand": on_demand,
    "never-idle": never_idle,
    "greedy": greedy,
    "uniform-progress": uniform_progress,
    "uniform-progress-by-letter": uniform_progress_by_letter,
    "weyr": ours,
}


def measured(trace: Trace, starts: int) -> dict[str, tuple[float, int]]:
    """For each policy the mean cost and how many jobs were late; for `omniscient` the bound."""
    jobs = [(setting, start) for setting in SETTINGS for start in trace.starts(setting.deadline_h, starts)]
    found = {"omniscient": (fmean(omniscient(trace, start, setting) for setting, start in jobs), 0)}
    for name, maker in POLICIES.items():
        ends = [played(trace, start, setting, maker(setting, trace.gap_h, len(trace.there))) for setting, start in jobs]
        found[name] = fmean(cost for cost, _ in ends), sum(is_late for _, is_late in ends)
    return found


def printed(name: str, found: dict[str, tuple[float, int]], jobs: int, is_json: bool) -> None:
    first, last = found["greedy"][0], found["omniscient"][0]
    for policy, (cost, late) in sorted(found.items(), key=lambda each: -each[1][0]):
        closed = (first - cost) / (first - last)
        if is_json:
            row = {"workload": name, "policy": policy, "mean_cost": round(cost, 3), "late": late, "jobs": jobs}
            print(json.dumps(row | {"closed": round(closed, 3)}), flush=True)
        else:
            print(
                f"{name:<30} {policy:<26} {cost:8.2f} USD  {late:4} of {jobs} late  {closed:+6.1%} closed", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the traces' folder, or one with spot/ in it")
    parser.add_argument("--starts", type=int, default=24, help="jobs per trace and setting")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each row")
    options = parser.parse_args()
    traces = list(traces_in(trace_folder(options.data, "spot", "*.json")))
    single: list[dict[str, tuple[float, int]]] = []
    for trace in traces:
        found = measured(trace, options.starts)
        printed(trace.name, found, options.starts * len(SETTINGS), options.json)
        if len(trace.there) == 1:
            single.append(found)
    names = single[0]
    together = {
        name: (fmean(found[name][0] for found in single), sum(found[name][1] for found in single)) for name in names
    }
    printed("all single zones", together, options.starts * len(SETTINGS) * len(single), options.json)


if __name__ == "__main__":
    main()
