"""What does a job cost, and how many can there be, beside Slurm and HyperQueue on the same machine in the same run?

    python bench/jobs.py [--count 1000] [--running 1000] [--slurm-count 40] [--hyperqueue PYTHON] [--only ours,slurm,hq]

Wall time is from the submit to what the user sees; CPU is of everything the system runs, its daemons, wrappers and the
programs themselves, read from a control group of its own (cpuacct; needs root). All run jobs of one CPU, as many at
once as the machine has. Memory is what all its processes hold together, shared pages shared out.
"""

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import job_peers

WEYR = Path(sys.executable).parent / "weyr"
ONES = 9
SEQUENTIAL = 20
CPUS = os.cpu_count() or 1
ACCOUNTS = Path("/sys/fs/cgroup/cpuacct")
PAUSE_S = 0.002


class Account:
    """The CPU time and the memory of what is started through it, and of all that comes of that."""

    def __init__(self, name: str) -> None:
        assert (ACCOUNTS / "cgroup.procs").exists(), "this bench counts CPU time with cgroup v1's cpuacct"
        self._folder = ACCOUNTS / f"weyr-bench-{name}-{os.getpid()}"
        self._folder.mkdir()

    def joined(self, command: list[str]) -> list[str]:
        """The command as one that first joins the account."""
        return ["/bin/sh", "-c", f'echo $$ > {self._folder}/cgroup.procs; exec "$@"', "join", *command]

    def cpu_s(self) -> float:
        return int((self._folder / "cpuacct.usage").read_text()) / 1e9

    def memory_bytes(self, but: str) -> int:
        """What its processes hold, without the jobs' own, which run the command `but`."""
        return sum(_pss(pid) for pid in self._pids() if _name(pid) != but)

    def count(self, name: str) -> int:
        """How many of its processes run this command."""
        return sum(_name(pid) == name for pid in self._pids())

    def _pids(self) -> list[str]:
        return (self._folder / "cgroup.procs").read_text().split()

    def close(self) -> None:
        for _ in range(200):
            try:
                self._folder.rmdir()
                return
            except OSError:
                time.sleep(0.05)


class Weyr:
    """A server on a data folder of its own, asked as its own clients ask it."""

    def __init__(self, home: Path, account: Account) -> None:
        self.home, self._account = home, account
        self.command(*("server", "start"), joined=True)
        info = json.loads((home / "run" / "server.json").read_text())
        self._token = (home / "admin.token").read_text().strip()
        parts = urlsplit(info["url"])
        self._door = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=600)

    def command(self, *words: str, joined: bool = False) -> None:
        command = [str(WEYR), "--home", str(self.home), *words]
        done = subprocess.run(self._account.joined(command) if joined else command, capture_output=True, text=True)
        assert done.returncode == 0, f"weyr {' '.join(words)}: {done.stderr}"

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._door.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._door.getresponse()
        answer: dict[str, object] = json.loads(response.read())
        assert response.status < 400, answer
        return answer

    def submit(self, stack: str, run: str, count: int, cpu: float = 1) -> None:
        jobs = "".join(f"  j{n:05d}: {{run: {json.dumps(run)}, resources: {{cpu: {cpu}}}}}\n" for n in range(count))
        plan = self.call("POST", "/v1/plans", {"text": f"stack: {stack}\njobs:\n{jobs}", "file": "weyr.yaml"})
        self.call("POST", f"/v1/plans/{plan['id']}/apply")

    def wait(self, stack: str, count: int, phase: str = "done") -> None:
        while True:
            (found,) = [s for s in self.call("GET", "/v1/stacks")["stacks"] if s["name"] == stack]  # type: ignore
            if sum(value == phase for value in found["phases"].values()) == count:
                return
            time.sleep(0.01 if count < 10 else count / 1000)  # to ask of a thousand is work of its own

    def log(self, stack: str) -> str:
        """What the stack's job wrote, read from its folder as the reader of a file would."""
        folders = [
            *(self.home / "tasks").glob(f"{stack}%3A*"),
            *(self.home / "tasks" / ".archive").glob(f"{stack}%3A*"),
        ]
        try:
            return "".join(file.read_text() for folder in folders for file in folder.glob("*.log"))
        except FileNotFoundError:
            return ""  # archived while we looked

    def close(self) -> None:
        self._door.close()
        for stack in self.call("GET", "/v1/stacks")["stacks"]:  # type: ignore[attr-defined]
            subprocess.run(
                [str(WEYR), "--home", str(self.home), "down", "--stack", stack["name"], "--yes"], capture_output=True
            )
        subprocess.run([str(WEYR), "--home", str(self.home), "server", "stop"], capture_output=True)

    def _stacks(self) -> list[str]:
        return [stack["name"] for stack in self.call("GET", "/v1/stacks")["stacks"]]  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="no-op jobs queued at once")
    parser.add_argument("--running", type=int, default=1000, help="sleeping jobs at once")
    parser.add_argument("--slurm-count", type=int, default=40, help="as --count, for Slurm, which takes a second each")
    parser.add_argument("--hyperqueue", help="a Python that has HyperQueue; by default one is made")
    parser.add_argument("--only", default="ours,hq,slurm")
    options = parser.parse_args()
    chosen = options.only.split(",")
    _floor()
    with _folder() as folder:
        if "ours" in chosen:
            _ours(folder / "weyr", options.count, options.running)
        if "hq" in chosen:
            _hyperqueue(folder, options.hyperqueue, options.count, options.running)
        if "slurm" in chosen:
            _slurm(folder / "slurm", options.slurm_count)


