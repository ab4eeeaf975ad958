"""A real Slurm for tests and benches: munged, slurmctld and several slurmd of this machine, in a folder of their own.

Needs Debian's slurmctld, slurmd and munge, none of their services and no rights: everything runs as who starts it, on
ports of the loopback that were free. It does not outlive this process.
"""

import atexit
import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil
import pytest
from loopback import free_ports

START_S = 90.0
STOP_S = 30.0
CPUS_PER_NODE = 4
MEMORY_PER_NODE_MB = 4000
NODE_TIMEOUT_S = 30
"""How long a node may be silent before slurmctld calls it down, and some seconds more; sites have 300 s."""
PR_SET_PDEATHSIG = 1
PAUSE = threading.Event()
"""Never set: its `wait` is the pause between two looks."""

TUNED = "batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1"
"""Without these a job on an idle cluster waits up to 3 s for slurmctld's next look at its queue."""

CONFIGURATION = """\
ClusterName=weyr-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SlurmdTimeout={node_timeout_s}
ReturnToService=2
KillWait=2
MinJobAge=300
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters={scheduling}
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed
"""
NODE = "NodeName={name} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} CPUs={cpus} RealMemory={memory_mb} {gres}\n"
PARTITIONS = """\
PartitionName=main Nodes=ALL Default=YES PriorityTier=10 PreemptMode=OFF
PartitionName=spot Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE GraceTime=2
"""


@dataclass
class SlurmCluster:
    """One cluster. Its folder is also the file system that all its nodes share."""

    folder: Path
    node_ports: Mapping[str, int]
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def configuration(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def env(self) -> dict[str, str]:
        """The variables by which Slurm's commands find this cluster."""
        return {"SLURM_CONF": str(self.configuration)}

    @property
    def shared(self) -> Path:
        return self.folder / "shared"

    def run(self, *command: str, text: str = "") -> str:
        """What one of Slurm's commands prints. Raises: CalledProcessError."""
        env = dict(os.environ) | self.env
        return subprocess.run(
            command, input=text, env=env, capture_output=True, text=True, check=True, timeout=START_S
        ).stdout

    def start_controller(self) -> None:
        """Starts slurmctld, on what it had written down, and waits until it answers."""
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.configuration))
        self._until("slurmctld", lambda: "UP" in self._said("scontrol", "ping"))

    def restart_controller(self) -> None:
        """As an operator would: it writes down what it knows, and reads it."""
        process = self._processes.pop("slurmctld")
        process.terminate()
        process.wait(STOP_S)
        self.start_controller()

    def kill_controller(self) -> None:
        """As a power cut of its machine would: it may forget what was new in the last seconds."""
        self._kill("slurmctld")

    def pause_controller(self) -> None:
        """It stays there and answers nobody, as behind a broken network."""
        self._processes["slurmctld"].send_signal(signal.SIGSTOP)

    def resume_controller(self) -> None:
        self._processes["slurmctld"].send_signal(signal.SIGCONT)

    def start_node(self, name: str) -> None:
        """Starts a node's slurmd; it is idle a moment later."""
        self._start(name, "slurmd", "-D", "-N", name, "-f", str(self.configuration))

    def kill_node(self, name: str) -> None:
        """A node goes, with all that ran on it, and says nothing. slurmctld finds out in `NODE_TIMEOUT_S`, or when
        a site's health check calls `mark_down`."""
        self._kill(name)
        for process in [*self._steps(name), *self._left(lambda env: env.get("SLURMD_NODENAME") == name)]:
            with suppress(psutil.NoSuchProcess):  # it ended with the one before it
                process.kill()

    def mark_down(self, name: str) -> None:
        """Says that a node is gone, so that nobody has to wait for its silence."""
        self.run("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=gone")

    def until_idle(self, nodes: Sequence[str] = ()) -> None:
        """Waits until these nodes, or all, would take a job."""
        wanted = ",".join(nodes or self.node_ports)
        self._until(
            "slurmctld", lambda: set(self._said("sinfo", "-h", "-N", "-n", wanted, "-o", "%T").split()) == {"idle"}
        )

    def stop(self) -> None:
        """Ends everything of this cluster, what its jobs started included."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for left in [*(step for name in self.node_ports for step in self._steps(name)), *self._left(lambda env: True)]:
            left.kill()

    def _start(self, name: str, *command: str) -> None:
        env = dict(os.environ) | self.env
        with (self.folder / f"{name}.out").open("ab") as out:
            # The cluster does not outlive a test run that is killed.
            self._processes[name] = subprocess.Popen(
                [_binary(command[0]), *command[1:]],
                stdout=out,
                stderr=out,
                env=env,
                cwd="/",
                preexec_fn=_end_with_parent,
            )

    def _kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def _steps(self, node: str) -> list[psutil.Process]:
        """The slurmstepds of a node, which outlive its slurmd: known by the sockets that they listen on."""
        spool = str(self.folder / "spool" / node)
        found = []
        for process in psutil.process_iter():
            try:
                if process.name() == "slurmstepd" and any(
                    str(door.laddr).startswith(spool) for door in process.net_connections("unix")
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def _left(self, is_one: Callable[[Mapping[str, str]], bool]) -> list[psutil.Process]:
        """What this cluster's jobs started, and its daemons: known by their SLURM_CONF."""
        found = []
        for process in psutil.process_iter():
            try:
                env = process.environ()
            except psutil.Error:
                continue
            if env.get("SLURM_CONF") == str(self.configuration) and process.pid != os.getpid() and is_one(env):
                found.append(process)
        return found

    def _until(self, who: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not is_so():
            process = self._processes[who]
            assert process.poll() is None, (self.folder / f"{who}.out").read_text()
            assert time.monotonic() < deadline, f"{who} is not ready: {self._said('sinfo', '-R')}"
            PAUSE.wait(0.02)

    def _said(self, *command: str) -> str:
        """What a command printed, "" where it failed."""
        try:
            return self.run(*command)
        except subprocess.SubprocessError:
            return ""


@contextmanager
def running_slurm(nodes: int = 3, scheduling: str = TUNED, cpus: int = CPUS_PER_NODE) -> Iterator[SlurmCluster]:
    """A cluster of so many nodes (n1, n2, ...), each with `cpus` CPUs, 4,000 MB and two devices of `gpu:fake`.

    Partition `main` is the default; what runs in `spot` is preempted by it, with 2 s of grace. `scheduling` is
    slurmctld's SchedulerParameters, "" for those it comes with.
    """
    folder = Path(tempfile.mkdtemp(prefix="weyr-slurm-"))
    ports = free_ports(nodes + 1)
    cluster = SlurmCluster(folder, {f"n{i + 1}": port for i, port in enumerate(ports[1:])})
    for name in ("state", "spool", "shared"):
        (folder / name).mkdir(mode=0o700)
    cluster.configuration.write_text(_configuration(cluster, ports[0], scheduling, cpus))
    (folder / "gres.conf").write_text("Name=gpu Type=fake File=/dev/null,/dev/zero\n")
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    try:
        _start_munge(cluster)
        cluster.start_controller()
        for name in cluster.node_ports:
            cluster.start_node(name)
        cluster.until_idle()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@cache
def shared_slurm() -> SlurmCluster:
    """The cluster of this process, which begins when it is first asked for and ends with the process.

    A test leaves its nodes up and none of its own jobs in the queue.
    """
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_slurm())


