"""What can be done to a job that runs, by `weyr exec` and `weyr chaos`: by one user with one sandboxed job."""

import base64
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from one_user import User, until
from user_life import a_user

STACK = """\
stack: lab
jobs:
  busy:
    run: 'i=0; while :; do i=$((i+1)); echo $i > part; mv part count; sleep 0.02; done'
    env: {WORD: hello}
    sandbox: true
    grace: 1s
    retries: {max: 5, backoff: 100ms}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[User]:
    """Somebody whose job runs in a sandbox."""
    with a_user() as user:
        user.weyr("server", "start")
        plan = user.api("POST", "/v1/plans", {"text": STACK, "file": str(user.write(STACK))})
        user.api("POST", f"/v1/plans/{plan['id']}/apply", {})
        state_of(user, "1")
        yield user


def state_of(user: User, attempt: str) -> dict[str, int]:
    """What an attempt's wrapper says of it, once it runs."""
    path = user.home / "tasks" / quote(f"lab:job/busy#{attempt}", safe="") / "state.json"
    until(lambda: path.exists() and json.loads(path.read_text())["starttime"], f"attempt {attempt} to run")
    found: dict[str, int] = json.loads(path.read_text())
    return found


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_command_runs_where_the_job_runs(lab: User) -> None:
    """In its environment and folder; its exit code is weyr's, and who ran it is in the audit trail."""
    said = lab.weyr("exec", "job/busy", "--", "sh", "-c", "echo $WORD; ls; echo oops >&2; exit 3", status=3)
    assert said.out.splitlines()[0] == "hello"
    assert "count" in said.out
    assert said.err == "oops\n"
    assert lab.weyr("exec", "job/busy", "--", "cat", stdin="through\n").out == "through\n"
    trail = (lab.home / "audit" / "server.jsonl").read_text()
    assert '"action":"task:exec","resource":"lab:job/busy#1"' in trail
    assert "echo $WORD" in trail


def test_a_shell_has_a_terminal(lab: User) -> None:
    """Without a command it is a shell, as one knows it."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "weyr.cli.main", "exec", "job/busy"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=lab.environment(), cwd=lab.folder
    ) as process:
        os.close(theirs)
        os.write(ours, b"[ -t 0 ] && echo $WORD-$WORD; exit 5\n")
        text = b""
        while b"hello-hello" not in text:
            if not select.select([ours], [], [], 90)[0]:
                process.kill()
                raise AssertionError(f"nothing but {text!r}")
            text += os.read(ours, 4096)
        assert process.wait(90) == 5
    os.close(ours)


def test_a_slow_task_goes_on_afterwards(lab: User) -> None:
    """Most of the time it is stopped, and in the end it is not."""
    pid = state_of(lab, "1")["pid"]
    lab.weyr("chaos", "slow", "job/busy", "--share", "5%", "--for", "3s")
    until(lambda: is_stopped(pid), "it to be stopped")
    before = int((lab.folder / "count").read_text())
    until(lambda: int((lab.folder / "count").read_text()) > before + 20, "it to go on")


def test_a_task_that_is_cut_off_gets_no_answer(lab: User) -> None:
    """Silence, and not a refusal."""

    def asks(within_s: int) -> tuple[str, ...]:
        fetch = f"u.urlopen(os.environ['WEYR_API_URL'] + '/healthz', timeout={within_s}); print('up')"
        return ("sh", "-c", f'"$WEYR_PYTHON" -I -c "import os, urllib.request as u; {fetch}"')

    assert "up" in lab.weyr("exec", "job/busy", "--", *asks(60)).out
    relay = state_of(lab, "1")["relay"]
    lab.weyr("chaos", "partition", "job/busy", "--for", "30s")
    until(lambda: is_stopped(relay), "its line to be cut")
    said = lab.request("POST", "/v1/exec", {"ref": "lab:job/busy", "command": list(asks(1))})[1]
    assert "timed out" in output_of(lab, json.loads(said)["visit"])
    os.kill(relay, signal.SIGCONT)  # half a minute is long


def output_of(user: User, visit: str) -> str:
    _, text = user.request("GET", f"/v1/exec/{visit}/output")
    frames = [json.loads(line) for line in text.splitlines() if line.strip()]
    return b"".join(base64.b64decode(text) for frame in frames for key, text in frame.items() if key in "oe").decode()


def test_a_killed_program_or_wrapper_is_followed_by_another(lab: User) -> None:
    """As after a crash: the one failed, of the other nobody saw the end, and the job goes on."""
    lab.weyr("chaos", "kill", "job/busy")
    state_of(lab, "2")
    assert "SIGKILL" in lab.weyr("events", "job/busy").out
    lab.weyr("chaos", "kill", "job/busy", "--wrapper")
    state_of(lab, "3")
    assert "lost" in lab.weyr("events", "job/busy").out
    assert lab.weyr("exec", "job/none", "--", "true", status=1).err
