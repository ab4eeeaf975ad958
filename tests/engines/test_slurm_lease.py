"""A node that is cut off from its cluster: its task must have ended by the time that another may begin."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, Queue

from slurm_cluster import SlurmCluster
from test_slurm_faults import WAITS, WITHIN_S, Server, server, task

from weyr.attempt.processes import marked
from weyr.attempt.task_folder import EXIT, read_json
from weyr.core.seen import Absent, EndReason

__all__ = ["server"]

LEASE_S = 2.0
KEPT = f"""
import os, sys
from weyr.engines.slurm.keeping import kept
def run(renewals):
    os.set_blocking(renewals, True)
    while os.read(renewals, 100):
        print("renewed", flush=True)
sys.exit(kept(run, {LEASE_S}, sys.argv[1], os.open("/dev/null", os.O_RDONLY)))
"""


def test_an_attempt_runs_on_while_nobody_can_have_begun_another(slurm: SlurmCluster, tmp_path: Path) -> None:
    """slurmctld answers, or the server says that it does not hear it either: with neither, nothing is renewed."""
    hold = tmp_path / "hold"
    command = [sys.executable, "-c", KEPT, str(hold)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **slurm.env}) as keeper:
        assert keeper.stdout is not None
        heard: Queue[str] = Queue()
        reader = threading.Thread(target=lambda lines: [*map(heard.put, lines)], args=[keeper.stdout])
        reader.start()
        heard.get(timeout=WITHIN_S)
        slurm.pause_controller()
        try:
            while not _is_silent_for(heard, 2 * LEASE_S):
                continue
            hold.touch()
            heard.get(timeout=WITHIN_S)
            assert _is_silent_for(heard, 2 * LEASE_S), "one word of the server is one renewal"
        finally:
            slurm.resume_controller()
        heard.get(timeout=WITHIN_S)
        keeper.terminate()
        assert keeper.wait(WITHIN_S) == 128 + 15
        reader.join()


def test_a_task_whose_node_is_cut_off_ends_itself(server: Server) -> None:
    """Neither slurmctld nor a server is in reach: the end is recorded on the node as its loss, nothing of the task is
    left, and the next server reads that instead of waiting."""
    server.lease_s = LEASE_S
    server.ensure(WAITS, task("1"))
    server.running(task("1"))
    folder = str(server.tasks._of(task("1")))
    server.tasks.close()
    server.cluster.pause_controller()
    try:
        deadline = time.monotonic() + WITHIN_S
        while (end := read_json(folder, EXIT)) is None:
            assert time.monotonic() < deadline, "it runs on"
    finally:
        server.cluster.resume_controller()
    assert end["reason"] == EndReason.NODE_LOST
    assert not marked(f"WEYR_TASK_ID={task('1')}")
    server.restart()
    server.until(task("404"), lambda seen: isinstance(seen, Absent))
    assert server.end(task("1")).reason is EndReason.NODE_LOST


def _is_silent_for(heard: Queue[str], for_s: float) -> bool:
    """Whether nothing comes for so long; takes what comes."""
    try:
        heard.get(timeout=for_s)
    except Empty:
        return True
    return False