@pytest.fixture
def slurm() -> SlurmCluster:
    """As `shared_slurm`."""
    return shared_slurm()


def _configuration(cluster: SlurmCluster, controller_port: int, scheduling: str, cpus: int) -> str:
    host, user = socket.gethostname().split(".")[0], getpass.getuser()
    text = CONFIGURATION.format(
        host=host,
        user=user,
        folder=cluster.folder,
        controller_port=controller_port,
        node_timeout_s=NODE_TIMEOUT_S,
        scheduling=scheduling,
    )
    for name, port in cluster.node_ports.items():
        text += NODE.format(
            name=name, host=host, port=port, cpus=cpus, memory_mb=MEMORY_PER_NODE_MB, gres="Gres=gpu:fake:2"
        )
    return text + PARTITIONS


def _start_munge(cluster: SlurmCluster) -> None:
    folder = cluster.folder
    cluster._start(
        "munged",
        "munged",
        "--foreground",
        "--force",  # or it refuses a folder under one that everybody may write into
        f"--socket={folder}/munge.socket",
        f"--key-file={folder}/munge.key",
        f"--pid-file={folder}/munged.pid",
        f"--log-file={folder}/munged.log",
        f"--seed-file={folder}/munged.seed",
    )
    cluster._until("munged", (folder / "munge.socket").exists)


def _binary(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found, f"{name} is missing: apt-get install slurmctld slurmd munge"
    return found


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
