"""Does work survive an interruption? Real tasks, the real agent, and the real S3 plane with the task's own key."""

import hashlib
import json
import os
import signal
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from engines import LocalWorld, task_id
from s3_plane import S3Plane, running_s3

from weyr.attempt.processes import marked
from weyr.core.capability import CheckpointBody, TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import EndReason, Present, TaskFacts
from weyr.sim.identities import SimKeys

GRANTS = tuple(f"s3:{verb}:lake/checkpoints/train/*" for verb in ("read", "write", "list"))
BODY = CheckpointBody("lake", "checkpoints/train", every_s=0.2)

COUNT = """
cd "$WEYR_CHECKPOINT_DIR"
n=$(cat */count 2>/dev/null | sort -n | tail -1); n=${n:-0}; echo "from $n"
save() { mkdir "n$n.tmp"; echo "$n" > "n$n.tmp/count"; mv "n$n.tmp" "n$n"; }
trap 'save; echo "stopped at $n"; exit 0' TERM
while [ "$n" -lt 1000 ]; do n=$((n+1)); [ $((n % 5)) = 0 ] && save; sleep 0.03; done
"""
"""The contract in a shell: resume from what is there, save by rename, save once more at SIGTERM."""


class OneKey:
    """Every task gets the plane's one task key: the plane under test reads a fixed credentials file."""

    def issue(self, grants: Mapping[str, tuple[str, ...]]) -> Mapping[str, SimKeys]:
        return {of: SimKeys(f"token of {of}", "WEYRTASK", "task-secret-task-secret") for of in grants}

    def revoke(self, principals: Collection[str]) -> None:
        """The key stays: the next attempt uses it."""


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Plane]:
    with running_s3(tmp_path / "s3", {"WEYRTASK": ("task-secret-task-secret", GRANTS)}) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


@pytest.fixture
def lake(s3: S3Plane) -> Iterator[LocalWorld]:
    """A local engine whose tasks reach the plane, and which ends before it: a task's end waits for its upload."""
    world = LocalWorld()
    world.surroundings = {"AWS_ENDPOINT_URL": s3.url}
    world.issuer = OneKey()  # type: ignore[assignment]
    world.reopen()
    yield world
    world.close()


def start(local: LocalWorld, part: str, script: str = COUNT, body: CheckpointBody = BODY) -> ThingId:
    id = task_id(part)
    want = Wanted(id, 1, TaskBody(("/bin/sh", "-c", script), "/", checkpoint=body, grants=GRANTS))
    assert local.provider.ensure([want]) == {}
    return id


def saved(local: LocalWorld, id: ThingId) -> str:
    """Waits until a checkpoint is whole in the bucket; gives its name."""

    def is_saved(seen: object) -> bool:
        return isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) and seen.facts.saved != ""

    seen = local.until(id, is_saved)
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, TaskFacts)
    return seen.facts.saved


def log(local: LocalWorld, id: ThingId) -> str:
    return b"".join(local.provider.logs(id)).decode()


def keys(s3: S3Plane) -> list[str]:
    return [item["Key"] for item in s3.client().list_objects_v2(Bucket="lake").get("Contents", [])]


def put_checkpoint(client: Any, number: int, text: str, claims: str | None = None, is_whole: bool = True) -> None:
    """A checkpoint as the agent would write it; `claims` is what its manifest says was in it."""
    at = f"checkpoints/train/{number:08d}"
    client.put_object(Bucket="lake", Key=f"{at}/files/count", Body=text.encode())
    content = (text if claims is None else claims).encode()
    file = {"path": "count", "key": "files/count", "size_bytes": len(content), "mode": 0o600}
    file["sha256"] = hashlib.sha256(content).hexdigest()
    manifest = {"number": number, "entry": f"n{text.strip()}", "is_folder": True, "mtime_ns": 10**18 + number}
    manifest |= {"folders": [], "files": [file], "version": 1}
    if is_whole:
        client.put_object(Bucket="lake", Key=f"{at}/manifest.json", Body=json.dumps(manifest).encode())


