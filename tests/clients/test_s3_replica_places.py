"""A replica in a folder that people can read, and one in somebody else's S3."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from remote_places import KEYS, moto
from s3_plane import running_s3
from s3_replicas import WEYR, everything, replicate, shown, until, waiting
from test_s3_replication import PART, put_in_parts
from test_s3_serve import USERS, code_of, served

HOSTILE = (
    "../../etc/passwd", "..", ".", "/absolute", "a//b", "ends/", "./here", "x/../y", ".weyr/objects/00/x.json",
    "case", "Case", "é", "é", "n" * 300, "tab\tand\x01bell", "file", "file/below", "file/below/deeper", "CON", "nul\\x",
)  # fmt: skip


def described(root: Path) -> dict[str, dict[str, Any]]:
    """Key → what lies beside its bytes, for every object of a bucket's folder."""
    notes = [json.loads(path.read_text()) for path in (root / ".weyr" / "objects").rglob("*.json")]
    return {note["key"]: note for note in notes}


def test_a_folder_has_plain_files_and_what_belongs_to_each(tmp_path: Path) -> None:
    """Whoever has only the folder finds the bytes under their keys, and type, tags and checksum beside them."""
    folder = tmp_path / "backup"
    folder.mkdir()
    with served(tmp_path / "data", *USERS, f"--replica=disk=file://{folder}") as s3:
        client = s3.client("ann")
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key="before", Body=b"old")
        replicate(client, "lake", "disk")
        client.put_object(
            Bucket="lake", Key="a/b.txt", Body=b"text", ContentType="text/plain", Tagging="k=v", Metadata={"who": "ann"}
        )
        client.put_object(Bucket="lake", Key="closed", Body=b"secret", ServerSideEncryption="AES256")
        digest = put_in_parts(client, "lake", "parts")
        until(lambda: not waiting(tmp_path / "data", "lake"), "all is there")
        assert (folder / "lake/before").read_bytes() == b"old"
        assert (folder / "lake/a/b.txt").read_bytes() == b"text"
        assert (folder / "lake/closed").read_bytes() == b"secret"
        assert hashlib.md5((folder / "lake/parts").read_bytes()).hexdigest() == digest
        notes = described(folder / "lake")
        meta = notes["a/b.txt"]["meta"]
        assert meta["headers"] == {"content-type": "text/plain", "x-amz-meta-who": "ann"}
        assert meta["tags"] == {"k": "v"}
        check_comes_back(tmp_path, folder / "lake", client)
        assert notes["parts"]["parts"] == [PART, PART + 1, 10]
        assert notes["parts"]["meta"]["checksum"][0] == "CRC32C"

        client.put_object_tagging(Bucket="lake", Key="a/b.txt", Tagging={"TagSet": []})
        client.delete_object(Bucket="lake", Key="before")
        client.delete_object(Bucket="lake", Key="parts")
        until(lambda: not waiting(tmp_path / "data", "lake"), "the changes are there")
        assert described(folder / "lake").keys() == {"a/b.txt", "closed"}
        assert "tags" not in described(folder / "lake")["a/b.txt"]["meta"]
        assert {p.name for p in (folder / "lake").iterdir()} == {"a", "closed", ".weyr"}
        assert not list((folder / "lake/.weyr/incoming").iterdir())


