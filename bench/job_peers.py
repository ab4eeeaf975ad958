"""Who runs jobs on one machine? Weyr, Slurm, Ray's job server and HyperQueue, each private, asked for the same things.

Each has a folder, an account and so many slots, and is ended with all of its account.
"""

import http.client
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from account import Account
from ports import free_port

sys.path[:0] = [str(Path(__file__).parent.parent / "tests" / "clusters")]

from ray_cluster import QUIET, RAY  # noqa: E402 - beside the tests
from slurm_cluster import running_slurm  # noqa: E402

WITHIN_S = 120.0
DRIVER = """
import json, sys
from pathlib import Path
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
from hyperqueue.ffi.protocol import ResourceRequest

folder, cores = Path(sys.argv[1]), int(sys.argv[2])
(folder / "server").mkdir()
with LocalCluster(str(folder / "server"), WorkerConfig(cores=cores)) as cluster:
    client = cluster.client()
    print("ready", flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        job = Job(default_workdir=folder)
        for number in range(ask["count"]):
            out = folder / f"{ask['name']}-{number}"
            job.program(ask["argv"], stdout=out, stderr=None, resources=ResourceRequest(cpus="1"))
        submitted = client.submit(job)
        if ask["wait"]:
            client.wait_for_jobs([submitted])
        print("done", flush=True)
"""
TASK = """
import os, sys, time, ray
ray.init(logging_level="error", log_to_driver=False)
@ray.remote(max_retries=1)
def work(path):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(600)
ray.get(work.remote(sys.argv[1]))
"""
WEYR = Path(sys.executable).parent / "weyr"


class Peer(Protocol):
    """One system. A name is given once; `run` is a line of shell."""

    account: Account

    def submit(self, name: str, run: str) -> None:
        """By what programs call: an API, where there is one."""

    def command(self, name: str, run: str) -> list[str] | None:
        """The command by which a person submits it; None: there is none. It may stay until the job has ended."""

    def log(self, name: str) -> str:
        """What the job wrote, read from the file in which the system keeps it."""

    def submit_retried(self, name: str, file: Path) -> None:
        """A `program`, with one more attempt after a first that failed, asked for as well as the system can."""

    def has_failed(self, name: str) -> bool:
        """The system calls the job failed, and does nothing more."""

    def no_ops(self, count: int) -> None:
        """So many jobs at once, until the last has ended."""

    def idle(self, count: int, run: str) -> None:
        """So many jobs at once, which run on."""

    def close(self) -> None: ...


class Weyr:
    """A server on a data folder of its own, asked as its own clients ask it."""

    def __init__(self, folder: Path, slots: int) -> None:
        self.account = Account("weyr")
        self._home, self._slots = folder, slots
        with self.account.inside():
            self._command("server", "start")
        self._token = (folder / "admin.token").read_text().strip()
        self._door = _door(json.loads((folder / "run" / "server.json").read_text())["url"])

    def submit(self, name: str, run: str) -> None:
        self._up(name, [f"run: {json.dumps(run)}"])

    def command(self, name: str, run: str) -> list[str]:
        file = self._home / f"{name}.yaml"
        file.write_text(f"stack: {name}\njobs:\n  one: {{run: {json.dumps(run)}}}\n")
        return [str(WEYR), "--home", str(self._home), "up", str(file), "--yes"]

    def log(self, name: str) -> str:
        tasks = self._home / "tasks"
        folders = [*tasks.glob(f"{name}%3A*"), *(tasks / ".archive").glob(f"{name}%3A*")]
        try:
            return "".join(file.read_text() for folder in folders for file in folder.glob("*.log"))
        except FileNotFoundError:
            return ""  # archived while we looked

    def submit_retried(self, name: str, file: Path) -> None:
        self._up(name, [f"run: {json.dumps(program(file))}, retries: {{max: 1, backoff: 0s}}"])

    def has_failed(self, name: str) -> bool:
        return "failed" in self._phases()[name]

    def no_ops(self, count: int) -> None:
        self._up("many", ["run: 'true'"] * count)
        until(lambda: self._phases()["many"].count("done") == count, pause_s=max(0.01, count / 1000))

    def idle(self, count: int, run: str) -> None:
        self._up("idle", [f"run: {json.dumps(run)}"] * count)

    def close(self) -> None:
        try:
            for stack, phases in self._phases().items():
                if set(phases) - {"done", "failed"}:
                    self._command("down", "--stack", stack, "--yes")
            self._command("server", "stop")
        finally:
            self.account.close()

    def _up(self, stack: str, jobs: list[str]) -> None:
        cpu = (os.cpu_count() or 1) / self._slots
        lines = "".join(f"  j{n:05d}: {{{job}, resources: {{cpu: {cpu}}}}}\n" for n, job in enumerate(jobs))
        plan = self._call("POST", "/v1/plans", {"text": f"stack: {stack}\njobs:\n{lines}", "file": "weyr.yaml"})
        self._call("POST", f"/v1/plans/{plan['id']}/apply")

    def _phases(self) -> dict[str, list[str]]:
        return {s["name"]: [*s["phases"].values()] for s in self._call("GET", "/v1/stacks")["stacks"]}

    def _call(self, method: str, path: str, body: object = None) -> Any:
        return _called(self._door, method, path, body, {"Authorization": f"Bearer {self._token}"})

    def _command(self, *words: str) -> None:
        done = subprocess.run([str(WEYR), "--home", str(self._home), *words], capture_output=True, text=True)
        assert done.returncode == 0, f"weyr {' '.join(words)}: {done.stderr}"


