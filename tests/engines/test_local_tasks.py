"""What the local engine promises beyond the conformance suite: nothing is left, nothing leaks, limits hold."""

import json
import os
import select
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from engines import LocalWorld, Program, facts_of, task_id

from weyr.attempt.processes import start_ticks
from weyr.core.capability import Capability, TaskBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, EndReason, Present, TaskEnd, TaskFacts, Unknown
from weyr.engines.local.vigil import Vigil
from weyr.reconcile.effects import Effects
from weyr.reconcile.orphans import sweep
from weyr.reconcile.world import World

SECRET = Ref("digits", "secret", "hub")


def run(local: LocalWorld, script: str, id: ThingId | None = None, **changes: object) -> ThingId:
    """Starts a shell script as a task."""
    id = id or task_id()
    body = TaskBody(("/bin/sh", "-c", script), str(local.home), **changes)  # type: ignore[arg-type]
    assert local.provider.ensure([Wanted(id, 1, body)]) == {}
    return id


def ended(local: LocalWorld, id: ThingId) -> TaskEnd:
    end = local.ended(id).end
    assert end is not None
    return end


def log(local: LocalWorld, id: ThingId) -> str:
    return b"".join(local.provider.logs(id)).decode()


def folder(local: LocalWorld, id: ThingId) -> Path:
    return local.home / "tasks" / quote(str(id), safe="")


def wrapper_of(local: LocalWorld, id: ThingId) -> int:
    local.running(id)
    return int(json.loads((folder(local, id) / "state.json").read_text())["wrapper"])


def pids(local: LocalWorld, name: str, count: int) -> list[int]:
    """Waits for a file in which a task's processes have written their pids."""
    path = local.home / name
    local.until(task_id(), lambda _: path.exists() and len(path.read_text().split()) == count)
    return [int(pid) for pid in path.read_text().split()]


def are_gone(local: LocalWorld, of: Sequence[int]) -> bool:
    local.until(task_id(), lambda _: all(start_ticks(pid) is None for pid in of), within_s=60)
    return True


def test_daemons_of_a_task_end_with_it(local: LocalWorld) -> None:
    """A grandchild in a session of its own, with its parents gone, is still the task's."""
    run(local, "(setsid sh -c 'echo $$ >> pids; exec sleep 300' &) ; until [ -s pids ]; do :; done; exit 0")
    left = pids(local, "pids", 1)
    assert ended(local, task_id()).reason is EndReason.SUCCEEDED
    assert are_gone(local, left)


def test_a_killed_wrapper_means_lost_and_nothing_left(local: LocalWorld) -> None:
    """Before a task counts as lost, every process of it is ended: the next attempt must not meet the last."""
    run(local, "(setsid sh -c 'echo $$ >> pids; exec sleep 300' &) ; sh -c 'echo $$ >> pids; exec sleep 300' & wait")
    left = pids(local, "pids", 2)
    state = json.loads((folder(local, task_id()) / "state.json").read_text())
    os.kill(state["wrapper"], signal.SIGKILL)
    assert ended(local, task_id()).reason is EndReason.LOST
    assert are_gone(local, [*left, state["pid"]])
    assert ended(local, task_id()).reason is EndReason.LOST, "and it stays so"


def test_a_task_that_kills_its_own_wrapper_leaves_nothing_behind(local: LocalWorld) -> None:
    """Not even a daemon that left its session, its environment and its control groups: by what else could it be found?
    It has no other parent, and a next attempt must not meet it."""
    leave = 'for group in /sys/fs/cgroup/*/cgroup.procs; do echo $$ > "$group"; done 2>/dev/null'
    hide = f"setsid env -i sh -c 'echo $$ >> {local.home}/pids; exec sleep 300' &"
    run(local, f"{leave}; {hide} until [ -s {local.home}/pids ]; do :; done; kill -9 $PPID; sleep 300")
    left = pids(local, "pids", 1)
    assert ended(local, task_id()).reason is EndReason.LOST
    assert are_gone(local, left)


def run_to_its_end_unseen(local: LocalWorld) -> None:
    run(local, "exit 0")
    other = ThingId(Ref("digits", "job", "other"), "1")
    local.until(other, lambda _: (folder(local, task_id()) / "exit.json").exists())


def test_an_end_that_this_server_was_not_told_of_outlasts_every_release(local: LocalWorld) -> None:
    """A task that succeeded just before it was to be stopped has succeeded, and what it ran is on the bill: also where
    the server before this one was told, and died before it wrote that down."""
    run_to_its_end_unseen(local)
    for _ in range(2):
        for _ in range(3):
            local.release(task_id())
        assert ended(local, task_id()).reason is EndReason.SUCCEEDED
        local.reopen()

    ended(local, task_id())
    local.release(task_id())
    assert local.observe(task_id()) == Absent()


