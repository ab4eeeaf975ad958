"""The usual life of an object, through an unmodified boto3: put, get, head, copy, delete, conditions, ranges."""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3_plane import S3Plane, running_s3

SIZES = {"nothing": 0, "inline": 5_000, "one job": 100_000, "two lanes": 9 * 2**20 + 7}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


@pytest.fixture(scope="module")
def client(s3: S3Plane) -> Any:
    return s3.client()


def code_of(refused: "pytest.ExceptionInfo[ClientError]") -> tuple[str, int]:
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_what_is_put_comes_back(client: Any, size: int) -> None:
    """Whatever the way it takes through the plane, an object is the bytes that were put."""
    body = os.urandom(size)

    put = client.put_object(Bucket="lake", Key="a", Body=body)

    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = client.get_object(Bucket="lake", Key="a")
    assert got["Body"].read() == body
    assert got["ContentLength"] == size
    assert client.head_object(Bucket="lake", Key="a")["ContentLength"] == size


@pytest.mark.parametrize("size", [5_000, 100_000])
def test_a_range_gives_those_bytes(client: Any, size: int) -> None:
    """Readers of columnar files ask for the end first, then for pieces."""
    body = os.urandom(size)
    client.put_object(Bucket="lake", Key="ranged", Body=body)

    def read(text: str) -> tuple[bytes, str]:
        got = client.get_object(Bucket="lake", Key="ranged", Range=text)
        return got["Body"].read(), got["ContentRange"]

    assert read("bytes=0-0") == (body[:1], f"bytes 0-0/{size}")
    assert read("bytes=10-19") == (body[10:20], f"bytes 10-19/{size}")
    assert read("bytes=4000-") == (body[4000:], f"bytes 4000-{size - 1}/{size}")
    assert read("bytes=-7") == (body[-7:], f"bytes {size - 7}-{size - 1}/{size}")
    assert read(f"bytes=4990-{size * 2}") == (body[4990:], f"bytes 4990-{size - 1}/{size}")
    with pytest.raises(ClientError) as refused:
        read(f"bytes={size}-")
    assert code_of(refused) == ("InvalidRange", 416)


def test_headers_and_metadata_come_back(client: Any) -> None:
    """What a client says about an object is kept with it."""
    said = {
        "ContentType": "text/plain",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="a.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Metadata": {"epoch": "7", "note": "two  words"},
    }
    client.put_object(Bucket="lake", Key="said", Body=b"x", **said)

    head = client.head_object(Bucket="lake", Key="said")

    assert {name: head[name] for name in said} == said | {"Metadata": {"epoch": "7", "note": "two  words"}}
    got = client.get_object(Bucket="lake", Key="said", ResponseContentType="a/b", ResponseCacheControl="no-store")
    assert (got["ContentType"], got["CacheControl"]) == ("a/b", "no-store")


@pytest.mark.parametrize("key", ["plain", "a/b//c", "../up", "mit Leerzeichen+plus", "ü/日本", "%41", "a?b#c&d=e", "."])
def test_any_key_is_only_a_name(client: Any, s3: S3Plane, key: str) -> None:
    """Keys never become paths; what looks like one is stored as it is written."""
    client.put_object(Bucket="lake", Key=key, Body=key.encode())

    assert client.get_object(Bucket="lake", Key=key)["Body"].read() == key.encode()
    assert key in [entry["Key"] for entry in client.list_objects_v2(Bucket="lake", Prefix=key)["Contents"]]
    client.delete_object(Bucket="lake", Key=key)


def test_a_conditional_get_saves_the_transfer(client: Any) -> None:
    """If-Match and its kin answer as HTTP has it."""
    etag = client.put_object(Bucket="lake", Key="cond", Body=b"x")["ETag"]
    past, future = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)

    def answer(**condition: Any) -> int:
        try:
            return int(client.get_object(Bucket="lake", Key="cond", **condition)["ResponseMetadata"]["HTTPStatusCode"])
        except ClientError as e:
            return int(e.response["ResponseMetadata"]["HTTPStatusCode"])

    assert answer(IfMatch=etag) == 200
    assert answer(IfMatch='"other"') == 412
    assert answer(IfNoneMatch=etag) == 304
    assert answer(IfNoneMatch='"other"') == 200
    assert answer(IfModifiedSince=past) == 200
    assert answer(IfModifiedSince=future) == 304
    assert answer(IfUnmodifiedSince=past) == 412
    assert answer(IfUnmodifiedSince=future) == 200