def _floor() -> None:
    """What no system can do without: a process for each job."""
    before, began = os.times(), time.perf_counter()
    for _ in range(200):
        pid = os.posix_spawn("/bin/sh", ["/bin/sh", "-c", "true"], {})
        os.waitpid(pid, 0)
    after = os.times()
    cpu_s = sum(after[:4]) - sum(before[:4])
    _say("bare sh -c true", f"{(time.perf_counter() - began) / 200 * 1000:.2f} ms, {cpu_s / 200 * 1000:.2f} ms of CPU")


def _ours(home: Path, count: int, running: int) -> None:
    account = Account("weyr")
    weyr = Weyr(home, account)
    try:
        file = home / "one.yaml"
        by_command, by_api = [], []
        for number in range(ONES):
            file.write_text(f"stack: c{number}\njobs:\n  one: {{run: echo hello}}\n")
            with _up(weyr, file):
                by_command.append(_seconds(lambda n=number: _until(lambda: "hello" in weyr.log(f"c{n}"))))
            by_api.append(_seconds(lambda n=number: _submits(weyr, f"a{n}")))
        _say("weyr  up → first log line", _spread(by_command))
        _say("weyr  API submit → first log line", _spread(by_api))
        took_s = _seconds(lambda: [_one_by_one(weyr, n) for n in range(SEQUENTIAL)])
        _say("weyr  no-op jobs, one by one", f"{SEQUENTIAL / took_s:.1f} jobs/s")
        _rate("weyr", account, count, lambda: (weyr.submit("many", "true", count), weyr.wait("many", count)))
        before = account.memory_bytes("sleep")
        cpu_s = account.cpu_s()
        weyr.submit("idle", "exec sleep 900", running, cpu=0.001)
        _until(lambda: account.count("sleep") == running)
        _say(f"weyr  start of {running} at once", f"{(account.cpu_s() - cpu_s) / running * 1000:.2f} ms of CPU each")
        _held("weyr", account, running, before)
    finally:
        weyr.close()
        account.close()