def test_an_ended_task_that_nobody_owns_is_swept_away(local: LocalWorld) -> None:
    """Nobody else looks at it, and its engine keeps what nobody was told of: its folder would stay for good."""
    run_to_its_end_unseen(local)
    effects = Effects({Capability.TASKS: local.provider}, lambda _event, /, **_fields: None)

    assert sweep(World(), effects) == [task_id()]

    assert local.inventory() == []


def test_a_killed_launcher_takes_nobody_along(local: LocalWorld) -> None:
    """The launcher may die at any moment; the next task gets another one."""
    run(local, "until [ -e go ]; do sleep 0.02; done")
    local.running(task_id())
    launcher = local.launcher.pid()
    assert launcher is not None
    os.kill(launcher, signal.SIGKILL)
    run(local, "exit 0", id=task_id("2"))
    assert ended(local, task_id("2")).reason is EndReason.SUCCEEDED
    (local.home / "go").touch()
    assert ended(local, task_id()).reason is EndReason.SUCCEEDED
    assert local.launcher.pid() not in (None, launcher)


def test_a_crash_between_claim_and_start_is_made_good(local: LocalWorld) -> None:
    """The folder is there and nothing runs: the next ensure starts it, and only once."""
    body = TaskBody(("/bin/sh", "-c", "echo once >> times"), str(local.home))
    want = Wanted(task_id(), 1, body)
    local.provider._accept([want])  # what is done before the launcher is called
    assert local.inventory() == [task_id()]
    local.provider.ensure([want])
    ended(local, task_id())
    local.provider.ensure([want])
    ended(local, task_id())
    assert (local.home / "times").read_text() == "once\n"


def test_what_was_claimed_and_never_started_can_be_released(local: LocalWorld) -> None:
    """A release that overtakes the start prevents it."""
    body = TaskBody(("/bin/sh", "-c", "exit 0"), str(local.home))
    local.provider._accept([Wanted(task_id(), 1, body)])
    local.release(task_id())
    assert local.observe(task_id()) == Absent()


@pytest.mark.parametrize(
    ("argv", "workdir", "words"),
    [
        (("no-such-program",), "/", "there is no such program"),
        (("/bin/sh",), "/no/such/folder", "there is no folder /no/such/folder"),
    ],
)
def test_what_cannot_start_says_why(local: LocalWorld, argv: tuple[str, ...], workdir: str, words: str) -> None:
    """Not "exit code 127": the sentence names what is missing, in the record and in the log."""
    local.provider.ensure([Wanted(task_id(), 1, TaskBody(argv, workdir))])
    end = ended(local, task_id())
    assert end.reason is EndReason.NOT_STARTED
    assert words in end.detail
    assert words in log(local, task_id())


def test_secrets_reach_the_task_and_no_disk(local: LocalWorld) -> None:
    """In the environment and in a file of memory; masked in the log; in no file of ours, not for a moment."""
    local.secrets.values[SECRET] = b"open-sesame-42"
    script = 'echo "$HUB"; cat "$HUB_FILE"; printf open-ses; sleep 0.05; echo ame-42; echo $WEYR_TOKEN'
    run(local, script, secret_env={"HUB": SECRET}, secret_files={"HUB_FILE": SECRET})
    assert ended(local, task_id()).reason is EndReason.SUCCEEDED
    assert log(local, task_id()) == "****\n********\n****\n"
    assert [path for path in local.home.rglob("*") if path.is_file() and b"sesame" in _content(path)] == []
    wanted = json.loads((folder(local, task_id()) / "wanted.json").read_text())
    assert not Path(wanted["secret_folder"]).exists()


