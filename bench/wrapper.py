"""What does the wrapper cost, against a bare spawn of the same command in the same run?

    python bench/wrapper.py [--runs 100] [--tasks 50]

Wall time: order → exit recorded (sync to disk included), less fork + exec + wait. CPU: of the launcher and wrappers.
Memory: what only one wrapper holds (USS) while its task runs, and what the launcher holds.
"""

import argparse
import json
import os
import resource
import select
import shutil
import socket
import statistics
import tempfile
import time
from pathlib import Path

from weyr.attempt.orders import OrderMaker
from weyr.attempt.tasks import Tasks
from weyr.core.capability import Refused, TaskBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.engines.local.launcher_client import LauncherClient
from weyr.engines.local.tasks import LocalHost, local_tasks
from weyr.sim.identities import SimIssuer, SimSecretValues

COMMAND = "/bin/true"
AIM_MS = 5.0
PAUSE_S = 0.06
AIM_BYTES = 2_000_000


class Bench:
    """A local engine in a folder of its own, and the socket that it tells of starts and ends."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.events = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.events.bind(str(home / "events.sock"))
        self.launcher = LauncherClient(home / "l.sock", home / "l.json", home / "log")
        issuer, secrets = SimIssuer(), SimSecretValues()
        self.tasks = local_tasks(
            home / "tasks",
            home / "sockets",
            home / "cache",
            self.launcher,
            issuer,
            secrets,
            surroundings=dict,
            now=time.time,
            events=home / "events.sock",
        )
        host = LocalHost(home / "tasks", self.launcher, dict, time.time, home / "environments")
        self._orders = OrderMaker(host, home / "sockets", home / "cache", issuer, secrets, home / "events.sock")
        self._count = 0

    def one_ordered(self, number: int) -> tuple[float, float]:
        """Seconds from the order to the running program, and to the recorded exit; the command itself included."""
        want, body = _wanted("ordered", number)
        folder = self.home / f"ordered-{number}"
        folder.mkdir()
        (order,) = self._orders.make([(want, body, folder)])
        assert not isinstance(order, Refused)
        began = time.perf_counter()
        self.launcher.start([order])
        _await(self.events, "started")
        started_s = time.perf_counter() - began
        _await(self.events, "ended")
        return started_s, time.perf_counter() - began

    def one_ensured(self) -> float:
        """Seconds from the engine's verb to the recorded exit: the claim on disk comes on top."""
        self._count += 1
        want, _ = _wanted("ensured", self._count)
        began = time.perf_counter()
        self.tasks.ensure([want])
        _await(self.events, "ended")
        return time.perf_counter() - began


def _wanted(name: str, number: int) -> tuple[Wanted, TaskBody]:
    body = TaskBody((COMMAND,), "/", memory_bytes=64 << 20)
    return Wanted(ThingId(Ref("bench", "job", name), str(number)), 1, body), body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=50)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="weyr-"))
    bench = Bench(home)
    try:
        for line in (*_speed(bench, options.runs), *_memory(bench.tasks, bench.launcher, home, options.tasks)):
            print(line)
    finally:
        bench.launcher.stop()
        shutil.rmtree(home)


