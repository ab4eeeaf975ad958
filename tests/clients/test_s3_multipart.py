"""An object in parts, through an unmodified boto3: whole life, order, sizes, copies, checksums, abandonment."""

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3_plane import S3Plane, running_s3

MIB = 2**20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


@pytest.fixture(scope="module")
def client(s3: S3Plane) -> Any:
    return s3.client()


def upload(client: Any, key: str, parts: list[bytes], **asked: Any) -> tuple[str, list[dict[str, Any]]]:
    upload_id = client.create_multipart_upload(Bucket="lake", Key=key, **asked)["UploadId"]
    named = []
    for number, body in enumerate(parts, 1):
        target = {"Bucket": "lake", "Key": key, "UploadId": upload_id, "PartNumber": number}
        algorithm = {name: value for name, value in asked.items() if name == "ChecksumAlgorithm"}
        put = client.upload_part(**target, Body=body, **algorithm)
        checksums = {name: value for name, value in put.items() if name.startswith("Checksum")}
        named.append({"PartNumber": number, "ETag": put["ETag"], **checksums})
    return upload_id, named


def complete(client: Any, key: str, upload_id: str, parts: list[dict[str, Any]], **asked: Any) -> Any:
    chosen = {"Parts": parts}
    return client.complete_multipart_upload(Bucket="lake", Key=key, UploadId=upload_id, MultipartUpload=chosen, **asked)


def test_three_parts_become_one_object(client: Any) -> None:
    """The whole life: create, put, list, complete, read across the seams."""
    bodies = [os.urandom(5 * MIB), os.urandom(6 * MIB), b"end"]
    upload_id, named = upload(client, "whole", bodies, Metadata={"a": "b"}, ContentType="c/d")
    assert [u["UploadId"] for u in client.list_multipart_uploads(Bucket="lake")["Uploads"]] == [upload_id]
    listed = client.list_parts(Bucket="lake", Key="whole", UploadId=upload_id, MaxParts=2)
    assert ([p["Size"] for p in listed["Parts"]], listed["IsTruncated"]) == ([5 * MIB, 6 * MIB], True)

    done = complete(client, "whole", upload_id, named)

    body = b"".join(bodies)
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in bodies)).hexdigest()
    assert done["ETag"] == f'"{digest}-3"'
    got = client.get_object(Bucket="lake", Key="whole")
    assert got["Body"].read() == body
    assert (got["Metadata"], got["ContentType"]) == ({"a": "b"}, "c/d")
    seam = client.get_object(Bucket="lake", Key="whole", Range=f"bytes={5 * MIB - 3}-{11 * MIB}")
    assert seam["Body"].read() == body[5 * MIB - 3 : 11 * MIB + 1]
    second = client.get_object(Bucket="lake", Key="whole", PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (bodies[1], 3)
    assert "Uploads" not in client.list_multipart_uploads(Bucket="lake")
    assert complete(client, "whole", upload_id, named)["ETag"] == done["ETag"], "a repeated completion is no error"


def test_bad_completions_are_refused_and_change_nothing(client: Any) -> None:
    """Order, etags and sizes are checked before anything is made."""
    upload_id, named = upload(client, "bad", [b"x" * 100, b"y" * 100])
    cases: list[tuple[list[dict[str, Any]], str]] = [
        (named[::-1], "InvalidPartOrder"),
        ([{"PartNumber": 1, "ETag": '"0"'}], "InvalidPart"),
        ([{"PartNumber": 9, "ETag": named[0]["ETag"]}], "InvalidPart"),
        (named, "EntityTooSmall"),
        ([], "MalformedXML"),
    ]
    for parts, code in cases:
        with pytest.raises(ClientError) as refused:
            complete(client, "bad", upload_id, parts)
        assert refused.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError):
        client.head_object(Bucket="lake", Key="bad")
    complete(client, "bad", upload_id, named[:1])
    assert client.head_object(Bucket="lake", Key="bad")["ContentLength"] == 100


def test_a_part_can_be_put_again(client: Any) -> None:
    """The last one counts, and its etag is the one to name."""
    upload_id, _ = upload(client, "again", [b"first"])
    again = client.upload_part(Bucket="lake", Key="again", UploadId=upload_id, PartNumber=1, Body=b"second")
    complete(client, "again", upload_id, [{"PartNumber": 1, "ETag": again["ETag"]}])
    assert client.get_object(Bucket="lake", Key="again")["Body"].read() == b"second"


