"""What holds wherever a task really runs: its folder, its walls. On all engines that run processes."""

import http.server
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import LocalWorld, SlurmWorld, task_id

from weyr.core.capability import Refused, Sandbox, TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import EndReason

RealWorld = LocalWorld | SlurmWorld


def said(world: RealWorld, id: ThingId, body: TaskBody, generation: int = 1) -> list[str]:
    """Runs a task to its end; gives its lines."""
    assert not world.patiently(lambda: world.provider.ensure([Wanted(id, generation, body)]))
    world.ended(id)
    return b"".join(world.provider.logs(id)).decode().splitlines()


def test_a_shipped_folder_is_what_it_was(real_world: RealWorld) -> None:
    """A retry on another node runs the files of its version, though they were edited since and the server restarted."""
    code = real_world.home / "code"
    code.mkdir()
    (code / "says.sh").write_text("echo old; pwd; wc -c < large; echo more >> says.sh")
    (code / "large").write_bytes(b"x" * (9 << 20))
    body = TaskBody(("/bin/sh", "-c", ". ./says.sh"), str(code), ship=True)
    first, place, size = said(real_world, task_id("1"), body)
    assert (first, size) == ("old", str(9 << 20))
    assert place != str(code)
    assert sorted(path.name for path in code.iterdir()) == ["large", "says.sh"]
    (code / "says.sh").write_text("echo new")
    assert said(real_world, task_id("2"), body)[0] == "old"
    assert said(real_world, task_id("3"), body, generation=2) == ["new"]


FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=30).read().decode())"


class Door(http.server.BaseHTTPRequestHandler):
    """Something that listens on the server's machine."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"welcome")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def doors(real_world: RealWorld) -> Iterator[tuple[int, int]]:
    """The ports of a door of ours, and of somebody else's, both where tasks could reach them."""
    servers = [http.server.ThreadingHTTPServer((real_world.doors_at, 0), Door) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    before = dict(real_world.surroundings)
    real_world.surroundings["AWS_ENDPOINT_URL"] = f"http://{real_world.doors_at}:{servers[0].server_port}"
    yield servers[0].server_port, servers[1].server_port
    real_world.surroundings.clear()
    real_world.surroundings.update(before)
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_sandbox_stands_wherever_the_task_runs(real_world: RealWorld, doors: tuple[int, int]) -> None:
    """Its own /tmp, a read-only system, no other task's files or processes, and of the network the doors of ours only:
    also on a node that nobody looks after."""
    work = real_world.home / "work"
    work.mkdir()
    (real_world.home / "precious").write_text("precious")
    mark = Path(tempfile.gettempdir()) / f"mark-{os.getpid()}"
    (work / "fetch.py").write_text(FETCH)
    lines = [
        f"echo x > {mark} && echo wrote-tmp",
        "touch /usr/mark 2>/dev/null && echo wrote-system",
        f"cat {real_world.home}/precious {real_world.home}/*/tasks/*/*.json 2>/dev/null && echo saw-others",
        "echo made > made; [ $(ls -d /proc/[0-9]* | wc -l) -lt 10 ] && echo alone",
        *(
            f'"$WEYR_PYTHON" -I fetch.py http://{real_world.doors_at}:{port}/ 2>/dev/null && echo {name}'
            for name, port in zip(("ours", "others"), doors, strict=True)
        ),
    ]
    body = TaskBody(("/bin/sh", "-c", "\n".join([*lines, "exit 0"])), str(work), sandbox=Sandbox(writes=(str(work),)))
    assert said(real_world, task_id("1"), body) == ["wrote-tmp", "alone", "welcome", "ours"]
    assert (work / "made").read_text() == "made\n"
    assert not mark.exists()


def test_a_node_that_can_make_no_sandbox_refuses(real_world: RealWorld) -> None:
    """It says why, nothing runs without its walls, and no further attempt is wasted on it."""
    body = TaskBody(("/bin/true",), str(real_world.home), sandbox=Sandbox(reads=("/no/such/file",)))
    answer = real_world.patiently(lambda: real_world.provider.ensure([Wanted(task_id(), 1, body)])).get(task_id())
    if isinstance(answer, Refused):
        assert "/no/such/file" in answer.reason
        return
    end = real_world.ended(task_id()).end
    assert end is not None
    assert end.reason is EndReason.REFUSED
    assert "/no/such/file" in end.detail


def test_a_disk_filler_is_ended_at_its_bound_wherever_it_runs(real_world: RealWorld) -> None:
    """A cluster's node is other people's node as well."""
    work = real_world.home / "filler"
    work.mkdir()
    body = TaskBody(("/bin/sh", "-c", "cat /dev/zero > much"), str(work), disk_bytes=4 << 20, grace_s=0.1)
    assert not real_world.patiently(lambda: real_world.provider.ensure([Wanted(task_id(), 1, body)]))
    end = real_world.ended(task_id()).end
    assert end is not None
    assert (end.reason, end.detail) == (EndReason.FAILED, "it wrote more than its 4 MiB of disk")
    assert (work / "much").stat().st_size <= 4 << 20