def _content(path: Path) -> bytes:
    """What is in a file; nothing where it went while we looked."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_a_secret_without_a_value_is_refused(local: LocalWorld) -> None:
    """An empty variable would fail much later, and somewhere else."""
    body = TaskBody(("/bin/sh",), "/", secret_env={"HUB": SECRET})
    refused = local.provider.ensure([Wanted(task_id(), 1, body)])
    assert "secret/hub has no value" in refused[task_id()].reason
    assert local.observe(task_id()) == Absent()


def test_more_than_the_machine_has_is_refused(local: LocalWorld) -> None:
    """Refuse, never ignore."""
    for body in (TaskBody(("/bin/sh",), "/", cpu=4096), TaskBody(("/bin/sh",), "/", memory_bytes=1 << 60)):
        assert task_id() in local.provider.ensure([Wanted(task_id(), 1, body)])


def test_nothing_begins_on_a_node_that_is_gone(local: LocalWorld) -> None:
    """Its devices may have other owners by now; whoever chose it learns of that later, and chooses again."""
    local.gone_nodes.add("box:pool/gpu#n1")
    body = TaskBody(("/bin/true",), "/", node="box:pool/gpu#n1")
    assert isinstance(local.provider.ensure([Wanted(task_id(), 1, body)])[task_id()], Unknown)
    assert local.provider.observe([task_id()])[task_id()] == Absent()


def test_a_task_finds_what_the_contract_names(local: LocalWorld) -> None:
    """torchrun scripts, MLflow and boto3 run as they are, with credentials of the task's own."""
    local.surroundings = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1", "AWS_ENDPOINT_URL": "http://127.0.0.1:2"}
    run(local, "env", env={"OMP_NUM_THREADS": "7"}, experiment="digits/train", model="digits-digits", grants=("x:y:z",))
    ended(local, task_id())
    found = dict(line.split("=", 1) for line in log(local, task_id()).splitlines() if "=" in line)
    assert found["WEYR_TASK_ID"] == "digits:job/train#1"
    assert (found["WEYR_STACK"], found["WEYR_JOB"], found["WEYR_ATTEMPT"]) == ("digits", "train", "1")
    assert (found["RANK"], found["WORLD_SIZE"], found["MASTER_ADDR"]) == ("0", "1", "127.0.0.1")
    assert found["MLFLOW_EXPERIMENT_NAME"] == "digits/train"
    assert found["OMP_NUM_THREADS"] == "7"
    assert found["MLFLOW_TRACKING_TOKEN"] == "****"
    assert local.issuer.grants["task:digits:job/train#1"] == ("x:y:z", "api:ring:*")


def test_credentials_end_with_the_task(local: LocalWorld) -> None:
    """A key that leaked from a task that is over opens nothing."""
    run(local, "sleep 0.3")
    assert "task:digits:job/train#1" in local.issuer.issued
    ended(local, task_id())
    assert local.issuer.issued == {}


def test_a_serving_task_is_ready_when_it_answers(local: LocalWorld) -> None:
    """Running is not ready: requests are sent only to what answers 200."""
    server = (
        "import os, socket, threading; threading.Event().wait(0.3)\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(os.environ['WEYR_SOCKET'])\n"
        "s.listen()\nfor n in range(1000):\n  c = s.accept()[0]; c.recv(999)\n"
        "  c.send(b'HTTP/1.1 503 no\\r\\n\\r\\n' if n < 2 else b'HTTP/1.1 200 ok\\r\\n\\r\\n'); c.close()"
    )
    body = TaskBody(("/bin/sh", "-c", f'exec "$WEYR_PYTHON" -c "{server}"'), str(local.home), probe="/ready")
    local.provider.ensure([Wanted(task_id(), 1, body)])
    assert not local.running(task_id()).is_ready
    facts = facts_of(local.until(task_id(), lambda seen: facts_of(seen).is_ready))
    assert len(facts.address) < 108
    local.release(task_id())
    local.ended(task_id())
    assert not Path(facts.address).exists()


def test_the_socket_of_a_task_goes_though_its_wrapper_was_killed(local: LocalWorld) -> None:
    """Nobody takes that name again, so what nobody removes now stays for good."""
    server = "import os, socket, time; socket.socket(socket.AF_UNIX).bind(os.environ['WEYR_SOCKET']); time.sleep(300)"
    body = TaskBody(("/bin/sh", "-c", f'exec "$WEYR_PYTHON" -c "{server}"'), str(local.home), probe="/ready")
    local.provider.ensure([Wanted(task_id(), 1, body)])
    address = Path(local.running(task_id()).address)
    local.until(task_id(), lambda _: address.exists())
    state = json.loads((folder(local, task_id()) / "state.json").read_text())

    os.kill(state["wrapper"], signal.SIGKILL)

    assert ended(local, task_id()).reason is EndReason.LOST
    assert not address.exists()


