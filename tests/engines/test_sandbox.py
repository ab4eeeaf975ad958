"""What may a task do from inside its sandbox? Tried on the real thing, by programs that would do harm."""

import http.server
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import LocalWorld, task_id

from weyr.attempt.processes import start_ticks
from weyr.core.capability import CheckpointBody, Gang, Sandbox, TaskBody, Wanted
from weyr.core.ref import Ref
from weyr.core.seen import EndReason, TaskEnd

SECRET = Ref("digits", "secret", "hub")


@pytest.fixture
def work(local: LocalWorld, tmp_path: Path) -> Path:
    """The folder that a task runs in: not inside Weyr's own."""
    (tmp_path / "input").write_text("given\n")
    return tmp_path


def run(local: LocalWorld, work: Path, script: str, sandbox: Sandbox | None = None) -> str:
    """Runs a shell script in a sandbox to its end; gives its log."""
    body = TaskBody(("/bin/sh", "-c", script), str(work), sandbox=sandbox or Sandbox())
    assert local.provider.ensure([Wanted(task_id(), 1, body)]) == {}
    local.ended(task_id())
    return b"".join(local.provider.logs(task_id())).decode()


def end(local: LocalWorld) -> TaskEnd:
    found = local.ended(task_id()).end
    assert found is not None
    return found


def refusal(local: LocalWorld, body: TaskBody) -> str:
    return local.provider.ensure([Wanted(task_id(), 1, body)])[task_id()].reason


def test_a_task_writes_into_its_folder_and_nowhere_else(local: LocalWorld, work: Path) -> None:
    """What it made is there afterwards; the system is as it was, and so is /tmp."""
    mark = Path(tempfile.gettempdir()) / f"mark-{os.getpid()}"
    run(local, work, f"cat input > output; echo x > {mark} && cat {mark}; touch /usr/x /etc/x /var/x; echo $?")
    assert (work / "output").read_text() == "given\n"
    assert not mark.exists()
    assert not any(Path(path).exists() for path in ("/usr/x", "/etc/x", "/var/x"))


def test_a_task_sees_nobody_elses_files_or_processes(local: LocalWorld, work: Path) -> None:
    """Not Weyr's store, not other tasks' folders, no home, no password, no other program's environment."""
    (local.home / "store").write_text("precious")
    mine = Path.home() / f".weyr-test-{os.getpid()}"
    mine.write_text("precious")
    try:
        script = f"cat {local.home}/store {mine} /etc/shadow; ls {local.home}; ls /proc | grep -c '^[0-9]'"
        log = run(local, work, script)
    finally:
        mine.unlink()
    assert "precious" not in log
    assert not any(line.startswith("root:") for line in log.splitlines())
    assert int(next(line for line in log.splitlines() if line.isdigit())) < 8
    assert "tasks" not in log.splitlines()


def test_a_task_in_a_sandbox_has_no_rights_of_roots(local: LocalWorld, work: Path) -> None:
    """A read-only system that can be mounted anew is none."""
    log = run(local, work, "mount -o remount,rw / && touch /usr/x; grep CapEff /proc/self/status; hostname other")
    assert "CapEff:\t0000000000000000" in log
    assert not Path("/usr/x").exists()


def test_it_finds_its_checkpoints_and_its_secrets(local: LocalWorld, work: Path) -> None:
    """What is its own it can reach, at the paths that its environment names."""
    local.secrets.values[SECRET] = b"open-sesame-42"
    script = 'touch "$WEYR_CHECKPOINT_DIR/one" && wc -c < "$HUB_FILE"; $WEYR_PYTHON -c "import weyr.core.ref"; echo $?'
    checkpoint = CheckpointBody("lake", "c", 60.0)
    body = TaskBody(("/bin/sh", "-c", script), str(work), sandbox=Sandbox(), checkpoint=checkpoint,
                    secret_files={"HUB_FILE": SECRET})  # fmt: skip
    orders, _ = local.provider._accept([Wanted(task_id(), 1, body)])
    orders[task_id()]["agent"] = []  # there is no bucket to restore from
    local.launcher.start([*orders.values()])
    local.ended(task_id())
    assert b"".join(local.provider.logs(task_id())).decode() == "14\n0\n"


def test_a_program_that_is_not_there_is_called_that(local: LocalWorld, work: Path) -> None:
    """An exit code of the sandbox's is not one of the program's."""
    body = TaskBody(("no-such-program",), str(work), sandbox=Sandbox())
    local.provider.ensure([Wanted(task_id(), 1, body)])
    assert end(local).reason is EndReason.NOT_STARTED
    assert "no-such-program" in end(local).detail


