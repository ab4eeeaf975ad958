"""Which engines are there to be tried, and how does one try them all in the same words?

A world is one engine with its surroundings: it turns a `Program` into a task that the engine understands,
lets time pass, and restarts the part of the engine that may be restarted. A new engine adds one entry to `TASK_WORLDS`
and is tested the moment it exists. Other capabilities get a registry of their own beside it.
"""

import os
import shlex
import shutil
import signal
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from select import select
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from slurm_cluster import shared_slurm

from weyr.attempt.task_folder import STATE, Order, Ranks, read_json
from weyr.attempt.tasks import Tasks
from weyr.core.capability import Gang, Provider, Refused, TaskBody, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Present, Seen, TaskFacts, TaskState, Unknown
from weyr.engines.local.launcher_client import LauncherClient
from weyr.engines.local.tasks import local_tasks
from weyr.engines.slurm.settings import SlurmSettings
from weyr.engines.slurm.tasks import SlurmTasks
from weyr.sim import Script, SimEngine, VirtualClock
from weyr.sim.faults import FaultRates
from weyr.sim.identities import SimIssuer, SimSecretValues

R = TypeVar("R")
TRIES_MAX = 200


@dataclass(frozen=True)
class Program:
    """What a task shall do, in words that every engine can act out."""

    writes: str = ""
    runs_s: float = 0.0
    exit_code: int = 0
    ignores_stop: bool = False
    eats_bytes: int = 0
    tells_rank: bool = False
    """Writes which member of its gang it is: `1 of 2`."""


class TaskProvider(Provider, Protocol):
    """What a task engine offers beside the four verbs."""

    def reclaim(self, id: ThingId, notice_s: float) -> bool: ...
    def logs(self, id: ThingId, follow: bool = False, tail: int | None = None) -> Iterator[bytes]: ...


class TaskWorld(ABC):
    """One engine under trial. Verbs are asked again while the engine is silent, as the loop does."""

    provider: TaskProvider
    clock_set_by_s: float = 0.0
    """How far off the server's clock is from everybody else's. In a simulation the nodes' are."""
    doors_at = "127.0.0.1"
    """Where its tasks reach what listens on this machine."""
    patience_s = 20.0
    """How long a test waits for anything."""

    @abstractmethod
    def body(self, program: Program) -> TaskBody:
        """A task that does this."""

    @abstractmethod
    def restart(self) -> None:
        """Kills what of the engine may die at any moment, and starts it again."""

    @abstractmethod
    def pause(self) -> float:
        """Lets a little time pass; gives the engine's now."""

    @abstractmethod
    def starts(self, id: ThingId) -> int:
        """How often a process was begun for an id, as the world knows it."""

    @abstractmethod
    def lose(self, id: ThingId) -> None:
        """Takes away, without a word, what a running task runs on."""

    @abstractmethod
    def close(self) -> None:
        """Leaves nothing behind."""

    def ensure_gang(self, ids: Sequence[ThingId], program: Program, cpu: float = 1.0) -> None:
        """All members in one call, as the scheduler does it."""
        name, body = ids[0].part.partition(".")[0], replace(self.body(program), cpu=cpu)
        wanted = [Wanted(id, 1, replace(body, gang=Gang(name, len(ids), rank))) for rank, id in enumerate(ids)]
        assert not self.patiently(lambda: self.provider.ensure(wanted))

    def ensure(self, id: ThingId, program: Program, generation: int = 1, **changes: object) -> Refused | Unknown | None:
        want = Wanted(id, generation, replace(self.body(program), **changes))  # type: ignore[arg-type]
        return self.patiently(lambda: self.provider.ensure([want])).get(id)

    def clear(self, id: ThingId) -> None:
        """Releases a task until it is gone."""

        def is_gone(seen: Seen) -> bool:
            self.release(id)
            return isinstance(seen, Absent)

        self.until(id, is_gone)

    def release(self, id: ThingId) -> None:
        self.patiently(lambda: self.provider.release([id]))

    def observe(self, id: ThingId) -> Seen:
        return self.patiently(lambda: self.provider.observe([id]))[id]

    def inventory(self) -> Sequence[ThingId]:
        return self.patiently(self.provider.inventory)

    def until(self, id: ThingId, holds: Callable[[Seen], bool], within_s: float | None = None) -> Seen:
        """Looks until something holds, at most so long in the engine's time."""
        within_s = within_s or self.patience_s
        now = self.pause()
        deadline = now + within_s
        while True:
            seen = self.observe(id)
            if holds(seen):
                return seen
            assert now < deadline, f"still {seen} after {within_s} s"
            now = self.pause()

    def ended(self, id: ThingId) -> TaskFacts:
        """Waits for a task's end."""
        return facts_of(self.until(id, lambda seen: _state(seen) is TaskState.ENDED))

    def running(self, id: ThingId) -> TaskFacts:
        """Waits until its process runs."""
        return facts_of(self.until(id, lambda seen: _state(seen) is TaskState.RUNNING))

    @abstractmethod
    def patiently(self, call: Callable[[], R]) -> R:
        """Makes a call until it is answered, as often as this engine may be silent."""


