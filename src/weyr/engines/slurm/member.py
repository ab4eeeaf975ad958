"""How does one member of a submission run, on its node? `srun python -m weyr.engines.slurm.member FOLDER`.

FOLDER is the submission's, as `weyr.engines.slurm.submission_folder` has it. Whatever starts twice (a job that somebody
requeued, one that sbatch took although its answer was lost) runs once: the first job has it, any other ends at once.

Exit code 0: the end is recorded in the task's folder. 75: another job runs this, or ran it.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from weyr.attempt import limits, processes, sandbox, standby, task_folder
from weyr.attempt.task_folder import Order
from weyr.engines.slurm import keeping, submission_folder
from weyr.engines.slurm.submission_folder import HOLD, RING, address_of

RUN_BEFORE = 75
GANG_S = 120.0
"""How long the members wait for one another; srun has started all of them by then, or none runs."""
WHY_S = 3.0
SEEN_BY_TASKS = ("SLURM_CONF", "SLURM_JOB_ID", "SLURM_CLUSTER_NAME", "SLURM_JOB_PARTITION", "SLURMD_NODENAME")
"""Not all of them: PyTorch Lightning takes SLURM_NTASKS for a sign that it has to find the gang by itself."""
DEVICES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL")
PAUSE = threading.Event()


def main(argv: list[str]) -> int:
    processes.die_with_parent(os.getppid(), signal.SIGTERM)
    folder = Path(argv[0])
    members = submission_folder.read(folder)
    if members is None:
        print(f"there is no submission in {folder}", file=sys.stderr)
        return RUN_BEFORE
    element = os.environ.get("SLURM_ARRAY_TASK_ID", "")
    index = int(element or os.environ["SLURM_PROCID"])
    # A requeued job has the number that it had, and one restart more.
    who = f"{os.environ['SLURM_JOB_ID']}.{os.environ.get('SLURM_RESTART_COUNT', '0')}"
    if not submission_folder.claim_run(folder, f"run-{element}" if element else "run", who, index):
        print(f"{members['members'][index]['id']} began in another job", file=sys.stderr)
        return RUN_BEFORE
    mine = members["members"][index]
    if (task_folder.read_json(mine["folder"], task_folder.BEGUN) or {}).get("submission") != folder.name:
        print(f"{mine['id']} was released, or is of another submission", file=sys.stderr)
        return RUN_BEFORE
    try:
        order = submission_folder.take_order(folder, index)
        size = len(members["members"]) if members["is_gang"] else 1
        addresses = _addresses(folder, index, size) if size > 1 else [_own_address()]
        lock = task_folder.lock(order["folder"])
        assert lock is not None, "another process runs in its folder"
    except (OSError, ValueError) as e:
        # Whoever waits for it should hear of it now, not when the job's time is over.
        end = {"reason": "not started", "exit_code": None, "signal": None, "detail": str(e), "ended_at": time.time()}
        task_folder.write_json(mine["folder"], task_folder.EXIT, end, is_durable=True)
        raise
    order = _seen_here(order, addresses)
    try:
        devices = os.environ.get("SLURM_STEP_GPUS", "") or os.environ.get("SLURM_JOB_GPUS", "")
        order = sandbox.confined_there(order, [str(folder.parents[1])], [*filter(None, devices.split(","))])
    except sandbox.NoSandbox as e:
        task_folder.refuse(order["folder"], str(e))
        return 0
    # That its path is there says nothing: homes are shared, and a socket is heard on one machine.
    told = (order["env"].get("WEYR_API_URL", ""), order["env"].get("WEYR_TOKEN", ""))
    order["events"] = task_folder.far(order["events"], str(folder.parents[1] / RING), *told)

    def run(renewals: int) -> None:
        standby.main(limits.hierarchies(), lambda: (order, lock), renewals, _why)

    return keeping.kept(run, order["lease_s"], str(folder.parents[1] / HOLD), lock)


def _seen_here(order: Order, addresses: list[str]) -> Order:
    """With what Slurm gave to this member: its devices, and where it and the others are."""
    for rank, address in enumerate(addresses):
        order["env"] = {name: value.replace(address_of(rank), address) for name, value in order["env"].items()}
    given = {name: os.environ[name] for name in (*SEEN_BY_TASKS, *DEVICES) if name in os.environ}
    hidden = {} if order["ranks"]["gpus"] else {"CUDA_VISIBLE_DEVICES": ""}
    return {**order, "env": {"HOME": os.path.expanduser("~")} | order["env"] | hidden | given}


def _addresses(folder: Path, rank: int, size: int) -> list[str]:
    """Those of all members, by rank, once all are there. Raises: TimeoutError, OSError."""
    part = folder / f".address-{rank}"
    part.write_text(_own_address())
    part.rename(folder / f"address-{rank}")
    deadline = time.monotonic() + GANG_S
    # Listed, not opened: an NFS client remembers for a while that a file was not there.
    while len(found := [path for path in folder.iterdir() if path.name.startswith("address-")]) < size:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{size - len(found)} of {size} members did not begin within {GANG_S:g} s")
        PAUSE.wait(0.05)
    return [(folder / f"address-{each}").read_text() for each in range(size)]


def _own_address() -> str:
    """Of the interface by which this node and the one that srun runs on reach each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        try:
            door.connect((os.environ.get("SLURM_LAUNCH_NODE_IPADDR") or socket.gethostname(), 9))
        except OSError:
            return socket.gethostname()
        address: str = door.getsockname()[0]
        return address


def _why() -> tuple[str, str]:
    """On whose behalf the step was sent SIGTERM, as far as Slurm says: an end's reason and detail."""
    job = os.environ["SLURM_JOB_ID"]
    # Its state is COMPLETING for now, whatever it will be called; the reason says more.
    command = ("squeue", "--noheader", "--all", "--states=all", f"--jobs={job}", "-O", "PreemptTime:|,Reason:|,State:|")
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=WHY_S, check=True).stdout
        preempted, reason, state, *_ = said.split("|")
    except (OSError, ValueError, subprocess.SubprocessError):
        return "", ""
    if preempted.strip() not in ("", "N/A"):
        return "preempted", f"Slurm gave the place of job {job} to another"
    if reason == "NodeDown":
        return "node lost", f"a node of Slurm's job {job} is down"
    if reason == "TimeLimit":
        return "timed out", f"Slurm's job {job} reached the time limit of its partition"
    return ("", "") if state == "RUNNING" else ("stopped", f"somebody cancelled Slurm's job {job}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