def test_starts_and_ends_are_pushed(local: LocalWorld) -> None:
    """The loop is woken at once, and polls only as a safety net."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(local.home / "events.sock"))
        door.settimeout(60)
        run(local, "exit 0")
        events = [json.loads(door.recv(999)) for _ in range(2)]
    assert events == [{"id": str(task_id()), "event": event} for event in ("started", "ended")]


def test_the_death_of_a_wrapper_is_told_by_its_launcher(local: LocalWorld) -> None:
    """It cannot say so itself, and nobody should have to wait for the next look."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(local.home / "events.sock"))
        door.settimeout(60)
        run(local, "exec sleep 300")
        assert json.loads(door.recv(999))["event"] == "started"
        os.kill(wrapper_of(local, task_id()), signal.SIGKILL)
        assert json.loads(door.recv(999)) == {"id": str(task_id()), "event": "gone"}
    assert ended(local, task_id()).reason is EndReason.LOST


def test_a_death_that_no_launcher_can_tell_of_is_noticed(local: LocalWorld) -> None:
    """Its launcher was killed before it: what has another parent is looked after by its lock."""
    heard: list[Ref] = []
    run(local, "exec sleep 300")
    wrapper = wrapper_of(local, task_id())
    vigil = Vigil(local.home / "tasks", local.launcher.pid, heard.extend)
    vigil.look()
    launcher = local.launcher.pid()
    assert launcher is not None
    os.kill(launcher, signal.SIGKILL)
    run(local, "exec sleep 300", id=task_id("2"))
    vigil.look()
    assert heard == [], "both run"

    gone = os.pidfd_open(wrapper)
    os.kill(wrapper, signal.SIGKILL)
    assert select.select([gone], [], [], 60)[0]
    os.close(gone)
    vigil.look()

    assert heard == [task_id().ref]
    assert ended(local, task_id()).reason is EndReason.LOST
    vigil.look()
    assert heard == [task_id().ref], "once its end is recorded there is nothing more to tell"


def test_an_output_flood_is_bounded_on_disk(local: LocalWorld) -> None:
    """The newest lines are kept, the oldest go, and the log says so."""
    run(local, "head -c 50000000 /dev/zero | tr '\\0' '\\n'; echo the end")
    ended(local, task_id())
    size = sum(path.stat().st_size for path in folder(local, task_id()).rglob("*.log"))
    assert size <= (32 << 20) + (1 << 20)
    text = b"".join(local.provider.logs(task_id()))
    assert text.endswith(b"\nthe end\n")
    assert b"of this log were dropped" in text


def test_a_followed_log_ends_with_its_task(local: LocalWorld) -> None:
    """Nothing between the last look and the end is missed."""
    run(local, "for n in 1 2 3 4 5; do echo line $n; sleep 0.05; done")
    parts = []
    for part in local.provider.logs(task_id(), follow=True):
        parts.append(part)
        if not part:
            local.pause()
    assert b"".join(parts) == b"".join(b"line %d\n" % n for n in range(1, 6))


def test_logs_outlive_the_task(local: LocalWorld) -> None:
    """After a release the output can still be read."""
    run(local, "echo kept")
    ended(local, task_id())
    local.release(task_id())
    assert local.observe(task_id()) == Absent()
    assert log(local, task_id()) == "kept\n"


def test_silence_is_not_absence(local: LocalWorld) -> None:
    """A data folder that is not there, or a record that cannot be read, proves nothing."""
    run(local, "sleep 30")
    local.running(task_id())
    away = local.home / "elsewhere"
    (local.home / "tasks").rename(away)
    assert isinstance(local.observe(task_id()), Unknown)
    away.rename(local.home / "tasks")
    assert isinstance(local.observe(task_id()), Present)


def test_a_stopped_shell_leaves_its_child_the_grace(local: LocalWorld) -> None:
    """`sh -c` may end at SIGTERM while the program it started still saves its work."""
    child = "trap 'sleep 0.3; echo saved; exit 0' TERM; echo ready; while true; do sleep 0.05; done"
    run(local, f'sh -c "{child}"; true', grace_s=5.0)
    local.until(task_id(), lambda _: log(local, task_id()) == "ready\n")
    local.release(task_id())
    assert ended(local, task_id()).reason is EndReason.STOPPED
    assert log(local, task_id()).endswith("saved\n")


def test_what_a_task_used_is_measured(local: LocalWorld) -> None:
    """The end says what the attempt cost the machine, its children included."""
    run(local, "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; exit 0", memory_bytes=256 << 20)
    end = ended(local, task_id())
    assert end.cpu_s > 0.05
    assert 0 < end.memory_max_bytes < 256 << 20


def test_the_conformance_worlds_leave_nothing(local: LocalWorld) -> None:
    """A test of the tests: a started shell program counts its starts."""
    local.ensure(task_id(), Program())
    facts: TaskFacts = local.ended(task_id())
    assert facts.end is not None
    assert local.starts(task_id()) == 1
