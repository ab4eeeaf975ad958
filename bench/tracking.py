"""How fast is tracking, and next to whom? Our server and MLflow's own, each in a process, by the same requests.

    python bench/tracking.py                     ours alone
    python bench/tracking.py --mlflow VENV       beside `VENV/bin/mlflow server` (a virtual environment with mlflow)

One client on one connection, as one training task is; then eight at once for ours. Every answer is
awaited and ours is on disk by then. CPU is the server's process tree, by operation. Prints a table
and, with both, the ratios.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench"
SECONDS_EACH = 2.0
RUNS_SEARCHED = 600
CLIENTS = 8


@dataclass(frozen=True)
class Server:
    """A server under test: where it listens, and the process whose tree does its work."""

    name: str
    url: str
    process: psutil.Process

    def cpu_s(self) -> float:
        tree = [self.process, *self.process.children(recursive=True)]
        return sum(sum(each.cpu_times()[:2]) for each in tree if each.is_running())

    def memory_mb(self) -> float:
        tree = [self.process, *self.process.children(recursive=True)]
        return sum(each.memory_info().rss for each in tree if each.is_running()) / 1e6


@dataclass(frozen=True)
class Rate:
    """What was measured: operations in a second, and the server's CPU for one."""

    per_s: float
    cpu_ms: float


class Client:
    """One keep-alive connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def post(self, path: str, body: object) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self._connection.request("POST", f"/api/2.0/mlflow{path}", json.dumps(body), headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
        return json.loads(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlflow", type=Path, help="a virtual environment in which mlflow is installed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with ours(Path(folder)) as server:
            weyr = measured(server)
            together = rate(server, [logger(server) for _ in range(CLIENTS)])
            print(
                f"weyr, {CLIENTS} clients at once: log-metric {together.per_s:.0f}/s, {together.cpu_ms:.2f} ms CPU each"
            )
        if arguments.mlflow is None:
            print("MLflow's own server is left out: give --mlflow VENV to measure it too.")
            return
        with stock(Path(folder), arguments.mlflow) as server:
            mlflow = measured(server)
    for name, one in weyr.items():
        print(
            f"{name:16} weyr is {one.per_s / mlflow[name].per_s:6.1f} times as fast as mlflow,"
            f" with {mlflow[name].cpu_ms / one.cpu_ms:6.1f} times less CPU"
        )


def measured(server: Server) -> dict[str, Rate]:
    client = Client(server.url)
    experiment = client.post("/experiments/create", {"name": f"bench-{uuid.uuid4().hex}"})["experiment_id"]

    def create() -> str:
        now = int(time.time() * 1000)
        run = client.post("/runs/create", {"experiment_id": experiment, "start_time": now})
        return str(run["run"]["info"]["run_id"])

    rates = {"create-run": rate(server, [create]), "log-metric": rate(server, [logger(server)])}
    run_id = create()
    step = 0

    def batch() -> None:
        nonlocal step
        now = int(time.time() * 1000)
        points = [{"key": f"m{i % 10}", "value": i * 0.5, "timestamp": now, "step": step + i} for i in range(100)]
        step += 100
        client.post("/runs/log-batch", {"run_id": run_id, "metrics": points})

    rates["log-batch of 100"] = rate(server, [batch])
    searched = client.post("/experiments/create", {"name": f"search-{uuid.uuid4().hex}"})["experiment_id"]
    for index in range(RUNS_SEARCHED):
        body = {"experiment_id": searched, "start_time": index}
        made = client.post("/runs/create", body)["run"]["info"]["run_id"]
        now = int(time.time() * 1000)
        metrics = [{"key": "loss", "value": index / RUNS_SEARCHED, "timestamp": now}]
        client.post("/runs/log-batch", {"run_id": made, "metrics": metrics, "params": [{"key": "lr", "value": "1"}]})

    def search() -> None:
        body = {
            "experiment_ids": [searched],
            "filter": "metrics.loss < 0.5 and params.lr = '1'",
            "order_by": ["metrics.loss ASC"],
            "max_results": 100,
        }
        assert len(client.post("/runs/search", body)["runs"]) == 100

    rates[f"search {RUNS_SEARCHED}"] = rate(server, [search])
    for name, one in rates.items():
        print(f"{server.name:7} {name:16} {one.per_s:8.0f}/s {one.cpu_ms:7.2f} ms CPU")
    print(f"{server.name:7} {'memory':16} {server.memory_mb():8.0f} MB")
    return rates


def logger(server: Server) -> Callable[[], None]:
    """A client with a run of its own; each call logs one point."""
    client = Client(server.url)
    now = int(time.time() * 1000)
    run_id = client.post("/runs/create", {"experiment_id": "0", "start_time": now})["run"]["info"]["run_id"]
    step = 0

    def log() -> None:
        nonlocal step
        step += 1
        client.post("/runs/log-metric", {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": now, "step": step})

    return log


def rate(server: Server, works: list[Callable[[], object]]) -> Rate:
    """Each work in a thread of its own, again and again for `SECONDS_EACH`."""
    counts = [0] * len(works)
    for work in works:
        work()
    cpu, start = server.cpu_s(), time.perf_counter()
    end = start + SECONDS_EACH

    def repeat(index: int) -> None:
        while time.perf_counter() < end:
            works[index]()
            counts[index] += 1

    threads = [threading.Thread(target=repeat, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - start
    return Rate(sum(counts) / took, (server.cpu_s() - cpu) * 1000 / max(1, sum(counts)))


@contextmanager
def ours(folder: Path) -> Iterator[Server]:
    info = folder / "info.json"
    command = [
        sys.executable,
        str(ROOT / "tests/clients/tracking_app.py"),
        "--data",
        str(folder),
        "--info",
        str(info),
        "--files",
        str(folder / "files"),
        "--token",
        f"admin={TOKEN}=*",
    ]
    process = subprocess.Popen(command)
    try:
        wait_until(info.exists, process)
        yield Server("weyr", json.loads(info.read_text())["url"], psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def stock(folder: Path, venv: Path) -> Iterator[Server]:
    port = 20_000 + os.getpid() % 20_000
    command = [
        str(venv / "bin/mlflow"),
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    environment = {
        **os.environ,
        "PATH": f"{venv}/bin:{os.environ['PATH']}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    log = (folder / "mlflow.log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    server = Server("mlflow", f"http://127.0.0.1:{port}", psutil.Process(process.pid))
    start = time.perf_counter()
    try:
        wait_until(lambda: is_up(server.url), process)
        print(f"mlflow  ready after {time.perf_counter() - start:.0f} s")
        yield server
    finally:
        for each in [*server.process.children(recursive=True), server.process]:
            each.kill()
        process.wait(20)


def is_up(url: str) -> bool:
    try:
        Client(url).post("/experiments/search", {"max_results": 1})
    except (OSError, RuntimeError, http.client.HTTPException):
        return False
    return True


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]", limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