def test_a_reclaimed_task_resumes_where_it_stopped(lake: LocalWorld, s3: S3Plane) -> None:
    """Notice, SIGTERM, a last save, the upload, and only then the recorded end; the next attempt goes on from there."""
    first = start(lake, "1")
    saved(lake, first)
    lake.provider.reclaim(first, 60.0)
    facts = lake.ended(first)
    assert facts.end is not None
    assert facts.end.reason is EndReason.RECLAIMED
    stopped_at = log(lake, first).split("stopped at ")[1].split()[0]
    assert facts.saved.startswith(f"n{stopped_at}#")
    second = start(lake, "2")
    lake.until(second, lambda _: f"from {stopped_at}\n" in log(lake, second))
    assert f"resumes from checkpoint {facts.saved}" in log(lake, second)
    assert lake.running(second).restored == facts.saved


def test_a_node_that_goes_amid_an_upload_costs_no_more_than_that_checkpoint(lake: LocalWorld, s3: S3Plane) -> None:
    """The upload is cut off with the node; the next attempt begins from the one before it, which is whole."""
    go = lake.home / "go"
    script = (
        f'cd "$WEYR_CHECKPOINT_DIR"; echo 1 > one.tmp; mv one.tmp one; while [ ! -e {go} ]; do sleep 0.02; done; '
        "head -c 400000000 /dev/zero > two.tmp; mv two.tmp two; exec sleep 60"
    )
    first = start(lake, "1", script)
    assert saved(lake, first) == "one#1"
    go.touch()
    lake.until(first, lambda _: bool(s3.client().list_multipart_uploads(Bucket="lake").get("Uploads")))

    lake.provider.reclaim(first, 0.0)

    assert lake.ended(first).saved == "one#1"
    second = start(lake, "2", 'cat "$WEYR_CHECKPOINT_DIR/one"; ls "$WEYR_CHECKPOINT_DIR"')
    assert lake.ended(second).restored == "one#1"
    assert log(lake, second).endswith("1\none\n")


def test_what_a_program_needs_before_it_goes_on_is_measured(lake: LocalWorld, s3: S3Plane) -> None:
    """By the times of its checkpoints: one that is written 100 s after its start, and the next one 2 s later, needed
    98 s before its first step. The times are set here, so that nobody has to wait for them."""
    go = lake.home / "go"
    script = (
        'cd "$WEYR_CHECKPOINT_DIR"; began=$(date +%s); '
        'touch -d "@$((began + 100))" one.tmp; mv one.tmp one; '
        f"while [ ! -e {go} ]; do sleep 0.02; done; "
        'touch -d "@$((began + 102))" two.tmp; mv two.tmp two; exec sleep 60'
    )
    id = start(lake, "1", script)
    assert saved(lake, id) == "one#1"
    assert lake.running(id).startup_s is None, "one checkpoint alone does not tell"
    go.touch()

    def startup_s(seen: object) -> float | None:
        return seen.facts.startup_s if isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) else None

    seen = lake.until(id, lambda seen: startup_s(seen) is not None)

    assert startup_s(seen) == pytest.approx(98.0, abs=1.5)


def test_a_killed_agent_is_followed_by_another(lake: LocalWorld, s3: S3Plane) -> None:
    """Without one the task would go on, and its next interruption would cost all that it did since."""
    id = start(lake, "1")
    before = saved(lake, id)
    mark = f"WEYR_TASK_FOLDER={lake.home / 'tasks' / quote(str(id), safe='')}"
    (agent,) = (pid for pid in marked(mark) if b"checkpoint_agent" in Path(f"/proc/{pid}/cmdline").read_bytes())

    os.kill(agent, signal.SIGKILL)

    lake.until(id, lambda _: "is started again" in log(lake, id))
    lake.until(id, lambda _: saved(lake, id) != before)
    lake.provider.reclaim(id, 60.0)
    facts = lake.ended(id)
    assert facts.saved.startswith(f"n{log(lake, id).split('stopped at ')[1].split()[0]}#"), "its last save as well"


