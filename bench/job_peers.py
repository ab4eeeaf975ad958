"""Who else runs jobs on one machine? A private Slurm and a private HyperQueue, each in a folder of its own.

Slurm comes from the system's packages (slurmctld, slurmd, slurm-client, munge), HyperQueue from a virtual environment
made for the run, or from a Python that is named. Both listen on loopback, and are stopped by their own pids.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HYPERQUEUE = "hyperqueue==0.27"
READY_S = 30.0
SLURM = """
ClusterName=bench
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,default_queue_depth=2000
MailProg=/bin/true
MpiDefault=none
ReturnToService=2
MaxJobCount=20000
MaxArraySize=10001
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
DRIVER = """
import json, os, sys, time
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
            out = folder / f"{ask['name']}-{number}" if ask["log"] else None
            job.program(ask["argv"], stdout=out, stderr=None, resources=ResourceRequest(cpus=ask["cpus"]))
        submitted = client.submit(job)
        if ask["wait"]:
            client.wait_for_jobs([submitted])
        print("done", flush=True)
"""


@contextmanager
def slurm(folder: Path, cpus: int, joined: Callable[[list[str]], list[str]]) -> Iterator[dict[str, str]]:
    """A Slurm of one node with so many CPUs. Gives the environment in which its commands find it.

    `joined` puts a daemon's command where its CPU time is counted.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    folder.chmod(0o755)  # munged trusts no socket in a folder that others cannot enter
    controller, daemon = free_port(), free_port()
    user = os.environ.get("USER", "root")
    (folder / "slurm.conf").write_text(
        SLURM.format(folder=folder, controller=controller, daemon=daemon, cpus=cpus, user=user)
    )
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    munge = ["munged", "-F", "--force", "-S", f"{folder}/munge.sock", f"--key-file={key}",
             f"--log-file={folder}/munge.log", f"--pid-file={folder}/munge.pid",
             f"--seed-file={folder}/munge.seed"]  # fmt: skip
    commands = (munge, ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", "localhost"])
    started = []
    with (folder / "log").open("w") as log:
        try:
            for command in commands:
                found = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
                assert found, f"{command[0]} is not installed"
                place = joined([found, *command[1:]])
                started.append(subprocess.Popen(place, env=environment, stdout=log, stderr=log))
            _until(lambda: "idle" in _said(["sinfo", "-h", "-o", "%T"], environment), "Slurm's node is idle")
            yield environment
        finally:
            _said(["scancel", "--user", user], environment)
            for process in reversed(started):
                _end(process)


def sbatch(environment: dict[str, str], *words: str) -> None:
    subprocess.run(["sbatch", "-Q", "-o", "/dev/null", *words], env=environment, check=True, capture_output=True)


def slurm_waits(environment: dict[str, str]) -> int:
    """How many of Slurm's jobs have not ended."""
    return len(_said(["squeue", "-h", "-r", "-o", "%i", "-t", "all", "--states=PD,R,CG,CF"], environment).split())


class HyperQueue:
    """A server and a worker in one process, which is told what to run."""

    def __init__(self, python: str, folder: Path, cores: int, joined: Callable[[list[str]], list[str]]) -> None:
        folder.mkdir()
        self.folder = folder
        self._process = subprocess.Popen(
            joined([python, "-c", DRIVER, str(folder), str(cores)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.pid = self._process.pid
        self._hear("ready")

    def run(self, argv: list[str], count: int, name: str = "", cpus: str = "1", wait: bool = True) -> None:
        """Submits one job of so many tasks, and by default waits until all are done."""
        assert self._process.stdin
        ask = {"argv": argv, "count": count, "name": name, "log": bool(name), "cpus": cpus, "wait": wait}
        self._process.stdin.write(json.dumps(ask) + "\n")
        self._process.stdin.flush()
        self._hear("done")

    def close(self) -> None:
        _end(self._process)

    def _hear(self, word: str) -> None:
        """Waits for a line of the driver's; HyperQueue itself prints tables."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.strip() == word:
                return
        raise AssertionError(f"HyperQueue ended before it said {word!r}")


def hyperqueue_python(folder: Path) -> str:
    """A Python of its own that has HyperQueue, from the configured package index."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", HYPERQUEUE]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return python


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _said(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout


def _until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_S
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
