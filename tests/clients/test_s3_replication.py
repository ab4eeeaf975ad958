"""A bucket is in a second place: another Weyr, kept up with boto3's own words for it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loopback import free_port
from s3_replicas import BACK_KEYS, everything, pair, replicate, shown, until, waiting
from test_s3_serve import SECRETS, USERS, code_of, served

from weyr.gateway.s3.replication.asking import Door
from weyr.gateway.s3.signing import Keys

PART = 5 * 2**20


def test_another_weyr_has_every_object_as_it_is_here(tmp_path: Path) -> None:
    """Bytes, etag, moment, content headers, metadata, tags, checksum; also of what was there before the rule."""
    with pair(tmp_path) as (front, back):
        here, there = front.client("ann"), back.client("ann")
        for client in (here, there):
            client.create_bucket(Bucket="lake")
        here.put_object(Bucket="lake", Key="before", Body=b"old")
        replicate(here, "lake")
        here.put_object(
            Bucket="lake",
            Key="a/b c+ü//.",
            Body=b"x" * 100_000,
            ContentType="text/plain",
            CacheControl="no-store",
            Metadata={"who": "ann"},
            Tagging="a=1&b=c%20d",
            ChecksumAlgorithm="SHA256",
        )
        here.put_object(Bucket="lake", Key="folder/", Body=b"")
        here.put_object(Bucket="lake", Key="closed", Body=b"secret", ServerSideEncryption="AES256")
        put_in_parts(here, "lake", "parts")
        until(lambda: not waiting(tmp_path / "front", "lake"), "all is there")
        assert everything(there, "lake") == everything(here, "lake")
        for key in ("before", "a/b c+ü//.", "folder/", "closed", "parts"):
            check_same(here, there, key)
        assert there.head_object(Bucket="lake", Key="closed")["ServerSideEncryption"] == "AES256"


def test_bytes_in_metadata_arrive_as_they_came(tmp_path: Path) -> None:
    """Headers are bytes: what is no ASCII is sent and signed as it is kept, and odd keys with them."""
    with pair(tmp_path) as (front, back):
        here, there = front.client("ann"), back.client("ann")
        for client in (here, there):
            client.create_bucket(Bucket="lake")
        replicate(here, "lake")
        door = Door(front.url.removeprefix("http://"), False, Keys("ANNKEY", SECRETS["ann"]))
        headers = {"x-amz-meta-name": "caf\xc3\xa9  au lait", "content-type": "text/\xe9"}
        door.ask("PUT", "lake", "odd \U0001f409?&=+%", headers=headers, body=b"x")
        door.close()
        until(lambda: not waiting(tmp_path / "front", "lake"), "all is there")
        first, second = (c.head_object(Bucket="lake", Key="odd \U0001f409?&=+%") for c in (here, there))
        assert first["Metadata"] == second["Metadata"]
        assert first["ContentType"] == second["ContentType"]
        assert second["ReplicationStatus"] == "REPLICA"


def check_same(here: Any, there: Any, key: str) -> None:
    first = here.get_object(Bucket="lake", Key=key, ChecksumMode="ENABLED")
    second = there.get_object(Bucket="lake", Key=key, ChecksumMode="ENABLED")
    assert first["Body"].read() == second["Body"].read(), key
    names = {"ETag", "LastModified", "ContentType", "CacheControl", "Metadata", "ContentLength", "TagCount"}
    names |= {name for name in first if name.startswith("Checksum")}
    assert {n: first.get(n) for n in names} == {n: second.get(n) for n in names}, key
    assert (first["ReplicationStatus"], second["ReplicationStatus"]) == ("COMPLETED", "REPLICA"), key
    tags = [client.get_object_tagging(Bucket="lake", Key=key)["TagSet"] for client in (here, there)]
    assert tags[0] == tags[1], key


def put_in_parts(client: Any, bucket: str, key: str) -> str:
    """An object of three parts, with a checksum of its own. Gives the MD5 of all of it."""
    upload = client.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="CRC32C")["UploadId"]
    bodies = [b"a" * PART, b"b" * (PART + 1), b"c" * 10]
    parts = []
    for number, body in enumerate(bodies, 1):
        done = client.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32C"
        )
        parts.append({"PartNumber": number, "ETag": done["ETag"], "ChecksumCRC32C": done["ChecksumCRC32C"]})
    client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    return hashlib.md5(b"".join(bodies)).hexdigest()


def test_what_changes_here_changes_there(tmp_path: Path) -> None:
    """Overwritten, tagged anew, deleted: the newest state of each key arrives, and a delete where the rule says so."""
    with pair(tmp_path) as (front, back):
        here, there = front.client("ann"), back.client("ann")
        for client in (here, there):
            client.create_bucket(Bucket="lake")
        replicate(here, "lake")
        for key in ("over", "tagged", "gone", "kept/gone"):
            here.put_object(Bucket="lake", Key=key, Body=b"first", Tagging="is=first")
        until(lambda: len(everything(there, "lake")) == 4, "all four are there")
        for number in range(20):
            here.put_object(Bucket="lake", Key="over", Body=f"{number}".encode())
        here.put_object_tagging(Bucket="lake", Key="tagged", Tagging={"TagSet": [{"Key": "is", "Value": "second"}]})
        here.delete_object(Bucket="lake", Key="gone")
        until(lambda: not waiting(tmp_path / "front", "lake"), "nothing waits")
        assert there.get_object(Bucket="lake", Key="over")["Body"].read() == b"19"
        assert there.get_object_tagging(Bucket="lake", Key="tagged")["TagSet"][0]["Value"] == "second"
        assert everything(there, "lake").keys() == {"over", "tagged", "kept/gone"}
        replicate(here, "lake", DeleteMarkerReplication={"Status": "Disabled"})
        here.delete_object(Bucket="lake", Key="kept/gone")
        here.put_object(Bucket="lake", Key="last", Body=b"")
        until(lambda: "last" in everything(there, "lake"), "the last one is there")
        assert "kept/gone" in everything(there, "lake")


def test_versions_end_and_come_back(tmp_path: Path) -> None:
    """A delete marker arrives as one; when it is taken off here, the object is back there too."""
    with pair(tmp_path) as (front, back):
        here, there = front.client("ann"), back.client("ann")
        for client in (here, there):
            client.create_bucket(Bucket="lake")
            client.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
        replicate(here, "lake")
        here.put_object(Bucket="lake", Key="a", Body=b"1")
        marker = here.delete_object(Bucket="lake", Key="a")["VersionId"]
        until(lambda: there.list_object_versions(Bucket="lake").get("DeleteMarkers"), "there is a marker")
        here.delete_object(Bucket="lake", Key="a", VersionId=marker)
        until(lambda: "a" in everything(there, "lake"), "the object is back")
        assert there.get_object(Bucket="lake", Key="a")["Body"].read() == b"1"


def test_two_planes_that_replicate_into_each_other_end_with_the_same(tmp_path: Path) -> None:
    """Nothing goes round in circles, and where both changed a key the newer state is in both places."""
    port = free_port()
    keys = {name.replace("BACK", "OTHER"): value for name, value in BACK_KEYS.items()}
    with served(tmp_path / "one", *USERS, f"--replica=other=http://127.0.0.1:{port}", **keys) as one:
        other = [*USERS, f"--port={port}", f"--replica=other={one.url}"]
        with served(tmp_path / "two", *other, **keys) as two:
            clients = one.client("ann"), two.client("ann")
            for client in clients:
                client.create_bucket(Bucket="both")
                client.put_bucket_versioning(Bucket="both", VersioningConfiguration={"Status": "Enabled"})
                replicate(client, "both", "other")
            for number in range(40):
                clients[number % 2].put_object(Bucket="both", Key=f"key{number % 7}", Body=f"{number}".encode())
                if number % 5 == 0:
                    clients[number % 2].delete_object(Bucket="both", Key=f"key{(number + 3) % 7}")
            until(lambda: not waiting(tmp_path / "one", "both") + waiting(tmp_path / "two", "both"), "nothing waits")
            assert everything(clients[0], "both") == everything(clients[1], "both")
            assert everything(clients[0], "both")
            versions = [len(c.list_object_versions(Bucket="both")["Versions"]) for c in clients]
            assert max(versions) <= 40, "each state came at most once"


def test_locks_arrive_and_what_only_the_customer_can_open_is_refused(tmp_path: Path) -> None:
    """A bucket there without object lock takes nothing that is locked: that is shown, and mended by making it anew."""
    until_then = datetime.now(UTC) + timedelta(days=1)
    with pair(tmp_path) as (front, back):
        here, there = front.client("ann"), back.client("ann")
        for client in (here, there):
            client.create_bucket(Bucket="lake", ObjectLockEnabledForBucket=True)
        replicate(here, "lake")
        lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until_then}
        here.put_object(Bucket="lake", Key="held", Body=b"x", **lock)
        here.put_object(Bucket="lake", Key="later", Body=b"x")
        here.put_object_legal_hold(Bucket="lake", Key="later", LegalHold={"Status": "ON"})
        key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
        here.put_object(Bucket="lake", Key="theirs", Body=b"x", **key)
        until(lambda: waiting(tmp_path / "front", "lake") == 1, "all but one is there")
        assert everything(there, "lake").keys() == {"held", "later"}
        held = there.head_object(Bucket="lake", Key="held")
        assert held["ObjectLockMode"] == "GOVERNANCE"
        assert abs(held["ObjectLockRetainUntilDate"] - until_then) < timedelta(seconds=1)
        assert there.head_object(Bucket="lake", Key="later")["ObjectLockLegalHoldStatus"] == "ON"
        assert here.head_object(Bucket="lake", Key="theirs", **key)["ReplicationStatus"] == "FAILED"


def test_only_who_may_replicate_writes_as_a_replica(tmp_path: Path) -> None:
    """Whoever may only put cannot give an object an older moment, or hide it from the bucket's own replicas."""
    with served(tmp_path / "data", *USERS) as s3:
        ann, bob = s3.client("ann"), s3.client("bob")
        ann.create_bucket(Bucket="lake")
        put = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::lake/*"}
        ann.put_bucket_policy(Bucket="lake", Policy=json.dumps({"Version": "2012-10-17", "Statement": [put]}))
        bob.put_object(Bucket="lake", Key="plain", Body=b"x")

        def mark(request: Any, **_: Any) -> None:
            request.headers["x-amz-weyr-replica"] = "weyr-other 1000"

        for client in (ann, bob):
            client.meta.events.register("before-sign.s3.PutObject", mark)
        assert code_of(bob.put_object, Bucket="lake", Key="marked", Body=b"x") == ("AccessDenied", 403)
        ann.put_object(Bucket="lake", Key="marked", Body=b"x")
        found = ann.head_object(Bucket="lake", Key="marked")
        assert (found["ReplicationStatus"], found["LastModified"].timestamp()) == ("REPLICA", 1)


def test_a_replica_that_the_server_does_not_know_any_more_is_shown(tmp_path: Path) -> None:
    """What changes meanwhile waits for it, and is sent once it is named again."""
    (tmp_path / "disk").mkdir()
    named = f"--replica=disk=file://{tmp_path / 'disk'}"
    with served(tmp_path / "data", *USERS, named) as s3:
        s3.client("ann").create_bucket(Bucket="lake")
        replicate(s3.client("ann"), "lake", "disk")
    with served(tmp_path / "data", *USERS) as s3:
        s3.client("ann").put_object(Bucket="lake", Key="a", Body=b"x")
        until(lambda: "not started with" in shown(tmp_path / "data")[0]["last_error"], "it is shown")
        assert waiting(tmp_path / "data", "lake")
    with served(tmp_path / "data", *USERS, named):
        until(lambda: not waiting(tmp_path / "data", "lake"), "it is there")
    assert (tmp_path / "disk/lake/a").read_bytes() == b"x"