def test_a_conditional_put_takes_only_its_turn(client: Any) -> None:
    """Delta Lake's commits rest on this: of two writers of one name one must lose."""
    client.put_object(Bucket="lake", Key="turn", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket="lake", Key="turn", Body=b"2", IfNoneMatch="*")
    assert code_of(refused) == ("PreconditionFailed", 412)

    etag = client.head_object(Bucket="lake", Key="turn")["ETag"]
    client.put_object(Bucket="lake", Key="turn", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket="lake", Key="turn", Body=b"4", IfMatch=etag)
    assert code_of(refused) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket="lake", Key="never there", Body=b"4", IfMatch=etag)
    assert code_of(refused) == ("NoSuchKey", 404)
    assert client.get_object(Bucket="lake", Key="turn")["Body"].read() == b"3"


@pytest.mark.parametrize("size", [100, 300_000])
def test_a_copy_outlives_its_source(client: Any, size: int) -> None:
    """Copies share the bytes on disk; removing one must leave the other whole."""
    body = os.urandom(size)
    client.put_object(Bucket="lake", Key="from", Body=body, Metadata={"a": "1"}, ContentType="a/b")

    client.copy_object(Bucket="lake", Key="to", CopySource={"Bucket": "lake", "Key": "from"})
    client.delete_object(Bucket="lake", Key="from")

    got = client.get_object(Bucket="lake", Key="to")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (body, {"a": "1"}, "a/b")
    changed = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}}
    client.copy_object(Bucket="lake", Key="to", CopySource="lake/to", **changed)
    assert client.head_object(Bucket="lake", Key="to")["Metadata"] == {"b": "2"}
    with pytest.raises(ClientError) as refused:
        client.copy_object(Bucket="lake", Key="to", CopySource="lake/to")
    assert code_of(refused) == ("InvalidRequest", 400)
    with pytest.raises(ClientError) as refused:
        client.copy_object(Bucket="lake", Key="to", CopySource="lake/to", CopySourceIfMatch='"no"')
    assert code_of(refused) == ("PreconditionFailed", 412)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_checksum_is_verified_kept_and_given_back(client: Any, algorithm: str) -> None:
    """boto3 sends CRC32 by default and verifies what it reads."""
    body = os.urandom(70_000)
    put = client.put_object(Bucket="lake", Key="sum", Body=body, ChecksumAlgorithm=algorithm)

    head = client.head_object(Bucket="lake", Key="sum", ChecksumMode="ENABLED")

    assert head[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert client.get_object(Bucket="lake", Key="sum", ChecksumMode="ENABLED")["Body"].read() == body


def test_a_wrong_digest_stores_nothing(client: Any) -> None:
    """An upload that was damaged on its way is refused, whatever told so."""
    for wrong, code in (
        ({"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest"),
        ({"ContentMD5": "short"}, "InvalidDigest"),
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumSHA256": "A" * 43 + "="}, "BadDigest"),
        ({"ChecksumCRC32": "no"}, "BadDigest"),
    ):
        with pytest.raises(ClientError) as refused:
            client.put_object(Bucket="lake", Key="wrong", Body=os.urandom(400_000), **wrong)
        assert code_of(refused) == (code, 400)
    with pytest.raises(ClientError) as refused:
        client.get_object(Bucket="lake", Key="wrong")
    assert code_of(refused) == ("NoSuchKey", 404)


def test_tags_are_kept(client: Any) -> None:
    """Tags come with the object or later, and a copy takes them along."""
    client.put_object(Bucket="lake", Key="tagged", Body=b"x", Tagging="a=1&b=two%20words")
    assert client.get_object_tagging(Bucket="lake", Key="tagged")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "two words"},
    ]
    client.put_object_tagging(Bucket="lake", Key="tagged", Tagging={"TagSet": [{"Key": "c", "Value": ""}]})
    client.copy_object(Bucket="lake", Key="tagged2", CopySource="lake/tagged")
    assert client.get_object_tagging(Bucket="lake", Key="tagged2")["TagSet"] == [{"Key": "c", "Value": ""}]
    client.delete_object_tagging(Bucket="lake", Key="tagged")
    assert client.get_object_tagging(Bucket="lake", Key="tagged")["TagSet"] == []


