"""Does anything grow under load that goes on? Memory, handles and latency of the plane and the model server, by minute.

    python bench/steady.py [--minutes 10] [--connections 16] [--json]

The digits model of bench/serving.py is asked through the plane without a pause. The ratio compares the last minute with
the second: in the first everybody still warms up.
"""

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from http_load import measure
from serving import DIGIT, served_digits
from serving_bench import Bench, post

MINUTE_S = 60.0


@dataclass(frozen=True)
class Minute:
    """One minute of load. Memory is the resident set; handles are open files and sockets, of both processes."""

    minute: int
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    plane_mb: float
    replica_mb: float
    handles: int
    failures: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--json", action="store_true", help="one JSON object a minute")
    options = parser.parse_args()
    minutes = [_told(minute, options.json) for minute in _minutes(options.minutes, options.connections)]
    begin, end = minutes[min(1, len(minutes) - 1)], minutes[-1]
    for name in ("plane_mb", "replica_mb", "handles", "p50_ms", "p99_ms"):
        before, after = getattr(begin, name), getattr(end, name)
        print(f"{name:12} {before:8.1f} -> {after:8.1f}   x{after / before:.2f}")
    assert not sum(minute.failures for minute in minutes)


def _minutes(count: int, connections: int) -> Iterator[Minute]:
    with contextlib.ExitStack() as stack:
        bench = Bench(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weyr-bench"))), stack)
        replica, path = served_digits(bench)
        port, plane = bench.plane(path)
        request = post("/bench/model/v2/models/digits/infer", DIGIT)
        for n in range(1, count + 1):
            yield _minute(n, port, request, connections, plane, replica)


def _minute(minute: int, port: int, request: bytes, connections: int, plane: int, replica: int) -> Minute:
    load = measure(port, request, connections, MINUTE_S, [plane, replica])
    processes = psutil.Process(plane), psutil.Process(replica)
    plane_mb, replica_mb = (process.memory_info().rss / 1e6 for process in processes)
    handles = sum(process.num_fds() for process in processes)
    return Minute(
        minute, load.per_s, load.p50_ms, load.p99_ms, load.cpu_us, plane_mb, replica_mb, handles, load.failures
    )


def _told(minute: Minute, as_json: bool) -> Minute:
    if as_json:
        print(json.dumps(asdict(minute)), flush=True)
    else:
        print("  ".join(f"{name} {value:.6g}" for name, value in asdict(minute).items()), flush=True)
    return minute


if __name__ == "__main__":
    main()
