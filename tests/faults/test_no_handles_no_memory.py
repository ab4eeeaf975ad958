"""A process without free handles or memory refuses what it must, turns round no faster for it, and goes on after."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import inference_plane
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from engines import LocalWorld, Program, task_id
from one_user import until
from s3_plane import running_s3
from user_life import a_user

from weyr.core.seen import Absent, Unknown

CALLERS = 40
CPU_SHARE_MAX = 0.5
"""Of one core. A loop that asks again as fast as it can takes all of it."""


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def without_handles(pid: int) -> Iterator[None]:
    """The process may open two files more than it has open."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    most = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 3
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def crowd(pids: Sequence[int], family: int, address: tuple[str, int] | str) -> None:
    """More callers than there are handles stand at the door for a second; no process must turn round for them."""
    before, began = {pid: cpu_s(pid) for pid in pids}, time.monotonic()
    with ExitStack() as callers:
        for _ in range(CALLERS):
            caller = callers.enter_context(socket.socket(family))
            caller.settimeout(2)
            with suppress(OSError):  # the door may refuse it at once, too
                caller.connect(address)
        until(lambda: time.monotonic() - began > 1.0, "a second to pass")
    share = max(cpu_s(pid) - before[pid] for pid in pids) / (time.monotonic() - began)
    assert share < CPU_SHARE_MAX, f"it took {share:.0%} of a core"


def test_the_s3_plane_without_handles(tmp_path: Path) -> None:
    """It refuses callers and goes on; what it acknowledged is there."""
    with running_s3(tmp_path / "plane") as plane:
        pids = plane.pids
        s3 = plane.client(read_timeout=30, connect_timeout=30)
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key="kept", Body=b"kept")
        with ExitStack() as limits:
            for pid in pids:
                limits.enter_context(without_handles(pid))
            crowd(pids, socket.AF_INET, ("127.0.0.1", plane.port))
            with suppress(ClientError, BotoCoreError):
                plane.client(read_timeout=5, connect_timeout=5).put_object(
                    Bucket="lake", Key="new", Body=b"x" * 200_000
                )
        fresh = plane.client()
        until(lambda: fresh.get_object(Bucket="lake", Key="kept")["Body"].read() == b"kept", "the plane to answer", 60)
        fresh.put_object(Bucket="lake", Key="new", Body=b"y" * 200_000)
        assert plane.pids == pids


def test_the_s3_plane_without_memory(tmp_path: Path) -> None:
    """A large body that finds no memory is refused, and the next request is answered."""
    with running_s3(tmp_path / "plane") as plane:
        pids = plane.pids
        s3 = plane.client(read_timeout=30, connect_timeout=30)
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key="kept", Body=b"kept")
        before = {}
        for pid in pids:
            size_bytes = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
            before[pid] = resource.prlimit(pid, resource.RLIMIT_AS, (size_bytes + 65_536, resource.RLIM_INFINITY))
        for n in range(3):
            with suppress(ClientError, BotoCoreError):
                s3.put_object(Bucket="lake", Key=f"large{n}", Body=b"x" * 8 * 2**20)
        for pid, limit in before.items():
            resource.prlimit(pid, resource.RLIMIT_AS, limit)
        fresh = plane.client()
        assert fresh.get_object(Bucket="lake", Key="kept")["Body"].read() == b"kept"
        fresh.put_object(Bucket="lake", Key="large", Body=b"x" * 8 * 2**20)
        assert plane.pids == pids


def test_the_inference_plane_without_handles(tmp_path: Path) -> None:
    """As the S3 plane."""
    with inference_plane.Plane(tmp_path) as plane:
        with without_handles(plane.popen.pid):
            crowd([plane.popen.pid], socket.AF_INET, ("127.0.0.1", plane.port))
        until(lambda: plane.ask("/nowhere")[0] == 404, "the plane to answer", 60)


def test_the_launcher_without_handles() -> None:
    """Tasks wait for their start until there are handles again."""
    world = LocalWorld()
    try:
        world.ensure(task_id("1"), Program())
        world.ended(task_id("1"))
        pid = world.launcher.pid()
        assert pid is not None
        with without_handles(pid):
            crowd([pid], socket.AF_UNIX, str(world.home / "launcher.sock"))
        world.ensure(task_id("2"), Program())
        assert world.ended(task_id("2")).end is not None
        assert world.starts(task_id("2")) == 1
    finally:
        world.close()


def test_the_server_without_handles() -> None:
    """Its loop goes on, and whoever got no answer gets one afterwards."""
    with a_user() as user:
        user.weyr("server", "start")
        pid = user.pid("server")
        with without_handles(pid):
            host, _, port = user.url().removeprefix("http://").partition(":")
            crowd([pid], socket.AF_INET, (host, int(port)))

        def answers() -> bool:
            try:
                return bool(user.api("GET", "/v1/server")["is_running"])
            except (OSError, HTTPException):
                return False

        until(answers, "the server to answer", 60)
        assert user.pid("server") == pid


def test_a_plane_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    """Whoever asks may hold the loop's lock: the first question costs the time-out, the next ones nothing."""
    with inference_plane.Plane(tmp_path) as plane:
        os.kill(plane.popen.pid, signal.SIGSTOP)
        took_s = []
        for _ in range(3):
            began = time.monotonic()
            (seen,) = plane.router.observe([inference_plane.THING]).values()
            assert isinstance(seen, Unknown)
            took_s.append(time.monotonic() - began)
        os.kill(plane.popen.pid, signal.SIGCONT)
        assert max(took_s[1:]) < took_s[0] / 2, took_s
        asked = [inference_plane.THING]
        until(lambda: isinstance(plane.router.observe(asked)[asked[0]], Absent), "the plane to be asked again", 60)


@pytest.mark.parametrize("lines", [10, 5_000])
def test_a_process_log_stays_bounded(tmp_path: Path, lines: int) -> None:
    """The newest lines are kept, in two files of a bounded size, and not one is torn."""
    log = tmp_path / "server.log"
    code = (
        "import sys\nfrom weyr.wire.process import bound_log\n"
        f"for n in range({lines}):\n    sys.stderr.write(f'line {{n:06d}}\\n'); sys.stderr.flush(); bound_log(20_000)\n"
    )
    with log.open("ab") as stream:
        subprocess.run([sys.executable, "-c", code], stderr=stream, check=True)
    kept = [*(tmp_path / "server.log.1").read_text().splitlines()] if lines > 10 else []
    kept += log.read_text().splitlines()
    assert kept == [f"line {n:06d}" for n in range(lines - len(kept), lines)]
    assert all(path.stat().st_size <= 20_100 for path in tmp_path.glob("server.log*"))
