"""Encrypted buckets and objects through unmodified boto3: what is on disk, who may read, and what a copy does."""

import base64
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3_plane import S3Plane, running_s3

MIB = 2**20
MARK = b"nobody-shall-find-this-on-the-disk"
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("sealed"), arguments=["--kms-key", "archive"]) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


@pytest.fixture(scope="module")
def client(s3: S3Plane) -> Any:
    return s3.client()


def customer(key: bytes | str, prefix: str = "") -> dict[str, Any]:
    """What boto3 is told of a customer's key; it computes the MD5."""
    return {f"{prefix}SSECustomerAlgorithm": "AES256", f"{prefix}SSECustomerKey": key}


WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "bucket": ({"ServerSideEncryption": "AES256"}, {}),
    "named": ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "archive"}, {}),
    "customer": (customer(KEY), customer(KEY)),
}
"""How an object can be put, and what a reader has to bring."""


def read(client: Any, key: str, **asked: Any) -> bytes:
    with client.get_object(Bucket="lake", Key=key, **asked)["Body"] as body:
        return bytes(body.read())


def refused(call: Any, **asked: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call(Bucket="lake", **asked)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def on_disk(s3: S3Plane) -> bytes:
    """Every byte that the plane keeps, logs and audit trail among them."""
    return b"".join(path.read_bytes() for path in s3.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 100, 300_000, 3 * MIB + 1])