def _speed(bench: "Bench", runs: int) -> list[str]:
    """Alternates the two, so that a noisy neighbour disturbs both. Between two tasks there is time to draw breath,
    as there mostly is: the launcher then has a wrapper ready. Nothing is cleared away before the end: a file
    system is slow to make files where some were just removed."""
    bare: list[float] = []
    ours: list[float] = []
    begun: list[float] = []
    whole: list[float] = []
    bench.one_ordered(0)
    before_s, own_before_s = _cpu_s(bench.launcher), _own_cpu_s()
    for number in range(1, runs + 1):
        select.select([], [], [], PAUSE_S)
        bare.append(_one_bare())
        select.select([], [], [], PAUSE_S)
        started_s, ended_s = bench.one_ordered(number)
        begun.append(started_s)
        ours.append(ended_s)
        select.select([], [], [], PAUSE_S)
        whole.append(bench.one_ensured())
    bench.tasks.observe(bench.tasks.inventory())  # an end that nobody was told of would stay
    bench.tasks.release(bench.tasks.inventory())
    cpu_ms = (_cpu_s(bench.launcher) - before_s) / runs / 2 * 1000
    own_ms = (_own_cpu_s() - own_before_s) / runs / 2 * 1000
    start_ms = statistics.median(begun) * 1000
    over_ms = (statistics.median(ours) - statistics.median(bare)) * 1000
    return [
        _line("bare spawn to exit", bare),
        _line("order to recorded exit", ours),
        _line("ensure() to recorded exit", whole),
        _line("order to running program", begun),
        f"until the program runs    p50 {start_ms:6.2f} ms ({_verdict(start_ms)})",
        f"until its exit is synced  p50 {over_ms:6.2f} ms more than bare ({_verdict(over_ms)});"
        f" {(_p10(ours) - _p10(bare)) * 1000:.2f} ms in the quietest tenth",
        f"CPU per task              {cpu_ms:6.2f} ms of launcher, wrapper and command;"
        f" {own_ms:.2f} ms of the caller, its bare spawns included",
    ]


def _verdict(ms: float) -> str:
    return f"{'within' if ms < AIM_MS else 'OVER'} {AIM_MS:g} ms"


def _line(name: str, times: list[float]) -> str:
    return f"{name:25} p50 {statistics.median(times) * 1000:6.2f} ms, p95 {_p95(times) * 1000:.2f} ms"


def _memory(tasks: Tasks, launcher: LauncherClient, home: Path, count: int) -> list[str]:
    ids = [ThingId(Ref("bench", "job", "idle"), str(number)) for number in range(count)]
    tasks.ensure([Wanted(id, 1, TaskBody(("/bin/sleep", "600"), "/", memory_bytes=64 << 20)) for id in ids])
    _until(tasks, ids, TaskState.RUNNING)
    wrappers = [json.loads(path.read_text())["wrapper"] for path in home.glob("tasks/*/state.json")]
    uss = [_private_bytes(pid) for pid in wrappers]
    pid = launcher.pid()
    assert pid is not None
    lines = [
        f"memory per running task   p50 {statistics.median(uss) / 1e6:6.2f} MB, most {max(uss) / 1e6:.2f} MB of its own"
        f" ({'within' if max(uss) < AIM_BYTES else 'OVER'} {AIM_BYTES / 1e6:g} MB), over {count} tasks",
        f"launcher                  {_field_bytes(pid, 'Rss') / 1e6:6.2f} MB resident",
    ]
    began = time.monotonic()
    tasks.observe(ids)
    lines.append(f"observe                   {(time.monotonic() - began) / count * 1e6:6.0f} µs per running task")
    tasks.release(ids)
    _until(tasks, ids, TaskState.ENDED)
    tasks.release(ids)
    return lines


def _until(tasks: Tasks, ids: list[ThingId], state: TaskState) -> None:
    """Looks until all are so far. Events would not do: a socket's queue holds ten of them."""
    deadline = time.monotonic() + 60
    while True:
        facts = [seen.facts for seen in tasks.observe(ids).values() if isinstance(seen, Present)]
        if sum(isinstance(fact, TaskFacts) and fact.state is state for fact in facts) == len(ids):
            return
        assert time.monotonic() < deadline


def _one_bare() -> float:
    began = time.perf_counter()
    pid = os.posix_spawn(COMMAND, [COMMAND], {})
    os.waitpid(pid, 0)
    return time.perf_counter() - began


def _await(events: socket.socket, event: str) -> None:
    events.settimeout(20)
    while json.loads(events.recv(1024))["event"] != event:
        pass


def _cpu_s(launcher: LauncherClient) -> float:
    """The launcher's CPU and that of the wrappers it has reaped, their commands included."""
    fields = Path(f"/proc/{launcher.pid()}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _own_cpu_s() -> float:
    own, below = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def _private_bytes(pid: int) -> int:
    return _field_bytes(pid, "Private_Clean") + _field_bytes(pid, "Private_Dirty")


def _field_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def _p10(values: list[float]) -> float:
    return statistics.quantiles(values, n=10)[0]


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
