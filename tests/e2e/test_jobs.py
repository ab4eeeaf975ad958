"""What a user sees of jobs that end in every way there is. One stack holds them all, side by side."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from one_user import User, until
from user_life import a_user

SECRET = "s3cr3t-Wert-für-Tests"
STACK = """\
stack: ends
buckets:
  lake: {}
  other: {}
secrets:
  api_key: {}
jobs:
  hungry:
    run: [python, -c, "held = bytearray(400 << 20); import time; time.sleep(30)"]
    resources: {memory: 100MiB}
  slow: {run: sleep 60, time_limit: 1s}
  shaky:
    run: 'if [ "$WEYR_ATTEMPT" -lt 3 ]; then echo "not yet"; exit 7; fi; echo "at last"'
    retries: {max: 3, backoff: 100ms}
  hopeless: {run: exit 9, retries: {max: 1, backoff: 100ms}}
  missing: {run: [no-such-program]}
  keeper:
    run: >-
      echo "the key is $API_KEY"; printf "file: "; cat "$KEY_FILE"; echo;
      [ "$API_KEY" = "$(cat "$KEY_FILE")" ] && echo same
    secrets: {API_KEY: secret/api_key}
    secret_files: {KEY_FILE: secret/api_key}
  teller: {run: "echo first; while [ ! -e $GO ]; do sleep 0.02; done; echo second", env: {GO: .}}
"""


@pytest.fixture(scope="module")
def ended() -> Iterator[User]:
    """Somebody whose jobs have all ended."""
    with a_user() as user:
        user.write(STACK)
        user.weyr("secret", "set", "ends/api_key", stdin=SECRET + "\n")
        user.up(status=1)
        yield user


def test_a_job_that_needs_more_memory_than_it_may_is_ended_and_told_so(ended: User) -> None:
    """The limit holds for the whole process tree, and the words are those a user looks for."""
    assert "out of memory" in ended.weyr("describe", "job/hungry").out
    assert "out of memory" in ended.weyr("get", "jobs").out


def test_a_job_that_takes_too_long_is_ended_and_told_so(ended: User) -> None:
    """After its time limit it goes, and the message says after how long."""
    assert "timed out" in ended.weyr("describe", "job/slow").out
    row = ended.asked("describe", "job/slow")
    assert row["phase"] == "failed"


def test_a_failed_attempt_is_tried_again_as_often_as_asked(ended: User) -> None:
    """The third attempt succeeds; a job that never does fails after its last one."""
    assert ended.asked("describe", "job/shaky")["outputs"]["attempts"] == 3
    assert ended.weyr("logs", "job/shaky").out == "at last\n"
    assert ended.weyr("logs", "job/shaky#1").out == "not yet\n"
    assert ended.asked("describe", "job/hopeless")["outputs"]["attempts"] == 2
    assert "exit code 9" in ended.weyr("describe", "job/hopeless").out


def test_a_program_that_is_not_there_is_named(ended: User) -> None:
    """The user learns which program was not found."""
    assert "no-such-program" in ended.weyr("describe", "job/missing").out


def test_a_secret_reaches_its_job_and_is_seen_nowhere_else(ended: User) -> None:
    """As variable and as file, masked in the log, and in no file of the data folder in clear text."""
    said = ended.weyr("logs", "job/keeper").out
    assert "the key is ****" in said
    assert "file: ****" in said
    assert "same" in said

    for words in (
        ("plan",),
        ("events",),
        ("describe", "job/keeper"),
        ("describe", "secret/api_key"),
        ("secret", "list"),
    ):
        assert SECRET not in ended.weyr(*words).text, words
    found = [
        str(path)
        for path in ended.home.rglob("*")
        if path.is_file() and not path.is_symlink() and SECRET.encode() in path.read_bytes()
    ]
    assert found == []
    assert ended.asked("secret", "list")["secrets"] == [{"stack": "ends", "name": "api_key", "version": 1}]


def test_a_job_waits_for_a_secret_and_the_user_is_told_how_to_set_it(user: User) -> None:
    """The command in the message works as it stands; the job then starts by itself."""
    user.write("stack: wait\nsecrets: {key: {}}\njobs: {use: {run: 'echo $K | wc -c', secrets: {K: secret/key}}}\n")
    user.weyr("up", "--yes", "--detach")
    user.until_phase("secret/key", "waiting")
    until(lambda: "secret/key" in user.message("job/use"), "what it waits for to be told")

    command = user.message("secret/key").rpartition("set one with: weyr ")[2]
    user.weyr(*command.split(), stdin="twelve bytes\n")

    user.until_phase("job/use", "done")
    assert user.weyr("logs", "job/use").out == "13\n"
    user.weyr("secret", "rm", "wait/key")
    assert user.asked("secret", "list")["secrets"] == []


def test_a_log_is_followed_line_by_line_until_the_job_ends(ended: User) -> None:
    """`weyr logs --follow` prints what comes as it comes, and returns by itself."""
    ended.write(STACK.replace("GO: .", "GO: go"))
    ended.weyr("up", "--yes", "--detach")
    until(lambda: ended.row("job/teller")["outputs"].get("attempt") == 2, "the second attempt to be begun")
    ended.until_phase("job/teller", "working")
    with subprocess.Popen(
        [sys.executable, "-m", "weyr.cli.main", "logs", "job/teller", "--follow"],
        stdout=subprocess.PIPE, env=ended.environment(), cwd=ended.folder, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        assert ended.row("job/teller")["phase"] == "working"
        (ended.folder / "go").touch()
        assert process.stdout.read() == "second\n"

    assert process.returncode == 0
    assert ended.weyr("logs", "job/teller", "--tail", "1").out == "second\n"


def test_the_doctor_answers_as_data(ended: User) -> None:
    """Every check has a verdict, and the server it finds is this one."""
    answer = ended.asked("doctor")
    assert answer["can_work"] is True
    checks = {check["name"]: check for check in answer["checks"]}
    assert ended.url() in checks["server"]["found"]
    assert {check["verdict"] for check in checks.values()} <= {"ok", "limited"}