def test_parts_are_copied_from_objects(client: Any) -> None:
    """UploadPartCopy, of the whole and of a range, of small and large sources."""
    small, large = os.urandom(1000), os.urandom(6 * MIB)
    client.put_object(Bucket="lake", Key="small", Body=small)
    client.put_object(Bucket="lake", Key="large", Body=large)
    upload_id = client.create_multipart_upload(Bucket="lake", Key="copied")["UploadId"]
    target = {"Bucket": "lake", "Key": "copied", "UploadId": upload_id}
    wide = f"bytes=10-{10 + 5 * MIB - 1}"
    first = client.upload_part_copy(**target, PartNumber=1, CopySource="lake/large", CopySourceRange=wide)
    second = client.upload_part_copy(**target, PartNumber=2, CopySource="lake/small")
    named = [{"PartNumber": n, "ETag": p["CopyPartResult"]["ETag"]} for n, p in ((1, first), (2, second))]

    complete(client, "copied", upload_id, named)

    assert client.get_object(Bucket="lake", Key="copied")["Body"].read() == large[10 : 10 + 5 * MIB] + small


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"),
     ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")],
)  # fmt: skip
def test_checksums_of_parts_add_up(client: Any, algorithm: str, kind: str) -> None:
    """A whole's checksum is joined from its parts' without reading them again."""
    bodies = [os.urandom(5 * MIB), os.urandom(333)]
    asked = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    upload_id, named = upload(client, "sums", bodies, **asked)

    done = complete(client, "sums", upload_id, named, ChecksumType=kind)

    assert done["ChecksumType"] == kind
    if kind == "FULL_OBJECT":
        whole = client.put_object(Bucket="lake", Key="w", Body=b"".join(bodies), ChecksumAlgorithm=algorithm)
        assert done[f"Checksum{algorithm}"] == whole[f"Checksum{algorithm}"]
    else:
        assert done[f"Checksum{algorithm}"].endswith("-2")
    head = client.head_object(Bucket="lake", Key="sums", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == done[f"Checksum{algorithm}"]


def test_an_abandoned_upload_leaves_nothing(client: Any, s3: S3Plane) -> None:
    """Its bytes are counted while they lie there and given back after the abort."""
    before = s3.ask("GET", "/buckets/lake")[1]["size_bytes"]
    upload_id, named = upload(client, "left", [b"z" * 400_000])
    assert s3.ask("GET", "/buckets/lake")[1]["size_bytes"] == before + 400_000

    client.abort_multipart_upload(Bucket="lake", Key="left", UploadId=upload_id)

    assert s3.ask("GET", "/buckets/lake")[1]["size_bytes"] == before
    calls: tuple[Callable[[], object], ...] = (
        lambda: client.abort_multipart_upload(Bucket="lake", Key="left", UploadId=upload_id),
        lambda: client.list_parts(Bucket="lake", Key="left", UploadId=upload_id),
        lambda: complete(client, "left", upload_id, named),
    )
    for call in calls:
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "NoSuchUpload"


def test_a_completion_can_be_conditional(client: Any) -> None:
    """A multipart writer can lose its turn as any other."""
    client.put_object(Bucket="lake", Key="taken", Body=b"x")
    upload_id, named = upload(client, "taken", [b"y"])
    with pytest.raises(ClientError) as refused:
        complete(client, "taken", upload_id, named, IfNoneMatch="*")
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"


def test_uploads_are_listed_in_pages_and_folded(client: Any) -> None:
    """Whoever clears up finds each abandoned upload once, however few are shown at a time."""
    client.create_bucket(Bucket="many")
    keys = ["a", "a", "b/1", "b/2", "c", "d/1"]
    begun = {(key, client.create_multipart_upload(Bucket="many", Key=key)["UploadId"]) for key in keys}
    for size in (1, 2, 3, 7):
        pages = client.get_paginator("list_multipart_uploads").paginate(
            Bucket="many", PaginationConfig={"PageSize": size}
        )
        listed = [(u["Key"], u["UploadId"]) for page in pages for u in page.get("Uploads", [])]
        assert (len(listed), set(listed)) == (6, begun)
        folded: list[str] = []
        marker: dict[str, str] = {}
        while True:
            page = client.list_multipart_uploads(Bucket="many", Delimiter="/", MaxUploads=size, **marker)
            found = [u["Key"] for u in page.get("Uploads", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
            folded += found
            assert len(found) <= size
            if not page["IsTruncated"]:
                break
            marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        assert sorted(folded) == ["a", "a", "b/", "c", "d/"]
