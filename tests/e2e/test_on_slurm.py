"""The same file on a cluster: `on: slurm`, real daemons, and what happens to jobs there as its user sees it."""

from collections.abc import Iterator

import pytest
from half_saved import JOB as HALF_SAVED
from half_saved import reclaim_amid_upload
from one_user import User, until
from slurm_cluster import SlurmCluster
from user_life import a_user

STACK = """\
stack: team
on:
  slurm: {spot_partition: spot, look: 500ms, settle: 200ms}
buckets:
  lake: {}
jobs:
  gang:
    replicas: 2
    run: |
      echo "rank $RANK of $WORLD_SIZE, master $MASTER_ADDR"
      "$WEYR_PYTHON" -c 'import os; from weyr.attempt.bell import call
      print("heard:", call(os.environ["WEYR_API_URL"], os.environ["WEYR_TOKEN"]))'
    resources: {cpu: 2, memory: 64MiB}
  train:
    run: 'echo "attempt $WEYR_ATTEMPT"; [ "$WEYR_ATTEMPT" != 1 ] || exec sleep 60'
    resources: {cpu: 4, memory: 64MiB}
    spot: true
"""


@pytest.fixture
def user(slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    """Somebody at the cluster's login node."""
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)
    with a_user() as user:
        yield user


def test_a_stack_runs_on_slurm_through_preemption_and_a_killed_server(user: User, slurm: SlurmCluster) -> None:
    """A node goes amid the upload of a checkpoint: the one before it is whole. Somebody more important takes the node:
    the attempt is not a failure, and the next one does the work, whatever happens to the server meanwhile. Nothing of
    the stack is left in the queue in the end."""
    user.write(STACK + HALF_SAVED.format(folder=user.folder))
    user.weyr("up", "--yes", "--detach")
    user.until_phase("job/gang", "done")
    reclaim_amid_upload(user, "team-lake")
    said = user.weyr("logs", "job/gang").out
    assert "rank 0 of 2, master 127.0.0.1" in said
    assert "rank 1 of 2" in said
    assert said.count("heard: True") == 2, "a task may ring at the server, with its own token"
    assert user.request("POST", "/v1/bell")[0] == 409, "and nobody else has anything to ring for"
    until(lambda: "attempt 1" in user.weyr("logs", "job/train", status=None).out, "the first attempt to run")
    user.kill("server")
    urgent = [slurm.run("sbatch", "--parsable", "-n1", "-c4", "-o", "/dev/null", text=SLEEP).strip() for _ in range(3)]
    try:
        user.weyr("server", "start")
        until(lambda: any("preempted" in str(event) for event in user.events(ref="job/train")), "preemption to be told")
    finally:
        slurm.run("scancel", *urgent)
    user.until_phase("job/train", "done")
    assert "attempt 2" in user.weyr("logs", "job/train").out
    user.weyr("down", "--yes")
    assert "team" not in slurm.run("squeue", "-h", "-t", "pending,running", "-o", "%j")


SLEEP = "#!/bin/sh\nsrun sleep 300\n"