def facts_of(seen: Seen) -> TaskFacts:
    assert isinstance(seen, Present), seen
    assert isinstance(seen.facts, TaskFacts)
    return seen.facts


def _state(seen: Seen) -> TaskState | None:
    return facts_of(seen).state if isinstance(seen, Present) else None


def shell_body(program: Program, home: Path) -> TaskBody:
    """A shell that says so in `home` each time it is begun, and then does what it should."""
    lines = [f"echo begun >> {shlex.quote(str(home))}/starts-${{WEYR_TASK_ID##*#}}"]
    if program.ignores_stop:
        lines.append("trap '' TERM")
    if program.writes:
        lines.append(f"printf %s {shlex.quote(program.writes)}")
    if program.tells_rank:
        lines.append('echo "$RANK of $WORLD_SIZE"')
    if program.eats_bytes:
        eat = f"x = bytearray({program.eats_bytes}); import signal; signal.pause()"
        lines.append(f"{shlex.quote(shutil.which('python3') or 'python3')} -c {shlex.quote(eat)}")
    if program.runs_s:
        lines.append(f"sleep {program.runs_s}")
    return TaskBody(("/bin/sh", "-c", "\n".join([*lines, f"exit {program.exit_code}"])), str(home), grace_s=2.0)


def starts_in(home: Path, id: ThingId) -> int:
    """How often `shell_body` was begun for an id."""
    path = home / f"starts-{id.part}"
    return path.read_text().count("begun") if path.exists() else 0


