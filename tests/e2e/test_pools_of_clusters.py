"""Pools of a cluster's own nodes: what a team shares holds there as it does on one machine."""

import json
from collections.abc import Iterator

import pytest
from one_user import User, until
from slurm_cluster import SlurmCluster
from user_life import a_user

SLURM = """\
stack: team
on:
  slurm: {look: 300ms, settle: 100ms}
buckets:
  lake: {}
pools:
  site: {on: slurm}
queues:
  owners: {quota: {cpu: 4, gpu: 2}}
  spare: {quota: {cpu: 0}, borrow: true}
jobs:
  low:
    run: |
      echo "attempt $WEYR_ATTEMPT on $SLURMD_NODENAME from $(ls "$WEYR_CHECKPOINT_DIR")"
      echo 1 > "$WEYR_CHECKPOINT_DIR/step-1"
      [ "$WEYR_ATTEMPT" != 1 ] || exec sleep 60
    replicas: 3
    pool: site
    queue: spare
    resources: {cpu: 4, memory: 64MiB}
    checkpoint: {bucket: lake, every: 200ms}
"""
OWNERS = """\
  high:
    run: 'echo "$SLURMD_NODENAME has $CUDA_VISIBLE_DEVICES"'
    pool: site
    queue: owners
    resources: {cpu: 2, memory: 64MiB, accelerators: "fake:1"}
  large:
    run: "true"
    pool: site
    resources: {cpu: 5}
"""


@pytest.fixture
def on_slurm(slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)
    with a_user() as user:
        yield user


def lacks(user: User, ref: str) -> dict[str, str]:
    """What `weyr why` says of each node."""
    waits = json.loads(user.weyr("why", ref, "--json").out)["waits"]
    return {node["node"].partition("#")[2]: node["lacks"] for each in waits for node in each["nodes"]}


def test_a_queue_takes_back_on_slurms_nodes_what_another_borrowed(on_slurm: User, slurm: SlurmCluster) -> None:
    """The cluster's nodes are a pool: who borrowed all of it stops for the owner, and goes on from its checkpoint.
    Also by a server that did not begin it. `weyr why` says what each node lacks, and that one is drained, and why."""
    user = on_slurm
    user.write(SLURM)
    user.weyr("up", "--yes", "--detach")
    until(lambda: user.weyr("logs", "job/low", status=None).out.count("attempt 1 on n") == 3, "the gang to run")
    user.kill("server")  # the next one finds again who is on which node
    user.write(SLURM + OWNERS)
    user.weyr("up", "--yes", "--detach")
    user.until_phase("job/high", "done")
    assert "has 0" in user.weyr("logs", "job/high").out
    assert any("preempted" in event["message"] for event in user.events(ref="job/low"))
    until(lambda: "of 5 asked for" in lacks(user, "job/large").get("n2", ""), "what each node lacks to be told")
    until(lambda: "CPU of 4 CPU" in user.weyr("describe", "pool/site").out, "what is free to be told")
    slurm.run("scontrol", "update", "NodeName=n3", "State=DRAIN", "Reason=bad fan")
    try:
        until(lambda: "drain (bad fan)" in lacks(user, "job/large").get("n3", ""), "the drained node to be seen")
        counted = "2 of 3 nodes take tasks, 1 drained or down"
        until(lambda: counted in user.weyr("get", "pools").out, "the pool to tell of it")
    finally:
        slurm.run("scontrol", "update", "NodeName=n3", "State=RESUME")
    user.until_phase("job/low", "done")
    assert "attempt 2" in (said := user.weyr("logs", "job/low").out)
    assert "from step-1" in said
    user.weyr("down", "--yes")
    assert "team" not in slurm.run("squeue", "-h", "-t", "pending,running", "-o", "%j")