class Slurm:
    """One node and a scheduler that looks at once. There is no slurmrestd: `sbatch` is the API as well."""

    def __init__(self, folder: Path, slots: int) -> None:
        folder.mkdir()
        self.account = Account("slurm")
        self._folder, self._stack = folder, ExitStack()
        with self.account.inside():
            self._cluster = self._stack.enter_context(running_slurm(nodes=1, cpus=slots))
        os.environ |= self._cluster.env  # by which the commands find it

    def submit(self, name: str, run: str) -> None:
        self._sbatch(name, run)

    def command(self, name: str, run: str) -> list[str]:
        # Without --mem a job takes the whole node.
        return ["sbatch", "-Q", "-J", name, "--mem=1", "-o", str(self._folder / name), "--wrap", run]

    def log(self, name: str) -> str:
        file = self._folder / name
        return file.read_text() if file.exists() else ""

    def submit_retried(self, name: str, file: Path) -> None:
        self._sbatch(name, program(file), "--requeue")

    def has_failed(self, name: str) -> bool:
        return "FAILED" in self._cluster.run("squeue", "-h", "-n", name, "-t", "all", "-o", "%T")

    def no_ops(self, count: int) -> None:
        self._sbatch("many", "true", f"--array=1-{count}")
        until(lambda: not self._cluster.run("squeue", "-h", "-r", "-t", "PD,R,CG,CF").strip(), pause_s=0.1)

    def idle(self, count: int, run: str) -> None:
        self._sbatch("idle", run, f"--array=1-{count}")

    def close(self) -> None:
        self._stack.close()
        self.account.close()

    def _sbatch(self, name: str, run: str, *options: str) -> None:
        self._cluster.run(*self.command(name, run)[:-2], *options, "--wrap", run)


