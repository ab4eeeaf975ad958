"""What a user sees of jobs that are many tasks, or that wait for one another. One stack holds them all."""

from collections.abc import Iterator

import pytest
from one_user import User
from user_life import a_user

MEET = """\
import os, socket
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
if rank == 0:
    with socket.create_server(address) as door:
        door.settimeout(90)
        names = sorted(door.accept()[0].recv(100).decode() for _ in range(size - 1))
    print("met", *names, flush=True)
else:
    for turn in range(9000):
        try:
            peer = socket.create_connection(address, timeout=1)
            break
        except OSError:
            import select; select.select([], [], [], 0.01)
    peer.sendall(f"replica {rank} of {size}".encode())
    print("told", flush=True)
"""
STACK = """\
stack: many
buckets: {lake: {}}
jobs:
  mill:
    run: 'echo flour > $WEYR_OUTPUT_GRAIN/sack.txt'
    outputs: {grain: {bucket: lake, path: barn}}
    resources: {cpu: 0.1}
  bake:
    run: 'cat $WEYR_INPUT_GRAIN/sack.txt'
    inputs: {grain: {bucket: lake, path: barn}}
    needs: [{job: mill}]
    resources: {cpu: 0.1}
  meet: {run: [python, -u, meet.py], replicas: 3, resources: {cpu: 0.1}}
  torn:
    run: 'if [ $RANK = 1 ]; then exit 3; fi; exec sleep 60'
    replicas: 2
    retries: {max: 1, backoff: 100ms}
    grace: 1s
    resources: {cpu: 0.1}
  sweep:
    run: 'echo "lr $WEYR_MATRIX_LR is task $SLURM_ARRAY_TASK_ID"; test $WEYR_MATRIX_LR != 0.5'
    array: {matrix: {lr: [0.1, 0.2, 0.5]}, max_parallel: 2, may_fail: 1}
    resources: {cpu: 0.1}
  broken: {run: exit 4, resources: {cpu: 0.1}}
  report: {run: echo never, needs: [{job: broken}], resources: {cpu: 0.1}}
  after: {run: echo never either, needs: [{job: report}], resources: {cpu: 0.1}}
  mend: {run: echo mended, needs: [{job: broken, on: failure}], resources: {cpu: 0.1}}
  tidy: {run: echo tidied, needs: [{job: report, on: always}, {job: meet}], resources: {cpu: 0.1}}
"""


@pytest.fixture(scope="module")
def ended() -> Iterator[User]:
    """Somebody whose jobs have all ended."""
    with a_user() as user:
        user.write(MEET, "meet.py")
        user.up(STACK, status=1)
        yield user


def test_replicas_find_each_other_and_are_read_as_one(ended: User) -> None:
    """The address and port in their environment are the same for all, and the log says who printed what."""
    assert ended.row("job/meet")["phase"] == "done"
    said = sorted(ended.weyr("logs", "job/meet").out.splitlines())
    assert said == ["[0] met replica 1 of 3 replica 2 of 3", "[1] told", "[2] told"]
    assert ended.weyr("logs", "job/meet", "--replica", "2").out == "told\n"


def test_one_replica_that_fails_ends_the_attempt_and_all_of_it_is_tried_again(ended: User) -> None:
    """The other would have slept on for a minute; the message names the culprit, and the bill both."""
    row = ended.row("job/torn")
    assert row["phase"] == "failed"
    assert "exit code 3 (replica 1 of 2)" in ended.message("job/torn")
    assert row["outputs"]["attempts"] == 2
    assert row["outputs"]["replicas"] == "0 stopped, 1 exit code 3"
    begun = {e["message"] for e in ended.events("attempt.started", "job/torn")}
    assert begun == {"attempt 1 is being started", "attempt 2 is being started"}


def test_an_array_is_counted_and_each_index_has_its_log(ended: User) -> None:
    """One of three may fail; whoever looks for it finds it by its index."""
    row = ended.row("job/sweep")
    assert (row["phase"], row["outputs"]["succeeded"], row["outputs"]["failed"]) == ("done", "0-1", "2")
    assert ended.weyr("logs", "job/sweep", "--index", "1").out == "lr 0.2 is task 1\n"
    assert "[2] lr 0.5 is task 2" in ended.weyr("logs", "job/sweep").out.splitlines()


def test_jobs_follow_one_another_as_these_end(ended: User) -> None:
    """What cannot come any more is skipped and says why; what is for that case runs."""
    phases = {name: ended.row(f"job/{name}")["phase"] for name in ("report", "after", "mend", "tidy")}
    assert phases == {"report": "skipped", "after": "skipped", "mend": "done", "tidy": "done"}
    assert "skipped: job/broken failed" in ended.message("job/report")
    assert "skipped: job/report was skipped" in ended.message("job/after")
    assert ended.weyr("logs", "job/mend").out == "mended\n"
    assert ended.weyr("logs", "job/tidy").out == "tidied\n"


def test_what_one_job_leaves_another_finds(ended: User) -> None:
    """Neither of them knows a bucket: one writes into a folder, the other reads from one."""
    assert ended.weyr("logs", "job/bake").out.splitlines() == ["[weyr] 1 file(s) of many-lake/barn are here", "flour"]


def test_jobs_that_wait_for_each_other_in_a_circle_are_refused(ended: User) -> None:
    """Before anything runs, with the whole circle."""
    ended.write("stack: round\njobs:\n  a: {run: 'true', needs: [{job: b}]}\n  b: {run: 'true', needs: [{job: a}]}\n")
    assert "job/a → job/b → job/a" in ended.weyr("validate", status=1).text