@pytest.mark.parametrize("way", ["bucket", "named", "customer"])
def test_what_is_on_disk_says_nothing(s3: S3Plane, client: Any, way: str, size: int) -> None:
    """Small or large, the bytes are nowhere in the data folder, and come back whole and in ranges."""
    put, get = WAYS[way]
    body = (MARK * (size // len(MARK) + 1))[:size]
    done = client.put_object(Bucket="lake", Key="secret", Body=body, **put)
    assert done["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert MARK not in on_disk(s3)
    assert read(client, "secret", **get) == body
    for start, end in ((0, 9), (65_530, 65_545), (size - 5, size - 1), (MIB, 2 * MIB + 3)):
        if 0 <= start < size:
            assert read(client, "secret", Range=f"bytes={start}-{end}", **get) == body[start : end + 1]
    head = client.head_object(Bucket="lake", Key="secret", **get)
    assert head["ContentLength"] == size
    told = {"bucket": ("AES256", None), "named": ("aws:kms", "archive"), "customer": (None, None)}[way]
    assert (head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")) == told


def test_a_buckets_default_encrypts_what_does_not_ask(s3: S3Plane, client: Any) -> None:
    """Set once, every program that knows nothing of it writes encrypted; the document comes back as it was."""
    client.create_bucket(Bucket="vault")
    with pytest.raises(ClientError, match="ServerSideEncryptionConfigurationNotFoundError"):
        client.get_bucket_encryption(Bucket="vault")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket="vault", ServerSideEncryptionConfiguration={"Rules": [rule]})
    kept = client.get_bucket_encryption(Bucket="vault")["ServerSideEncryptionConfiguration"]["Rules"]
    assert kept[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert client.put_object(Bucket="vault", Key="k", Body=MARK)["ServerSideEncryption"] == "AES256"
    assert MARK not in on_disk(s3)

    unknown = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "nobody"}}
    with pytest.raises(ClientError, match=r"KMS\.NotFoundException"):
        client.put_bucket_encryption(Bucket="vault", ServerSideEncryptionConfiguration={"Rules": [unknown]})
    client.delete_bucket_encryption(Bucket="vault")
    assert "ServerSideEncryption" not in client.put_object(Bucket="vault", Key="k", Body=b"plain")


def test_only_the_customer_can_read(client: Any) -> None:
    """Nobody else has the key: without it, or with another, neither bytes nor metadata come out."""
    client.put_object(Bucket="lake", Key="mine", Body=b"mine", **customer(KEY))
    for call in (client.get_object, client.head_object):
        assert refused(call, Key="mine")[1] == 400
        assert refused(call, Key="mine", **customer(OTHER))[1] == 400
    assert refused(client.get_object_attributes, Key="mine", ObjectAttributes=["ETag"])[0] == "InvalidRequest"
    assert refused(client.put_object, Key="mine", SSECustomerAlgorithm="AES256")[0] == "InvalidArgument"
    wrong = base64.b64encode(hashlib.md5(OTHER).digest()).decode()
    text = base64.b64encode(KEY).decode()  # with an MD5 given boto3 sends both as they are
    assert refused(client.put_object, Key="mine", **customer(text), SSECustomerKeyMD5=wrong)[0] == "InvalidArgument"
    both = {**customer(KEY), "ServerSideEncryption": "AES256"}
    assert refused(client.put_object, Key="mine", **both)[0] == "InvalidArgument"
    client.put_object(Bucket="lake", Key="open", Body=b"open")
    assert refused(client.get_object, Key="open", **customer(KEY))[0] == "InvalidRequest"
    assert read(client, "mine", **customer(KEY)) == b"mine"


def test_a_customers_key_is_written_nowhere(s3: S3Plane, client: Any) -> None:
    """Not in the index, not in a log, not in the audit trail: neither the key nor its MD5."""
    key = os.urandom(32)
    client.put_object(Bucket="lake", Key="kept", Body=b"x", **customer(key))
    refused(client.get_object, Key="kept", **customer(OTHER))
    kept, digest = on_disk(s3), hashlib.md5(key).digest()
    for trace in (key, base64.b64encode(key), digest, base64.b64encode(digest), digest.hex().encode()):
        assert trace not in kept


@pytest.mark.parametrize("source", WAYS)
@pytest.mark.parametrize("target", WAYS)
def test_a_copy_is_encrypted_as_it_is_asked_for(client: Any, source: str, target: str) -> None:
    """From each way to each other, small and large; what both encrypt is not written again."""
    for size in (1000, 2 * MIB + 5):
        body = os.urandom(size)
        client.put_object(Bucket="lake", Key="from", Body=body, **WAYS[source][0])
        source_key = customer(KEY, "CopySource") if source == "customer" else {}
        asked = {**WAYS[target][0], **source_key}
        done = client.copy_object(Bucket="lake", Key="to", CopySource={"Bucket": "lake", "Key": "from"}, **asked)
        assert done["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        assert done.get("ServerSideEncryption") == WAYS[target][0].get("ServerSideEncryption")
        client.delete_object(Bucket="lake", Key="from")
        assert read(client, "to", **WAYS[target][1]) == body


def test_a_key_is_changed_without_writing_the_object(s3: S3Plane, client: Any) -> None:
    """A copy onto itself with another key wraps the object's own again: the blob stays, the old key opens nothing."""
    body = os.urandom(2 * MIB)
    client.put_object(Bucket="lake", Key="turned", Body=body, **customer(KEY))
    before = blobs_of(s3, "turned")
    asked = {**customer(OTHER), **customer(KEY, "CopySource")}
    client.copy_object(Bucket="lake", Key="turned", CopySource={"Bucket": "lake", "Key": "turned"}, **asked)
    assert blobs_of(s3, "turned") == before
    assert refused(client.get_object, Key="turned", **customer(KEY))[1] == 400
    assert read(client, "turned", **customer(OTHER)) == body


def blobs_of(s3: S3Plane, key: str) -> str:
    with sqlite3.connect(s3.folder / "s3" / "index.db") as db:
        row = db.execute("SELECT segments FROM objects WHERE key = ?", (key,)).fetchone()
    db.close()
    return str(row[0])


@pytest.mark.parametrize("way", ["bucket", "named", "customer"])
def test_parts_are_encrypted_with_their_upload(s3: S3Plane, client: Any, way: str) -> None:
    """Parts that came and parts that were copied open as one object, by range and by number; each needs the key."""
    put, get = WAYS[way]
    bodies = [MARK * (5 * MIB // len(MARK) + 1), os.urandom(70_001)]
    client.put_object(Bucket="lake", Key="piece", Body=b"---" + bodies[1], **customer(OTHER))
    upload = {"Bucket": "lake", "Key": "parts"}
    upload["UploadId"] = client.create_multipart_upload(**upload, **put)["UploadId"]
    if way == "customer":
        asked = {key: value for key, value in upload.items() if key != "Bucket"}
        assert refused(client.upload_part, **asked, PartNumber=1, Body=b"x")[1] == 400
        assert refused(client.upload_part, **asked, PartNumber=1, Body=b"x", **customer(OTHER))[1] == 400
    first = client.upload_part(**upload, PartNumber=1, Body=bodies[0], **get)
    second = client.upload_part_copy(
        **upload,
        PartNumber=2,
        CopySource={"Bucket": "lake", "Key": "piece"},
        CopySourceRange=f"bytes=3-{len(bodies[1]) + 2}",
        **get,
        **customer(OTHER, "CopySource"),
    )["CopyPartResult"]
    parts = [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate((first, second), 1)]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **get)

    whole = b"".join(bodies)
    assert read(client, "parts", **get) == whole
    assert read(client, "parts", PartNumber=2, **get) == bodies[1]
    edge = len(bodies[0])
    assert read(client, "parts", Range=f"bytes={edge - 7}-{edge + 70_000}", **get) == whole[edge - 7 : edge + 70_001]
    assert MARK not in on_disk(s3)


def test_a_policy_can_demand_encryption(client: Any) -> None:
    """An upload without the header is refused, one with it is taken."""
    client.create_bucket(Bucket="strict")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::strict/*",
        "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}},
    }
    client.put_bucket_policy(Bucket="strict", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object(Bucket="strict", Key="k", Body=b"x")
    client.put_object(Bucket="strict", Key="k", Body=b"x", ServerSideEncryption="AES256")


def test_damage_is_noticed(s3: S3Plane, client: Any) -> None:
    """A bit that turned on the disk ends in a refusal, or a broken connection, never in other bytes."""
    body = os.urandom(2 * MIB)
    client.put_object(Bucket="lake", Key="rotten", Body=body, ServerSideEncryption="AES256")
    blob = int(blobs_of(s3, "rotten").partition(":")[0])
    path = s3.folder / "s3" / "blobs" / f"{blob // 4096:08x}" / f"{blob:08x}"
    for offset in (1000, MIB):
        text = bytearray(path.read_bytes())
        text[offset] ^= 1
        path.write_bytes(text)
        with pytest.raises(Exception, match=r"were damaged|IncompleteRead|Connection"):
            read(client, "rotten")
        text[offset] ^= 1
        path.write_bytes(text)
    assert read(client, "rotten") == body


def test_damage_of_small_plain_objects_is_noticed(s3: S3Plane, client: Any) -> None:
    """What lies in the index is compared with its digests whenever it is read, also in part."""
    client.put_object(Bucket="lake", Key="small", Body=b"as it was put")
    with sqlite3.connect(s3.folder / "s3" / "index.db") as db:
        db.execute("UPDATE blobs SET data = ? WHERE data = ?", (b"as it was pot", b"as it was put"))
    db.close()
    for asked in ({}, {"Range": "bytes=0-1"}):
        assert refused(client.get_object, Key="small", **asked) == ("InternalError", 500)


def test_a_large_object_is_never_held(tmp_path: Path) -> None:
    """An object of 192 MiB goes in and out encrypted while the plane grows by a few megabytes."""
    with running_s3(tmp_path) as s3:
        client, size = s3.client(), 192 * MIB
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key="warm", Body=bytes(4 * MIB), ServerSideEncryption="AES256")
        read(client, "warm")
        before = sum(map(peak_kib, s3.pids))
        source = tmp_path / "large"
        with source.open("wb") as file:
            file.truncate(size)
        with source.open("rb") as file:
            client.put_object(Bucket="lake", Key="large", Body=file, ServerSideEncryption="AES256")
        got = 0
        with client.get_object(Bucket="lake", Key="large")["Body"] as body:
            while piece := body.read(MIB):
                got += len(piece)
        assert got == size
        assert sum(map(peak_kib, s3.pids)) - before < 40 * 1024


def peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def test_a_new_master_key_opens_old_buckets(tmp_path: Path) -> None:
    """The key is replaced between two starts; what was written before is read, and the key is in no other file."""
    weyr = Path(sys.executable).with_name("weyr")
    with running_s3(tmp_path) as s3:
        s3.client().create_bucket(Bucket="lake")
        s3.client().put_object(Bucket="lake", Key="old", Body=b"old", ServerSideEncryption="AES256")
        keys = tmp_path / "s3" / "keys.json"
        assert keys.stat().st_mode & 0o777 == 0o600
        first = keys.read_text()
        running = subprocess.run([weyr, "s3", "rotate-key", "--data", tmp_path / "s3"], capture_output=True, text=True)
        assert running.returncode != 0
        assert "Stop it first" in running.stderr
        s3.stop(signal.SIGTERM)
        subprocess.run([weyr, "s3", "rotate-key", "--data", tmp_path / "s3"], check=True)
        assert keys.read_text() != first
        s3.start()
        assert read(s3.client(), "old") == b"old"
        assert all(key.encode() not in on_disk_but(s3, keys) for key in json.loads(keys.read_text())["keys"].values())


def on_disk_but(s3: S3Plane, left_out: Path) -> bytes:
    return b"".join(p.read_bytes() for p in s3.folder.rglob("*") if p.is_file() and p != left_out)