class RayJobs:
    """A head with its job server. `python` is one that has ray[default]."""

    def __init__(self, folder: Path, slots: int, python: str) -> None:
        folder.mkdir()
        self.account = Account("ray")
        self._folder, self._python = folder, python
        ports = [free_port() for _ in range(4)]
        words = ["--head", "--block", "--disable-usage-stats", "--node-ip-address=127.0.0.1", f"--port={ports[0]}",
                 f"--num-cpus={slots}", "--object-store-memory=80000000", f"--temp-dir={folder}/t",
                 "--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={ports[1]}",
                 f"--dashboard-agent-listen-port={ports[2]}", f"--dashboard-agent-grpc-port={ports[3]}"]  # fmt: skip
        self._url = f"http://127.0.0.1:{ports[1]}"
        self._door = _door(self._url)
        with (folder / "log").open("wb") as log, self.account.inside():
            command = [python, "-c", RAY, "start", *words]
            self._head = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **QUIET})
        try:
            until(self._answers, pause_s=0.1)
            # Once before it counts: the server starts what it needs for jobs when one comes.
            self.submit("first", "true")
            until(lambda: _called(self._door, "GET", "/api/jobs/first")["status"] == "SUCCEEDED", pause_s=0.1)
        except BaseException:
            self.close()
            raise

    def submit(self, name: str, run: str) -> None:
        body = {"entrypoint": run, "submission_id": name, "entrypoint_num_cpus": 1}
        _called(self._door, "POST", "/api/jobs/", body)

    def command(self, name: str, run: str) -> list[str]:
        ray = str(Path(self._python).parent / "ray")
        return [ray, "job", "submit", "--address", self._url, "--no-wait", "--submission-id", name, "--", *run.split()]

    def log(self, name: str) -> str:
        file = self._folder / "t" / "session_latest" / "logs" / f"job-driver-{name}.log"
        return file.read_text() if file.exists() else ""

    def submit_retried(self, name: str, file: Path) -> None:
        self.submit(name, program(file))  # a job has no retries; only a task or an actor of one has

    def submit_task(self, name: str, file: Path) -> None:
        """As `submit_retried`, of a job's task, whose worker is the program."""
        self.submit(name, f"{self._python} -c {shlex.quote(TASK)} {file}")

    def has_failed(self, name: str) -> bool:
        return _called(self._door, "GET", f"/api/jobs/{name}")["status"] == "FAILED"

    def no_ops(self, count: int) -> None:
        for number in range(count):
            self.submit(f"many-{number}", "true")

        def all_ended() -> bool:
            jobs = _called(self._door, "GET", "/api/jobs/")
            many = [job["status"] for job in jobs if (job["submission_id"] or "").startswith("many-")]
            return many.count("SUCCEEDED") == count

        until(all_ended, pause_s=0.1)

    def idle(self, count: int, run: str) -> None:
        for number in range(count):
            self.submit(f"idle-{number}", run)

    def close(self) -> None:
        self.account.close()
        self._head.wait()

    def _answers(self) -> bool:
        assert self._head.poll() is None, (self._folder / "log").read_text()
        try:
            _called(self._door, "GET", "/api/jobs/")
        except (OSError, http.client.HTTPException, AssertionError):
            return False
        return True


class HyperQueue:
    """A server and a worker in one process, which is told what to run. `python` is one that has hyperqueue.

    It has no command here, and tries a program again only where its worker was lost.
    """

    def __init__(self, folder: Path, slots: int, python: str) -> None:
        folder.mkdir()
        self.account = Account("hq")
        self._folder = folder
        with self.account.inside():
            self._process = subprocess.Popen(
                [python, "-c", DRIVER, str(folder), str(slots)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        self._hear("ready")

    def submit(self, name: str, run: str) -> None:
        self._ask(name, run, 1, is_awaited=False)

    def command(self, name: str, run: str) -> None:
        return None

    def log(self, name: str) -> str:
        file = self._folder / f"{name}-0"
        return file.read_text() if file.exists() else ""

    def submit_retried(self, name: str, file: Path) -> None:
        self.submit(name, program(file))

    def has_failed(self, name: str) -> bool:
        return False  # not asked; who waits for another attempt gives up in time

    def no_ops(self, count: int) -> None:
        self._ask("many", "true", count, is_awaited=True)

    def idle(self, count: int, run: str) -> None:
        self._ask("idle", run, count, is_awaited=False)

    def close(self) -> None:
        self.account.close()
        self._process.wait()

    def _ask(self, name: str, run: str, count: int, is_awaited: bool) -> None:
        assert self._process.stdin
        ask = {"argv": ["sh", "-c", run], "count": count, "name": name, "wait": is_awaited}
        self._process.stdin.write(json.dumps(ask) + "\n")
        self._process.stdin.flush()
        self._hear("done")

    def _hear(self, word: str) -> None:
        """Waits for a line of the driver's; HyperQueue itself prints tables."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.strip() == word:
                return
        raise AssertionError(f"HyperQueue ended before it said {word!r}")


def program(file: Path) -> str:
    """A line of shell that adds its process's number to the file as a line, and runs on."""
    return f"echo $$ >> {file}; exec sleep 600"


def until(is_so: Callable[[], bool], pause_s: float = 0.002, within_s: float = WITHIN_S) -> None:
    """Raises: TimeoutError."""
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() >= deadline:
            raise TimeoutError("waited in vain")
        time.sleep(pause_s)


def _door(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=WITHIN_S)


def _called(
    door: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """The answer's JSON, as it is."""
    text = None if body is None else json.dumps(body)
    try:
        door.request(method, path, text, {"Content-Type": "application/json", **(headers or {})})
        response = door.getresponse()
        answer = response.read()
    finally:
        door.close()  # a server ends a connection that rests
    assert response.status < 400, answer
    return json.loads(answer) if answer else None
