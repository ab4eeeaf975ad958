"""Late requests and replica-seconds of Weyr's autoscaler, beside the rules that others scale by.

    python bench/scaling.py --data FOLDER [--quick] [--tuned] [--json]

FOLDER holds Azure's traces of requests: functions as invocations per minute (2019), language models request by request
(2023). All run in virtual time on the same requests. `least` knows the future: what no policy that serves all of it can
go below. Beside each workload: how many fewer replica-seconds than the best of the others (the one with the fewest late
requests) Weyr needs, and how many fewer requests are late.

Functions follow the protocol of Faro's evaluation (EuroSys 2025; its own trace is not among these). There, with 32 and
36 replicas, .031 and .013 were late with Faro, .142 and .035 with MArk, .095 and .072 with AIAD, .369 and .322 with a
rule like Kubernetes'.
The constants of the autoscaler were chosen on the days 2, 5, 7 and 9 (`--tuned` runs three of those) and on the
language models. No constant was chosen on the days that run without it, but they were looked at before the last
mistakes that the chosen days showed were mended.
"""

import argparse
import json
import math
import sys
from pathlib import Path

from scaling_peers import PEERS, fair_share
from scaling_world import Outcome, Workload, functions, least_replica_s, played, tokens

from weyr.scheduling.scaling import Autoscaler

# A shared quota: tight and very tight, as in Faro's evaluation.
QUOTAS = (None, 36, 32)
TUNED: dict[str, tuple[str, ...]] = {"unscaled_sample": ("2", "5", "7")}
UNSEEN: dict[str, tuple[str, ...]] = {"unscaled_sample": ("11", "13"), "unscaled_sample8_day8-12": ("10",)}


def workloads(folder: Path, days: dict[str, tuple[str, ...]]) -> list[tuple[Workload, tuple[int | None, ...]]]:
    found: list[tuple[Workload, tuple[int | None, ...]]] = [
        (tokens(file, needed=12), (None,)) for file in sorted(folder.glob("AzureLLM*.csv"))
    ]
    for stem, chosen in days.items():
        if (folder / f"{stem}.csv").exists():
            found += [(functions(folder / f"{stem}.csv", day), QUOTAS) for day in chosen]
    return found


def printed(workload: Workload, quota: int | None, outcomes: dict[str, Outcome], least_s: float, is_json: bool) -> None:
    name = workload.name if quota is None else f"{workload.name}, quota {quota}"
    for policy, outcome in outcomes.items():
        late, replicas = outcome.late / outcome.requests, outcome.replica_s / workload.length_s
        if is_json:
            row = {"workload": workload.name, "quota": quota, "policy": policy, "late": round(late, 5)}
            row |= {"late_mean": round(outcome.late_mean, 5), "replica_s": round(outcome.replica_s)}
            print(json.dumps(row | {"changes": outcome.changes, "least_replica_s": round(least_s)}), flush=True)
        else:
            print(
                f"{name:<32} {policy:<10} {late:8.3%} late ({outcome.late_mean:8.3%} by endpoint) "
                f"{replicas:7.2f} replicas ({outcome.replica_s / least_s:.2f} of the least) {outcome.changes:6} moves",
                flush=True,
            )
    ours = outcomes["weyr"]
    best = min((outcome for policy, outcome in outcomes.items() if policy in PEERS), key=lambda each: each.late)
    if not is_json:
        print(
            f"{name:<32} beside the best of the others: {1 - ours.replica_s / best.replica_s:+.1%} replica-seconds "
            f"saved, {ours.late / max(1, best.late):.2f} times as many late",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the traces")
    parser.add_argument("--quick", action="store_true", help="at most half an hour of each workload")
    parser.add_argument("--tuned", action="store_true", help="the days of functions that constants were chosen on")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each row")
    options = parser.parse_args()
    found = workloads(options.data, TUNED if options.tuned else UNSEEN)
    if not found:
        sys.exit(
            f"there is no trace in {options.data}: it should hold unscaled_sample.csv, AzureLLMInferenceTrace_*.csv"
        )
    for whole, quotas in found:
        length_s = min(whole.length_s, 1800 if options.quick else math.inf)
        workload = Workload(whole.name, whole.requests, length_s, whole.concurrency, whole.target_s, whole.needed)
        least_s = least_replica_s(workload)
        for quota in quotas:
            outcomes = {name: played(workload, peer(), quota) for name, peer in PEERS.items()}
            if quota is not None:
                outcomes["fair share"] = played(workload, fair_share, quota)
            outcomes["weyr"] = played(workload, Autoscaler().targets, quota)
            printed(workload, quota, outcomes, least_s, options.json)


if __name__ == "__main__":
    main()
