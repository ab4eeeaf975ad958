"""How a server ends: told by a signal, with planes that do not come up, with a log that cannot be written."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from one_user import User, is_alive, until

from weyr.engines.local.planes import Plane
from weyr.engines.local.supervisor import Supervisor


def plane(folder: Path) -> Plane:
    """A process that never says that it runs."""
    arguments = ("timeit", "-n1", "-r1", "import time; time.sleep(600)")
    return Plane("slow", arguments, folder / "info.json", folder / "slow.log")


def test_a_signal_ends_a_server_as_the_command_does(served: User) -> None:
    """Whoever ends an empty server with `kill` leaves no plane behind either."""

    def are_up() -> bool:
        planes = served.api("GET", "/v1/server")["planes"]
        return all(plane["is_running"] for plane in planes.values())

    until(are_up, "all is up")
    pids = [served.pid(name) for name in ("server", "s3", "inference")]

    os.kill(pids[0], signal.SIGTERM)

    until(lambda: not any(is_alive(pid) for pid in pids), "nothing of it is left")


def test_a_plane_that_never_says_it_runs_is_stopped(tmp_path: Path) -> None:
    """A server that could not start had begun its planes, and must take them along."""
    slow = plane(tmp_path)
    slow.begin()
    assert slow.is_ours

    slow.stop()

    assert not slow.is_ours


def test_a_plane_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    """No process or no file to be had for a moment: whoever keeps the plane does not give up."""
    tries = threading.Semaphore(0)
    homeless = Plane("slow", ("timeit",), tmp_path / "info.json", tmp_path / "no such folder" / "slow.log")
    heard: list[str] = []

    def log(event: str, **_fields: object) -> None:
        heard.append(event)
        tries.release()

    keeper = Supervisor({"slow": homeless}, log, lambda _name: None)
    keeper.start()
    try:
        assert tries.acquire(timeout=60)
        assert tries.acquire(timeout=60)
    finally:
        keeper.stop()
    assert set(heard) == {"plane.failed"}


def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    """The disk is full: the loop has other worries than to say so."""
    program = "from weyr.server.log import JsonLog; JsonLog()('loop.failed'); print('goes on')"
    with open("/dev/full", "w") as full:
        said = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, check=False)

    assert said.stdout == b"goes on\n"