def test_many_are_deleted_at_once(client: Any) -> None:
    """Each key has an answer, also one that was not there."""
    for number in range(5):
        client.put_object(Bucket="lake", Key=f"many/{number}", Body=b"x")
    keys = [{"Key": f"many/{number}"} for number in range(7)]

    answer = client.delete_objects(Bucket="lake", Delete={"Objects": keys})

    assert [entry["Key"] for entry in answer["Deleted"]] == [entry["Key"] for entry in keys]
    assert client.list_objects_v2(Bucket="lake", Prefix="many/")["KeyCount"] == 0
    assert "Deleted" not in client.delete_objects(Bucket="lake", Delete={"Objects": keys, "Quiet": True})


def test_a_bucket_lives_and_goes(client: Any) -> None:
    """Create, find, refuse twice, refuse to drop what is full, drop."""
    client.create_bucket(Bucket="pond")
    assert "pond" in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    assert client.head_bucket(Bucket="pond")["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert client.get_bucket_location(Bucket="pond")["LocationConstraint"] is None
    client.create_bucket(Bucket="pond")  # as it is; another one of the name is refused
    with pytest.raises(ClientError) as refused:
        client.create_bucket(Bucket="pond", ACL="public-read")
    assert code_of(refused) == ("BucketAlreadyExists", 409)

    client.put_object(Bucket="pond", Key="x", Body=b"")
    with pytest.raises(ClientError) as refused:
        client.delete_bucket(Bucket="pond")
    assert code_of(refused) == ("BucketNotEmpty", 409)

    client.delete_object(Bucket="pond", Key="x")
    client.delete_bucket(Bucket="pond")
    for call in (client.list_objects_v2, client.get_bucket_location, client.delete_bucket):
        with pytest.raises(ClientError) as refused:
            call(Bucket="pond")
        assert code_of(refused) == ("NoSuchBucket", 404)


def test_versions_are_kept_and_come_back(client: Any) -> None:
    """Where versioning is on nothing is lost by an overwrite or a delete."""
    client.create_bucket(Bucket="versions")
    client.put_object(Bucket="versions", Key="k", Body=b"before")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    assert client.get_bucket_versioning(Bucket="versions")["Status"] == "Enabled"
    first = client.put_object(Bucket="versions", Key="k", Body=b"one")["VersionId"]
    second = client.put_object(Bucket="versions", Key="k", Body=b"two")["VersionId"]

    marker = client.delete_object(Bucket="versions", Key="k")

    assert marker["DeleteMarker"]
    with pytest.raises(ClientError) as refused:
        client.get_object(Bucket="versions", Key="k")
    assert code_of(refused) == ("NoSuchKey", 404)
    for version, body in ((first, b"one"), (second, b"two"), ("null", b"before")):
        assert client.get_object(Bucket="versions", Key="k", VersionId=version)["Body"].read() == body
    listed = client.list_object_versions(Bucket="versions")
    assert [entry["VersionId"] for entry in listed["Versions"]] == [second, first, "null"]
    assert [entry["IsLatest"] for entry in listed["DeleteMarkers"]] == [True]
    assert client.list_objects_v2(Bucket="versions")["KeyCount"] == 0
    client.delete_object(Bucket="versions", Key="k", VersionId=marker["VersionId"])
    assert client.get_object(Bucket="versions", Key="k")["Body"].read() == b"two"
    client.delete_object(Bucket="versions", Key="k", VersionId=second)
    assert client.get_object(Bucket="versions", Key="k")["Body"].read() == b"one"


def test_suspended_versioning_replaces_only_the_null_version(client: Any) -> None:
    """What was kept before stays; what is put now takes the place of the last unversioned one."""
    client.create_bucket(Bucket="suspended")
    client.put_object(Bucket="suspended", Key="k", Body=b"null 1")
    client.put_bucket_versioning(Bucket="suspended", VersioningConfiguration={"Status": "Enabled"})
    kept = client.put_object(Bucket="suspended", Key="k", Body=b"kept")["VersionId"]
    client.put_bucket_versioning(Bucket="suspended", VersioningConfiguration={"Status": "Suspended"})

    assert "VersionId" not in client.put_object(Bucket="suspended", Key="k", Body=b"null 2")
    assert client.head_object(Bucket="suspended", Key="k")["VersionId"] == "null"

    listed = client.list_object_versions(Bucket="suspended")["Versions"]
    assert [entry["VersionId"] for entry in listed] == ["null", kept]
    assert client.get_object(Bucket="suspended", Key="k")["Body"].read() == b"null 2"


def test_only_what_was_seen_is_deleted(client: Any) -> None:
    """Whoever cleans up by what a list said does not remove what came since; what is gone already is no error."""
    client.create_bucket(Bucket="swept")
    etag = client.put_object(Bucket="swept", Key="a", Body=b"1")["ETag"]
    seen = client.head_object(Bucket="swept", Key="a")["LastModified"]
    for condition in ({"IfMatch": '"other"'}, {"IfMatchSize": 2}, {"IfMatchLastModifiedTime": "2015-01-01"}):
        with pytest.raises(ClientError) as refused:
            client.delete_object(Bucket="swept", Key="a", **condition)
        assert code_of(refused) == ("PreconditionFailed", 412)
    wanted = {"Key": "a", "ETag": etag, "Size": 2}
    deleted = client.delete_objects(Bucket="swept", Delete={"Objects": [wanted]})
    assert [error["Code"] for error in deleted["Errors"]] == ["PreconditionFailed"]

    client.delete_object(Bucket="swept", Key="a", IfMatch=etag, IfMatchSize=1, IfMatchLastModifiedTime=seen)

    client.delete_object(Bucket="swept", Key="a", IfMatch=etag)
    assert "Contents" not in client.list_objects_v2(Bucket="swept")


def test_an_object_is_described_without_its_bytes(client: Any) -> None:
    """What was asked for and nothing else; the parts of a multipart upload in pages."""
    client.create_bucket(Bucket="told")
    client.put_object(Bucket="told", Key="a", Body=b"abc", ChecksumAlgorithm="SHA256")
    told = client.get_object_attributes(Bucket="told", Key="a", ObjectAttributes=["ETag", "ObjectSize", "Checksum"])
    assert (told["ObjectSize"], told["ETag"]) == (3, "900150983cd24fb0d6963f7d28e17f72")
    assert told["Checksum"]["ChecksumSHA256"] == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    assert "StorageClass" not in told
    upload = {
        "Bucket": "told",
        "Key": "b",
        "UploadId": client.create_multipart_upload(Bucket="told", Key="b")["UploadId"],
    }
    sizes = [5 * 2**20, 5 * 2**20, 7]
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**upload, PartNumber=number, Body=b"x" * size)["ETag"]}
        for number, size in enumerate(sizes, 1)
    ]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    page = client.get_object_attributes(
        Bucket="told", Key="b", ObjectAttributes=["ObjectParts"], MaxParts=2, PartNumberMarker=1
    )["ObjectParts"]
    assert (page["TotalPartsCount"], page["IsTruncated"], page["NextPartNumberMarker"]) == (3, False, 3)
    assert [(part["PartNumber"], part["Size"]) for part in page["Parts"]] == [(2, sizes[1]), (3, sizes[2])]
