"""A bucket whose objects are elsewhere: the same door, the same keys, and nothing accepted that is not kept."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3.s3.transfer
import pytest
from botocore.exceptions import ClientError
from remote_places import KEYS, place
from test_s3_serve import USERS, Served, served

KINDS = ("folder", "weyr", "moto")
MB = 2**20
WEIGHTS = bytes(range(251)) * (20 * MB // 251) + b"the end"


@contextmanager
def door(kind: str, folder: Path, *arguments: str) -> Iterator[Served]:
    """A door whose bucket `weights` is at a place of this kind, and ann's."""
    with place(kind, folder) as far:
        url = far.given
        keys = {f"WEYR_REMOTE_WEIGHTS_{name.upper()}": value for name, value in KEYS.items()}
        environment = {} if kind == "folder" else keys
        with served(folder / "near", *USERS, f"--remote=weights={url}", *arguments, **environment) as near:
            yield near


def code_of(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_put_read_listed_copied_and_deleted(kind: str, tmp_path: Path) -> None:
    """Whoever uses it does not see that it is elsewhere."""
    with door(kind, tmp_path) as near:
        s3 = near.client("ann")
        etag = s3.put_object(Bucket="weights", Key="a/small é", Body=b"hello", ContentType="text/plain")["ETag"]
        transfer = boto3.s3.transfer.TransferConfig(multipart_threshold=8 * MB, multipart_chunksize=6 * MB)
        (tmp_path / "weights").write_bytes(WEIGHTS)
        s3.upload_file(str(tmp_path / "weights"), "weights", "big", Config=transfer)

        head = s3.head_object(Bucket="weights", Key="a/small é")
        assert (head["ETag"], head["ContentLength"]) == (etag, 5)
        assert kind == "folder" or head["ContentType"] == "text/plain"
        for _ in range(2):  # from there, and from here
            assert s3.get_object(Bucket="weights", Key="big")["Body"].read() == WEIGHTS
            ranged = s3.get_object(Bucket="weights", Key="big", Range="bytes=8388600-8388620")
            assert ranged["Body"].read() == WEIGHTS[8388600:8388621]
            assert ranged["ContentRange"] == f"bytes 8388600-8388620/{len(WEIGHTS)}"
        s3.copy_object(Bucket="weights", Key="b/copy", CopySource={"Bucket": "weights", "Key": "big"})
        assert s3.head_object(Bucket="weights", Key="b/copy")["ContentLength"] == len(WEIGHTS)

        listed = s3.list_objects_v2(Bucket="weights", Delimiter="/")
        assert [entry["Key"] for entry in listed["Contents"]] == ["big"]
        assert [entry["Prefix"] for entry in listed["CommonPrefixes"]] == ["a/", "b/"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="weights", PaginationConfig={"PageSize": 1})
        assert [entry["Key"] for page in pages for entry in page["Contents"]] == ["a/small é", "b/copy", "big"]
        folded = s3.list_objects(Bucket="weights", Delimiter="p")
        assert [entry["Prefix"] for entry in folded["CommonPrefixes"]] == ["b/cop"]

        s3.delete_object(Bucket="weights", Key="big")
        gone = s3.delete_objects(Bucket="weights", Delete={"Objects": [{"Key": "b/copy"}, {"Key": "never"}]})
        assert len(gone["Deleted"]) == 2
        assert code_of(s3.get_object, Bucket="weights", Key="big") == "NoSuchKey"


@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_there_is_seen_at_once(kind: str, tmp_path: Path) -> None:
    """The cache never gives what was there before: every read asks."""
    with door(kind, tmp_path) as near:
        s3 = near.client("ann")
        for text in (b"one", b"two"):
            etag = s3.put_object(Bucket="weights", Key="key", Body=text)["ETag"]
            assert s3.get_object(Bucket="weights", Key="key", IfMatch=etag)["Body"].read() == text
        assert code_of(s3.get_object, Bucket="weights", Key="key", IfNoneMatch=etag) == "304"
        assert code_of(s3.put_object, Bucket="weights", Key="key", Body=b"x", IfNoneMatch="*") == "PreconditionFailed"


@pytest.mark.parametrize("kind", ["weyr", "moto"])
def test_metadata_stays_with_the_object(kind: str, tmp_path: Path) -> None:
    """Through a PUT, a multipart upload and a copy that replaces it."""
    with door(kind, tmp_path) as near:
        s3 = near.client("ann")
        s3.put_object(Bucket="weights", Key="one", Body=b"1", Metadata={"colour": "green"}, CacheControl="no-cache")
        upload = s3.create_multipart_upload(Bucket="weights", Key="two", Metadata={"colour": "blue"})["UploadId"]
        part = {"Bucket": "weights", "Key": "two", "UploadId": upload}
        tag = s3.upload_part(**part, PartNumber=1, Body=b"2")["ETag"]
        s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
        source = {"Bucket": "weights", "Key": "one"}
        s3.copy_object(Bucket="weights", Key="three", CopySource=source)
        s3.copy_object(
            Bucket="weights", Key="four", CopySource=source, MetadataDirective="REPLACE", Metadata={"colour": "red"}
        )

        heads = {key: s3.head_object(Bucket="weights", Key=key) for key in ("one", "two", "three", "four")}
        assert [head["Metadata"]["colour"] for head in heads.values()] == ["green", "blue", "green", "red"]
        assert heads["one"]["CacheControl"] == heads["three"]["CacheControl"] == "no-cache"


def test_who_may_is_decided_here(tmp_path: Path) -> None:
    """The place knows one key, the door's; the door knows who calls."""
    with door("folder", tmp_path) as near:
        ann, bob = near.client("ann"), near.client("bob")
        ann.put_object(Bucket="weights", Key="open/a", Body=b"a")
        assert code_of(bob.get_object, Bucket="weights", Key="open/a") == "AccessDenied"
        assert code_of(bob.list_objects_v2, Bucket="weights") == "AccessDenied"
        policy = (
            '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/bob"}, '
            '"Action": "s3:GetObject", "Resource": "arn:aws:s3:::weights/open/*"}]}'
        )
        ann.put_bucket_policy(Bucket="weights", Policy=policy)
        assert bob.get_object(Bucket="weights", Key="open/a")["Body"].read() == b"a"
        assert code_of(bob.put_object, Bucket="weights", Key="open/b", Body=b"") == "AccessDenied"


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "versioning": ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
    "lifecycle": (
        "put_bucket_lifecycle_configuration",
        {
            "LifecycleConfiguration": {
                "Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
            }
        },
    ),
    "versions": ("list_object_versions", {}),
    "an ACL": ("put_object", {"Key": "a", "Body": b"", "ACL": "public-read"}),
    "tags": ("put_object", {"Key": "a", "Body": b"", "Tagging": "a=b"}),
    "tags of one that is there": ("get_object_tagging", {"Key": "a"}),
    "encryption": ("put_object", {"Key": "a", "Body": b"", "ServerSideEncryption": "AES256"}),
    "a customer's key": ("put_object", {"Key": "a", "Body": b"", "SSECustomerAlgorithm": "AES256",
                                        "SSECustomerKey": "k" * 32}),
    "a lock": ("put_object", {"Key": "a", "Body": b"", "ObjectLockLegalHoldStatus": "ON"}),
    "a key that would be another": ("put_object", {"Key": "a//b", "Body": b""}),
    "a folder's own key": ("put_object", {"Key": "a/", "Body": b""}),
    "metadata in a folder": ("put_object", {"Key": "a", "Body": b"", "Metadata": {"a": "b"}}),
    "an upload's tags": ("create_multipart_upload", {"Key": "a", "Tagging": "a=b"}),
    "a conditional deletion": ("delete_object", {"Key": "a", "IfMatch": "x"}),
}  # fmt: skip