class LocalWorld(TaskWorld):
    """Real processes in a folder of their own. The server is what restarts: a new provider on the same folder."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="weyr-"))
        self.issuer = SimIssuer()
        self.secrets = SimSecretValues()
        self.surroundings: dict[str, str] = {}
        self.clock_set_by_s = 0.0
        self.gone_nodes: set[str] = set()
        self.launcher = LauncherClient(self.home / "launcher.sock", self.home / "launcher.json", self.home / "log")
        self.provider: Tasks = self._open()

    def _open(self) -> Tasks:
        return local_tasks(
            folder=self.home / "tasks",
            sockets=self.home / "sockets",
            cache=self.home / "cache",
            launcher=self.launcher,
            credentials=self.issuer,
            secrets=self.secrets,
            surroundings=lambda: self.surroundings,
            now=self.now,
            events=self.home / "events.sock",
            has_node=lambda name: name not in self.gone_nodes,
        )

    def now(self) -> float:
        return time.time() + self.clock_set_by_s

    def body(self, program: Program) -> TaskBody:
        return shell_body(program, self.home)

    def restart(self) -> None:
        self.launcher.stop()
        self.reopen()

    def reopen(self) -> None:
        """A new server on the same folder."""
        self.provider = self._open()

    def pause(self) -> float:
        select([], [], [], 0.01)
        return time.time()

    def starts(self, id: ThingId) -> int:
        return starts_in(self.home, id)

    def patiently(self, call: Callable[[], R]) -> R:
        return call()  # a local engine that is silent is broken

    def lose(self, id: ThingId) -> None:
        """A machine cannot lose itself: what dies is the wrapper, with no time to say anything."""
        state = read_json(str(self.home / "tasks" / quote(str(id), safe="")), STATE)
        assert state is not None
        os.kill(state["wrapper"], signal.SIGKILL)

    def close(self) -> None:
        for id in self.provider.inventory():
            self.clear(id)
        self.launcher.stop()
        shutil.rmtree(self.home)


class SlurmWorld(TaskWorld):
    """A real cluster, started once for each process of a test run. The server is what restarts."""

    def __init__(self) -> None:
        self.cluster = shared_slurm()
        self.home = Path(tempfile.mkdtemp(prefix="world-", dir=self.cluster.shared))
        self.issuer = SimIssuer()
        self.surroundings: dict[str, str] = {}
        self.lease_s = 60.0
        self.provider: SlurmTasks = self._open()
        self.until(task_id("0"), lambda seen: seen == Absent())  # slurmctld was asked once

    def _open(self) -> SlurmTasks:
        return SlurmTasks(
            folder=self.home / "slurm",
            settings=lambda: SlurmSettings(spot_partition="spot", look=0.3, settle=0.1, lease=self.lease_s),
            sockets=self.home / "sockets",
            cache=self.home / "cache",
            credentials=self.issuer,
            secrets=SimSecretValues(),
            surroundings=lambda: self.surroundings,
            now=time.time,
            env=self.cluster.env,
        )

    def body(self, program: Program) -> TaskBody:
        return shell_body(program, self.home)

    def restart(self) -> None:
        """The server and slurmctld: both know afterwards what they knew before."""
        self.provider.close()
        self.cluster.restart_controller()
        self.provider = self._open()

    def pause(self) -> float:
        select([], [], [], 0.02)
        return time.time()

    def starts(self, id: ThingId) -> int:
        return starts_in(self.home, id)

    def patiently(self, call: Callable[[], R]) -> R:
        for _ in range(TRIES_MAX):
            try:
                return call()
            except EngineSilent:
                self.pause()
        raise AssertionError("Slurm never answered")

    def lose(self, id: ThingId) -> None:
        self.lease_s = 1.0  # it is really gone: nobody has to wait for what it may still do
        node = self.cluster.run("squeue", "-h", "-o", "%N").split()[0]
        self.cluster.kill_node(node)
        self.cluster.mark_down(node)
        self.cluster.start_node(node)

    def close(self) -> None:
        for id in self.inventory():
            self.clear(id)
        self.provider.close()
        self.cluster.until_idle()
        shutil.rmtree(self.home)


class SimWorld(TaskWorld):
    """The simulated engine; with faults, it is asked again until it answers."""

    def __init__(self, seed: int = 0, **rates: float) -> None:
        self.clock = VirtualClock()
        self._programs: dict[tuple[str, ...], Program] = {}
        self.engine = SimEngine(self.clock, seed, FaultRates(**rates), self._script)
        self.provider: TaskProvider = self.engine.tasks

    def body(self, program: Program) -> TaskBody:
        argv = ("sim", repr(program))
        self._programs[argv] = program
        return TaskBody(argv, "/", grace_s=2.0)

    def lose(self, id: ThingId) -> None:
        self.engine.tasks.lose(id)

    def close(self) -> None:
        """Nothing is left of a world that was never there."""

    def _script(self, want: Wanted) -> Script:
        assert isinstance(want.body, TaskBody)
        program = self._programs[want.body.argv]
        return Script(
            work_s=program.runs_s + (30.0 if program.eats_bytes else 0.0),
            exit_code=program.exit_code,
            stop_s=None if program.ignores_stop else 0.1,
            memory_bytes=program.eats_bytes,
            output=program.writes.encode() + (_rank_told(want.body.gang) if program.tells_rank else b""),
        )

    def restart(self) -> None:
        """What it runs is its world's; of what it told a server it remembers nothing."""
        self.engine.tasks.server_began()

    def pause(self) -> float:
        return self.clock.advance(0.05)

    def starts(self, id: ThingId) -> int:
        return self.engine.tasks.starts.get(id, 0)

    def patiently(self, call: Callable[[], R]) -> R:
        for _ in range(TRIES_MAX):
            try:
                return call()
            except EngineSilent:
                self.pause()
        raise AssertionError("the engine never answered")


def _rank_told(gang: Gang | None) -> bytes:
    gang = gang or Gang("", 1, 0)
    return f"{gang.rank} of {gang.size}\n".encode()


TASK_WORLDS: Mapping[str, Callable[[], TaskWorld]] = {
    "local": LocalWorld,
    "slurm": SlurmWorld,
    "sim": SimWorld,
    "sim that loses replies": lambda: SimWorld(seed=7, loses_replies=0.2, delays=0.1, delay_s=0.5),
    "sim that crashes": lambda: SimWorld(seed=11, crashes=0.05, down_s=1.0),
}
"""Every engine that has tasks. Real time in the local one, so programs are short."""


def plain_order(folder: Path, script: str, **changes: Any) -> dict[str, Any]:
    """What a wrapper is told of a shell script, for those who run a wrapper by itself."""
    plain = Order(
        id="x", generation=1, folder=str(folder), argv=["/bin/sh", "-c", script], workdir="/", env={"PATH": os.defpath},
        masks=[], secret_folder="", secret_files={}, cpu=1.0, memory_bytes=None, time_limit_s=None, grace_s=1.0,
        agent=[], save_s=1.0, events="", socket="", ports=[], group="weyr-0123456789abcdef",
        ranks=Ranks(name="x", size=1, rank=0, port=15000, gpus=0), lease_s=0.0,
        nice=0, processes_max=0, disk_bytes=None, disk_folders=[], sandbox=None, prefix=[], doors=None,
        shipped="", doors_at="127.0.0.1", devices=[], accelerators=None, requirements=[], python="", build=None,
        image="",
        container=None, notes=[],
    )  # fmt: skip
    return {**plain, **changes}


def task_id(part: str = "1", name: str = "train") -> ThingId:
    return ThingId(Ref("digits", "job", name), part)