@pytest.mark.parametrize(("script", "code", "number"), [("exit 3", 3, None), ("kill -9 $$", None, 9)])
def test_exits_and_signals_are_told_apart(
    local: LocalWorld, work: Path, script: str, code: int | None, number: int | None
) -> None:
    """As without a sandbox: retries and reports hang on it."""
    run(local, work, script)
    assert (end(local).exit_code, end(local).signal) == (code, number)


def test_a_stopped_task_may_still_save(local: LocalWorld, work: Path) -> None:
    """SIGTERM reaches the program, not only the sandbox around it; then everything is gone."""
    script = (
        "trap 'echo saved > state; exit 0' TERM; (setsid sleep 300 &); echo $$ > begun; while :; do sleep 0.02; done"
    )
    body = TaskBody(("/bin/sh", "-c", script), str(work), sandbox=Sandbox(), grace_s=5.0)
    local.provider.ensure([Wanted(task_id(), 1, body)])
    local.until(task_id(), lambda _: (work / "begun").exists())
    state = local.home / "tasks" / "digits%3Ajob%2Ftrain%231" / "state.json"
    pid = int(state.read_text().split('"pid": ')[1].split(",")[0])
    local.release(task_id())
    assert end(local).reason is EndReason.STOPPED
    assert (work / "state").read_text() == "saved\n"
    assert start_ticks(pid) is None


FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=30).read().decode())"


class Door(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * (4 << 20) if self.path == "/much" else b"welcome")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def door() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("network", "reached"), [("none", ()), ("local", ("ours",)), ("full", ("ours", "other"))])
def test_the_network_is_what_was_granted(
    local: LocalWorld, work: Path, door: int, network: str, reached: tuple[str, ...]
) -> None:
    """`local` reaches the doors that the task was told of, at their usual addresses, and no other program's."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        local.surroundings = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{door}"}
        (work / "fetch.py").write_text(FETCH)
        script = "\n".join(
            f'"$WEYR_PYTHON" -I fetch.py http://127.0.0.1:{port}/ 2>/dev/null && echo {name}'
            for name, port in (("ours", door), ("other", other.server_port))
        )
        log = run(local, work, script + "; true", Sandbox(network=network))  # type: ignore[arg-type]
        other.shutdown()
    assert [word for word in log.split() if word != "welcome"] == list(reached)


def test_much_passes_through_a_relayed_door(local: LocalWorld, work: Path, door: int) -> None:
    """Checkpoints and artifacts are large; nothing of them may be lost on the way."""
    local.surroundings = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{door}"}
    (work / "fetch.py").write_text(FETCH)
    log = run(local, work, f'"$WEYR_PYTHON" -I fetch.py http://127.0.0.1:{door}/much | wc -c')
    assert log == f"{(4 << 20) + 1}\n"


def test_what_it_writes_outside_its_folder_is_bounded(local: LocalWorld, work: Path) -> None:
    """All that it may write there is memory: a program that fills it must not fill the machine."""
    places = f"~ /tmp /var/tmp /run /dev /dev/shm /dev/pts /etc/ssh /proc /sys {local.home}"
    fill = 'head -c 9000000 /dev/zero > "$at/much" 2>/dev/null; wc -c < "$at/much" 2>/dev/null || echo 0'
    log = run(local, work, f"for at in {places}; do {fill}; done", Sandbox(tmp_bytes=4 << 20))
    sizes = [int(line) for line in log.split() if line.isdigit()]
    assert len(sizes) == len(places.split())
    assert sizes[0] == 4 << 20, "it has a home"
    assert max(sizes) == 4 << 20


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (TaskBody(("true",), "/", sandbox=Sandbox()), "would show its sandbox everything"),
        (TaskBody(("true",), "/usr", sandbox=Sandbox(reads=("/no/such",))), "there is no such file"),
        (TaskBody(("true",), "/usr", sandbox=Sandbox(), ports=(8080,)), "network: full"),
        (TaskBody(("true",), "/usr", sandbox=Sandbox(), gang=Gang("1", 2, 0)), "network: full"),
    ],
)
def test_what_a_sandbox_cannot_be_is_refused(local: LocalWorld, body: TaskBody, words: str) -> None:
    """Refuse, never ignore: a sandbox with a hole is worse than none."""
    assert words in refusal(local, body)