def check_comes_back(tmp_path: Path, folder: Path, client: Any) -> None:
    """`weyr s3 import` makes the bucket again out of the folder, with what belonged to each object."""
    data = tmp_path / "again"
    with served(data, *USERS):
        pass  # only so that there is a store
    command = [str(WEYR), "s3", "import", str(folder), "lake", "--data", str(data), "--owner", "ann"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    with served(data, *USERS) as again:
        found = again.client("ann")
        assert everything(found, "lake") == everything(client, "lake")
        first, second = (c.get_object(Bucket="lake", Key="a/b.txt", ChecksumMode="ENABLED") for c in (client, found))
        for name in ("ContentType", "Metadata", "TagCount", "LastModified", "ChecksumCRC32"):
            assert first[name] == second[name], name


def test_no_key_leaves_the_folder(tmp_path: Path) -> None:
    """Each hostile key has its bytes below the bucket's folder, and none takes another's place."""
    folder = tmp_path / "deep" / "backup"
    folder.mkdir(parents=True)
    with served(tmp_path / "data", *USERS, f"--replica=disk=file://{folder}") as s3:
        client = s3.client("ann")
        client.create_bucket(Bucket="lake")
        replicate(client, "lake", "disk")
        for key in HOSTILE:
            client.put_object(Bucket="lake", Key=key, Body=key.encode())
        until(lambda: not waiting(tmp_path / "data", "lake"), "all is there")
        notes = described(folder / "lake")
        assert notes.keys() == set(HOSTILE)
        for key, note in notes.items():
            path = (folder / "lake" / note["file"]).resolve()
            assert path.is_relative_to(folder / "lake"), key
            assert path.read_bytes() == key.encode(), key
        assert sorted(os.listdir(tmp_path / "deep")) == ["backup"]
        assert os.listdir(folder) == ["lake"]
        for key in HOSTILE:
            client.delete_object(Bucket="lake", Key=key)
        until(lambda: not waiting(tmp_path / "data", "lake"), "all is gone")
        assert [p for p in folder.rglob("*") if p.is_file()] == []


def test_a_foreign_s3_gets_bytes_types_metadata_and_what_it_has_no_place_for(tmp_path: Path) -> None:
    """And a key that it would keep under another name is refused, shown, and holds up nobody."""
    with moto(tmp_path / "moto") as url:
        keys = {"aws_access_key_id": KEYS["access_key_id"], "aws_secret_access_key": KEYS["secret_access_key"]}
        far = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        far.create_bucket(Bucket="far")
        environment = {f"WEYR_REMOTE_CLOUD_{name.upper()}": value for name, value in KEYS.items()}
        with served(tmp_path / "data", *USERS, f"--replica=cloud=s3://far/in/it?endpoint={url}", **environment) as s3:
            client = s3.client("ann")
            client.create_bucket(Bucket="lake")
            client.put_object(Bucket="lake", Key="a//b", Body=b"odd")
            client.put_object(Bucket="lake", Key="before", Body=b"old")
            replicate(client, "lake", "cloud")
            client.put_object(
                Bucket="lake", Key="a/b", Body=b"text", ContentType="text/x", Tagging="k=v", Metadata={"who": "ann"}
            )
            client.put_object(Bucket="lake", Key="gone", Body=b"x")
            digest = put_in_parts(client, "lake", "parts")
            client.delete_object(Bucket="lake", Key="gone")
            until(lambda: waiting(tmp_path / "data", "lake") == 1, "only the odd key waits")
            assert everything(far, "far").keys() == {"in/it/a/b", "in/it/before", "in/it/parts"}
            found = far.get_object(Bucket="far", Key="in/it/a/b")
            assert (found["Body"].read(), found["ContentType"], found["Metadata"]["who"]) == (b"text", "text/x", "ann")
            assert json.loads(found["Metadata"]["weyr_replica"])["tags"] == {"k": "v"}
            body = far.get_object(Bucket="far", Key="in/it/parts")["Body"].read()
            assert hashlib.md5(body).hexdigest() == digest
            assert client.head_object(Bucket="lake", Key="a//b")["ReplicationStatus"] == "FAILED"
            assert client.head_object(Bucket="lake", Key="a/b")["ReplicationStatus"] == "COMPLETED"
            (lag,) = shown(tmp_path / "data")
            assert (lag["waiting"], lag["failing"], lag["target"]) == (1, 1, "cloud")
            assert "a//b" in lag["last_error"]


def test_what_is_at_a_tier_is_replicated_too(tmp_path: Path) -> None:
    """A replica that was asked for late gets it from there."""
    for name in ("tier", "backup"):
        (tmp_path / name).mkdir()
    places = [f"--tier=COLD=file://{tmp_path / 'tier'}", f"--replica=disk=file://{tmp_path / 'backup'}"]
    with served(tmp_path / "data", *USERS, *places, "--lifecycle-day=1s") as s3:
        client = s3.client("ann")
        client.create_bucket(Bucket="lake")
        body = os.urandom(3 * 2**20)
        client.put_object(Bucket="lake", Key="plain", Body=body)
        client.put_object(Bucket="lake", Key="closed", Body=body, ServerSideEncryption="AES256")
        move = {"ID": "r", "Status": "Enabled", "Filter": {}, "Transitions": [{"Days": 1, "StorageClass": "COLD"}]}
        client.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration={"Rules": [move]})
        heads = partial(map, lambda key: client.head_object(Bucket="lake", Key=key), ("plain", "closed"))
        until(lambda: all(head.get("StorageClass") == "COLD" for head in heads()), "both moved")
        replicate(client, "lake", "disk")
        until(lambda: not waiting(tmp_path / "data", "lake"), "all is there")
        assert [(tmp_path / "backup/lake" / key).read_bytes() == body for key in ("plain", "closed")] == [True, True]