def test_what_it_cannot_keep_is_refused(tmp_path: Path) -> None:
    """Nothing is accepted and then not done."""
    with door("folder", tmp_path) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="here")
        codes = {what: code_of(getattr(s3, call), **{"Bucket": "weights", **arguments})
                 for what, (call, arguments) in REFUSED.items()}  # fmt: skip

    assert codes == dict.fromkeys(REFUSED, "NotImplemented")


def test_a_copy_from_here_goes_there(tmp_path: Path) -> None:
    """Weights that a job wrote can be handed on without passing through a client."""
    with door("weyr", tmp_path) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="here")
        for key, body in (("small", b"small"), ("large", WEIGHTS)):
            s3.put_object(Bucket="here", Key=key, Body=body, Metadata={"colour": "green"})
            s3.copy_object(Bucket="weights", Key=key, CopySource={"Bucket": "here", "Key": key})
            got = s3.get_object(Bucket="weights", Key=key)
            assert (got["Body"].read(), got["Metadata"]) == (body, {"colour": "green"})


def test_a_copy_from_there_comes_here(tmp_path: Path) -> None:
    """In one call, and part by part as the AWS CLI copies what is large; encrypted where that is asked for."""
    with door("weyr", tmp_path) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="here")
        s3.put_object(Bucket="weights", Key="small", Body=b"small", Metadata={"colour": "green"})
        (tmp_path / "weights").write_bytes(WEIGHTS)
        s3.upload_file(str(tmp_path / "weights"), "weights", "large")
        for key, body in (("small", b"small"), ("large", WEIGHTS)):
            s3.copy_object(Bucket="here", Key=key, CopySource=f"weights/{key}", ServerSideEncryption="AES256")
            got = s3.get_object(Bucket="here", Key=key)
            assert (got["Body"].read(), got["ServerSideEncryption"]) == (body, "AES256")
        assert got["ETag"].strip('"') == hashlib.md5(WEIGHTS).hexdigest()
        assert s3.head_object(Bucket="here", Key="small")["Metadata"] == {"colour": "green"}
        s3.copy(
            {"Bucket": "weights", "Key": "large"},
            "here",
            "parts",
            Config=boto3.s3.transfer.TransferConfig(multipart_threshold=6 * MB, multipart_chunksize=6 * MB),
        )
        assert s3.get_object(Bucket="here", Key="parts")["Body"].read() == WEIGHTS
        assert code_of(s3.copy_object, Bucket="here", Key="a", CopySource="weights/never") == "NoSuchKey"
        bob = near.client("bob")
        bob.create_bucket(Bucket="bobs")
        assert code_of(bob.copy_object, Bucket="bobs", Key="a", CopySource="weights/small") == "AccessDenied"


def test_a_silent_place_is_no_empty_one(tmp_path: Path) -> None:
    """503 is tried again; NoSuchKey would let a job begin from nothing."""
    with place("weyr", tmp_path) as far:
        keys = {f"WEYR_REMOTE_WEIGHTS_{name.upper()}": value for name, value in KEYS.items()}
        url = far.given
    with served(tmp_path / "near", *USERS, f"--remote=weights={url}", **keys) as near:  # it is gone by now
        s3 = near.client("ann")
        asked = (s3.get_object, s3.head_object, s3.put_object, s3.delete_object)
        assert {code_of(call, Bucket="weights", Key="a") for call in asked} == {"ServiceUnavailable", "503"}
        assert code_of(s3.list_objects_v2, Bucket="weights") == "ServiceUnavailable"
        s3.create_bucket(Bucket="here")
        s3.put_object(Bucket="here", Key="a", Body=b"the others do not mind")
