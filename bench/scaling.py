"""Late requests and replica-seconds of Weyr's autoscaler, beside the rules that others scale by.

    python bench/scaling.py --data FOLDER [--hours 6] [--json]

FOLDER holds Azure's traces of requests: functions as invocations per minute (2019), language models request by request
(2023). All run in virtual time on the same requests. `least` knows the future: what no policy that serves all of it can
go below. Beside each workload: how many fewer replica-seconds than the best of the others (the one with the fewest late
requests) Weyr needs, and how many fewer requests are late.
"""

import argparse
import json
import sys
from pathlib import Path

from scaling_peers import PEERS
from scaling_world import Outcome, Workload, functions, least_replica_s, played, tokens

from weyr.scheduling.scaling import Autoscaler

# A shared quota, beside what the work fills on average: tight and very tight, as in Faro's evaluation (EuroSys 2025).
QUOTAS = {"functions": (None, 36, 32), "tokens": (None,)}


def workloads(folder: Path) -> list[tuple[Workload, tuple[int | None, ...]]]:
    found: list[tuple[Workload, tuple[int | None, ...]]] = []
    for file in sorted(folder.glob("*.csv")):
        if file.name.startswith("AzureLLM"):
            found.append((tokens(file, needed=12), QUOTAS["tokens"]))
        elif file.stem == "scaled_sample":
            found += [(functions(file, day, needed=16, seed=1), QUOTAS["functions"]) for day in ("11", "13")]
        elif file.stem == "unscaled_sample":
            found.append((functions(file, "12", needed=16, seed=1), QUOTAS["functions"]))
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
    best = min((outcome for policy, outcome in outcomes.items() if policy != "weyr"), key=lambda each: each.late)
    if not is_json:
        print(
            f"{name:<32} beside the best of the others: {1 - ours.replica_s / best.replica_s:+.1%} replica-seconds "
            f"saved, {ours.late / max(1, best.late):.2f} times as many late",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the traces")
    parser.add_argument("--hours", type=float, default=6.0, help="at most so much of each workload")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each row")
    options = parser.parse_args()
    found = workloads(options.data)
    if not found:
        sys.exit(f"there is no trace in {options.data}: it should hold scaled_sample.csv, AzureLLMInferenceTrace_*.csv")
    for whole, quotas in found:
        length_s = min(whole.length_s, 3600 * options.hours)
        workload = Workload(whole.name, whole.requests, length_s, whole.concurrency, whole.target_s, whole.needed)
        least_s = least_replica_s(workload)
        for quota in quotas:
            outcomes = {name: played(workload, peer(), quota) for name, peer in PEERS.items()}
            outcomes["weyr"] = played(workload, Autoscaler().targets, quota)
            printed(workload, quota, outcomes, least_s, options.json)


if __name__ == "__main__":
    main()