def test_how_far_behind_a_replica_is_can_be_asked_in_every_place(tmp_path: Path) -> None:
    """On the control socket: of the plane, and of the bucket; and by the command, which also asks for replication."""
    folder = tmp_path / "backup"
    folder.mkdir()
    with running_s3(tmp_path / "plane", arguments=["--replica", f"disk=file://{folder}"]) as s3:
        client = s3.client()
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key="in/a", Body=b"12345")
        client.put_object(Bucket="lake", Key="out", Body=b"x")
        asked = ["lake", "--to", "disk", "--prefix", "in/", "--keep-deleted"]
        done = subprocess.run([str(WEYR), "s3", "replicate", *asked], env=s3.environment(), check=False, timeout=60)
        assert done.returncode == 0
        until(lambda: s3.ask("GET", "/buckets/lake")[1]["replication"][0]["sent"], "it is there")
        until(lambda: s3.ask("GET", "/stats")[1]["replication"][0]["lag_s"] == 0, "nothing waits")
        client.delete_object(Bucket="lake", Key="in/a")
        shown_there = s3.ask("GET", "/stats")[1]["replication"]
        assert [(r["bucket"], r["target"], r["sent_bytes"]) for r in shown_there] == [("lake", "disk", 5)]
        assert described(folder / "lake").keys() == {"in/a"}
        asked[2] = "nobody"
        refused = subprocess.run(
            [str(WEYR), "s3", "replicate", *asked], env=s3.environment(), capture_output=True, text=True, timeout=60
        )
        assert refused.returncode == 1
        assert "was not started with a replica 'nobody'" in " ".join(refused.stderr.split())
        client.delete_bucket_replication(Bucket="lake")
        assert s3.ask("GET", "/buckets/lake")[1]["replication"] == []


REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "a target that nobody named": ({"Destination": {"Bucket": "arn:aws:s3:::nobody"}}, "InvalidRequest"),
    "a destination that is no ARN": ({"Destination": {"Bucket": "lake"}}, "InvalidArgument"),
    "another storage class": (
        {"Destination": {"Bucket": "arn:aws:s3:::disk", "StorageClass": "GLACIER"}},
        "NotImplemented",
    ),
    "a promise of minutes": (
        {
            "Destination": {
                "Bucket": "arn:aws:s3:::disk",
                "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
                "Metrics": {"Status": "Enabled"},
            }
        },
        "NotImplemented",
    ),
    "changes of replicas": (
        {"SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Enabled"}}},
        "NotImplemented",
    ),
    "deletes of what has tags": ({"Filter": {"Tag": {"Key": "a", "Value": "b"}}}, "InvalidRequest"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_accepted_that_will_not_be_done(case: str, tmp_path: Path) -> None:
    rule, expected = REFUSED[case]
    folder = tmp_path / "backup"
    folder.mkdir()
    with served(tmp_path / "data", *USERS, f"--replica=disk=file://{folder}") as s3:
        client = s3.client("ann")
        client.create_bucket(Bucket="lake")
        assert code_of(replicate, client, "lake", "disk", **rule)[0] == expected
        missing = ("ReplicationConfigurationNotFoundError", 404)
        assert code_of(client.get_bucket_replication, Bucket="lake") == missing
        denied = ("AccessDenied", 403)
        assert code_of(replicate, s3.client("bob"), "lake", "disk") == denied