def test_only_the_newest_checkpoints_are_kept(lake: LocalWorld, s3: S3Plane) -> None:
    """A long run does not fill the bucket."""
    id = start(lake, "1", body=CheckpointBody("lake", "checkpoints/train", every_s=0.05, keep=2))
    lake.until(id, lambda _: log(lake, id).count("is saved") >= 4)
    lake.release(id)
    lake.ended(id)
    assert len([key for key in keys(s3) if key.endswith("manifest.json")]) == 2
    assert len({key.split("/")[2] for key in keys(s3)}) == 2, "nothing of the others is left"


@pytest.mark.parametrize("newest", ["without its manifest", "with a wrong sum", "cut short"])
def test_half_a_checkpoint_is_never_used(lake: LocalWorld, s3: S3Plane, newest: str) -> None:
    """Whatever became of the newest one, the task begins from one that is whole to the byte."""
    client = s3.client()
    put_checkpoint(client, 1, "100\n")
    put_checkpoint(
        client,
        2,
        "200\n",
        claims={"with a wrong sum": "201\n", "cut short": "200\nand more"}.get(newest),
        is_whole=newest != "without its manifest",
    )
    id = start(lake, "1", "cat $WEYR_CHECKPOINT_DIR/*/count; ls -A $WEYR_CHECKPOINT_DIR")
    assert lake.ended(id).restored == "n100#1"
    assert log(lake, id).endswith("100\nn100\n")


def test_a_manifest_cannot_lead_out_of_the_folder(lake: LocalWorld, s3: S3Plane) -> None:
    """What lies in a bucket may have been written by somebody else."""
    client = s3.client()
    put_checkpoint(client, 1, "100\n")
    put_checkpoint(client, 2, "200\n")
    evil = json.loads(client.get_object(Bucket="lake", Key="checkpoints/train/00000002/manifest.json")["Body"].read())
    for field, name in (("entry", "../../evil"), ("entry", "/evil")):
        body = json.dumps(evil | {field: name}).encode()
        client.put_object(Bucket="lake", Key="checkpoints/train/00000002/manifest.json", Body=body)
        id = start(lake, field + name.strip("./"), "ls -A $WEYR_CHECKPOINT_DIR")
        assert lake.ended(id).restored == "n100#1"


def test_without_an_answer_nothing_begins_anew(lake: LocalWorld, s3: S3Plane) -> None:
    """A bucket that cannot be reached may hold a week's work: the attempt waits, and does not start from zero."""
    s3.stop()
    id = start(lake, "1")
    lake.until(id, lambda _: "could be restored" in log(lake, id))
    assert lake.starts(id) == 0
    s3.start()
    assert lake.running(id).restored == ""


def test_large_files_and_odd_names_come_back(lake: LocalWorld, s3: S3Plane) -> None:
    """Multipart uploads, empty files and folders, spaces, modes: what was saved is what is there."""
    make = (
        'cd "$WEYR_CHECKPOINT_DIR"; mkdir -p "e.tmp/sub/empty folder"; head -c 20000000 /dev/urandom > e.tmp/big; '
        'echo "a b" > "e.tmp/sub/größe #1%.txt"; : > e.tmp/none; chmod 755 e.tmp/none; mv e.tmp e; '
    )
    look = 'cd "$WEYR_CHECKPOINT_DIR"/e; find . | sort; sha256sum big sub/*.txt none; stat -c %a none'
    first = start(lake, "1", make + look)
    assert lake.ended(first).saved == "e#1"
    second = start(lake, "2", look)
    assert lake.ended(second).restored == "e#1"
    # The agent's lines come when it has something to say, between the program's too.
    theirs, again = (
        [line for line in log(lake, id).splitlines() if not line.startswith("[weyr]")] for id in (first, second)
    )
    assert theirs == again
    assert len(theirs) == 10
