"""The same file on a Ray cluster: `on: ray`, as its user sees it. What a job saves goes through the server's doors."""

import json
from collections.abc import Iterator

import pytest
from half_saved import JOB as HALF_SAVED
from half_saved import reclaim_amid_upload
from one_user import User, until
from ray_cluster import shared_ray
from user_life import a_user

STACK = """\
stack: far
on: {{ray: {{address: "{address}", lease: 4s}}}}
buckets:
  lake: {{}}
jobs:
  gang:
    replicas: 2
    run: echo "rank $RANK of $WORLD_SIZE"
    resources: {{cpu: 0.25}}
  train:
    run: 'echo "restored $(ls "$WEYR_CHECKPOINT_DIR")"; echo 1 > "$WEYR_CHECKPOINT_DIR/step-1"; [ $WEYR_ATTEMPT != 1 ]'
    resources: {{cpu: 0.5}}
    checkpoint: {{bucket: lake, every: 200ms}}
    retries: {{max: 1, backoff: 100ms}}
  steps:
    run: |
      echo begun >> begun
      while [ ! -e enough ]; do n=$((n + 1)); echo $n > "$WEYR_CHECKPOINT_DIR/step-$n"; sleep 0.3; done
    resources: {{cpu: 0.25}}
    checkpoint: {{bucket: lake, every: 200ms, keep: 2}}
"""
"""All of them fit on the worker's two CPUs at once: some wait for a word that comes when others are done."""
SHARED = """\
stack: far
on: {{ray: {{address: "{address}", lease: 4s}}}}
buckets:
  lake: {{}}
pools:
  site: {{on: ray}}
queues:
  owners: {{quota: {{cpu: 1}}}}
  spare: {{quota: {{cpu: 0}}, borrow: true}}
jobs:
  low:
    run: |
      echo "found $(ls "$WEYR_CHECKPOINT_DIR")"
      echo 1 > "$WEYR_CHECKPOINT_DIR/step-1"
      [ $WEYR_ATTEMPT != 1 ] || exec sleep 60
    pool: site
    queue: spare
    resources: {{cpu: 1}}
    replicas: 2
    checkpoint: {{bucket: lake, every: 200ms}}
"""
OWNERS = """\
  high: {run: "true", pool: site, queue: owners, resources: {cpu: 1}}
  large: {run: "true", pool: site, resources: {cpu: 9}}
"""


@pytest.fixture
def user() -> Iterator[User]:
    with a_user() as user:
        yield user


def test_a_stack_runs_on_ray(user: User) -> None:
    """Gangs run, logs come here, a checkpoint goes from the node into the server's bucket and back into the next
    attempt, also where the node goes amid an upload, and nothing of it is left in the end."""
    cluster = shared_ray()
    user.weyr("server", "start", "--port", "0", "--listen", cluster.host)
    user.write(STACK.format(address=cluster.address) + HALF_SAVED.format(folder=user.folder))
    user.weyr("up", "--yes", "--detach")
    user.until_phase("job/gang", "done")
    said = user.weyr("logs", "job/gang").out
    assert "rank 0 of 2" in said
    assert "rank 1 of 2" in said
    reclaim_amid_upload(user, "far-lake")
    until(lambda: user.row("job/train").get("phase") == "done", "job/train to be done", within_s=60)
    assert "restored step-1" in user.weyr("logs", "job/train").out
    _saves_while_the_server_is_down(user)
    _shares_nodes(user, cluster.address)
    user.weyr("down", "--yes")


def _saves_while_the_server_is_down(user: User) -> None:
    """Killed in the middle of a job that saves: what it saves goes on reaching the bucket through the relay, the next
    server finds it where it is, and it was begun once."""
    s3 = user.s3()

    def saved() -> set[str]:
        found = s3.list_objects_v2(Bucket="far-lake", Prefix="checkpoints/steps/")
        return {each["Key"] for each in found.get("Contents", [])}

    until(saved, "job/steps to save")
    user.kill("server")
    before = saved()
    until(lambda: not before & saved(), "all checkpoints to be later ones than when the server was killed")
    user.weyr("server", "start")
    (user.folder / "enough").touch()
    user.until_phase("job/steps", "done")
    assert (user.folder / "begun").read_text() == "begun\n"


def _shares_nodes(user: User, address: str) -> None:
    """The cluster's nodes are a pool: a gang that borrowed all of them stops for the owner, and goes on from its
    checkpoint; and `weyr why` says what each node lacks."""
    user.write(SHARED.format(address=address))
    user.weyr("up", "--yes", "--detach")
    until(lambda: user.weyr("logs", "job/low", status=None).out.count("found") >= 2, "the gang to run", 60)
    user.write(SHARED.format(address=address) + OWNERS)
    user.weyr("up", "--yes", "--detach")
    user.until_phase("job/high", "done")
    assert any("preempted" in event["message"] for event in user.events(ref="job/low"))

    def lacking() -> list[dict[str, str]]:
        waits = json.loads(user.weyr("why", "job/large", "--json").out)["waits"]
        nodes = [node for each in waits for node in each["nodes"]]
        return nodes if nodes and all("of 9 asked for" in node["lacks"] for node in nodes) else []

    nodes = until(lacking, "what each node lacks to be told")
    assert nodes[0]["node"].startswith("far:pool/site#10.")
    user.until_phase("job/low", "done")
    assert "found step-1" in user.weyr("logs", "job/low").out