@contextmanager
def _up(weyr: Weyr, file: Path) -> Iterator[None]:
    """The command while it runs. It follows its stack until that rests, which is later than its job's first line."""
    command = [str(WEYR), "--home", str(weyr.home), "up", str(file), "--yes"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        yield


def _submits(weyr: Weyr, stack: str) -> None:
    weyr.submit(stack, "echo hello", 1)
    _until(lambda: "hello" in weyr.log(stack))


def _one_by_one(weyr: Weyr, number: int) -> None:
    weyr.submit(f"s{number}", "true", 1)
    weyr.wait(f"s{number}", 1)


def _hyperqueue(folder: Path, python: str | None, count: int, running: int) -> None:
    python = python or job_peers.hyperqueue_python(folder / "venv")
    account = Account("hq")
    hq = job_peers.HyperQueue(python, folder / "hq", CPUS, account.joined)
    try:
        times = []
        for number in range(ONES):
            out = folder / "hq" / f"one{number}-0"
            hq_one = _seconds(
                lambda n=number, f=out: (
                    hq.run(["echo", "hello"], 1, name=f"one{n}", wait=False),
                    _until(lambda: f.exists() and "hello" in f.read_text()),
                )
            )
            times.append(hq_one)
        _say("hq    submit → first log line", _spread(times) + " (from Python, with nothing to start)")
        _rate("hq", account, count, lambda: hq.run(["sh", "-c", "true"], count))
        before = account.memory_bytes("sleep")
        hq.run(["sleep", "900"], running, cpus="0.001", wait=False)
        _until(lambda: account.count("sleep") == running)
        _held("hq", account, running, before)
    finally:
        hq.close()
        account.close()


def _slurm(folder: Path, count: int) -> None:
    account = Account("slurm")
    with job_peers.slurm(folder, CPUS, account.joined) as environment:
        times = []
        for number in range(ONES // 3):
            out = folder / f"one-{number}"
            command = ["sbatch", "-Q", "-o", str(out), "--wrap", "echo hello"]
            times.append(
                _seconds(
                    lambda c=command, f=out: (
                        subprocess.run(c, env=environment, check=True),
                        _until(lambda: f.exists() and "hello" in f.read_text()),
                    )
                )
            )
        _say("slurm sbatch → first log line", _spread(times))
        _until(lambda: job_peers.slurm_waits(environment) == 0, pause_s=0.1)

        def many() -> None:
            job_peers.sbatch(environment, f"--array=1-{count}", "--wrap", "true")
            _until(lambda: job_peers.slurm_waits(environment) == 0, pause_s=0.1)

        _rate("slurm", account, count, many)
    account.close()


def _rate(name: str, account: Account, count: int, work: Callable[[], object]) -> None:
    cpu_s = account.cpu_s()
    took_s = _seconds(work)
    each_ms = (account.cpu_s() - cpu_s) / count * 1000
    _say(f"{name:5} {count} no-op jobs queued", f"{count / took_s:.1f} jobs/s, {each_ms:.2f} ms of CPU each")


def _held(name: str, account: Account, running: int, before: int) -> None:
    cpu_s, began = account.cpu_s(), time.perf_counter()
    time.sleep(10)  # the time over which their upkeep is averaged; nothing is waited for
    load = (account.cpu_s() - cpu_s) / (time.perf_counter() - began)
    each = (account.memory_bytes("sleep") - before) / running
    _say(f"{name:5} {running} running", f"{each / 1e6:.2f} MB each, {load * 100:.1f} % of a CPU for all")


def _name(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _pss(pid: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _until(is_so: Callable[[], bool], pause_s: float = PAUSE_S) -> None:
    deadline = time.monotonic() + 600
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(pause_s)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _spread(times: list[float]) -> str:
    ordered = sorted(times)
    return f"p50 {statistics.median(ordered):.3f} s, p90 {ordered[int(len(ordered) * 0.9)]:.3f} s"


def _say(name: str, text: str) -> None:
    print(f"{name:36}{text}", flush=True)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="weyr-bench-"))
    folder.chmod(0o755)  # munged trusts no socket below a folder that others cannot enter
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
