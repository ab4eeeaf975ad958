"""Checksums of parts: kept through the completion, and given back with the part that they are of."""

import base64
import hashlib
import os
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3_plane import running_s3

PART_BYTES = 5 * 2**20


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_s3(tmp_path_factory.mktemp("checksums")) as s3:
        client = s3.client()
        client.create_bucket(Bucket="lake")
        yield client


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def test_each_part_keeps_its_checksum(client: Any) -> None:
    """Who downloads a model part by part can verify each by itself; boto3 does so unasked."""
    bodies = [os.urandom(PART_BYTES), os.urandom(1000)]
    upload = {"Bucket": "lake", "Key": "parts"}
    upload["UploadId"] = client.create_multipart_upload(**upload, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        put = client.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": put["ETag"], "ChecksumSHA256": put["ChecksumSHA256"]})
    whole = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(b).digest() for b in bodies)).digest()).decode()
    with pytest.raises(ClientError) as refused:
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, ChecksumSHA256=sha256(b"other"))
    assert refused.value.response["Error"]["Code"] == "BadDigest"
    done = client.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": parts}, ChecksumSHA256=f"{whole}-2", ChecksumType="COMPOSITE"
    )
    assert done["ChecksumSHA256"] == f"{whole}-2"

    told = client.get_object_attributes(Bucket="lake", Key="parts", ObjectAttributes=["Checksum", "ObjectParts"])
    assert told["Checksum"] == {"ChecksumSHA256": f"{whole}-2", "ChecksumType": "COMPOSITE"}
    assert [part["ChecksumSHA256"] for part in told["ObjectParts"]["Parts"]] == [sha256(body) for body in bodies]
    for number, body in enumerate(bodies, 1):
        got = client.get_object(Bucket="lake", Key="parts", PartNumber=number, ChecksumMode="ENABLED")
        assert (got["ChecksumSHA256"], got["Body"].read()) == (sha256(body), body)
    ranged = client.get_object(Bucket="lake", Key="parts", Range="bytes=5-9", ChecksumMode="ENABLED")
    assert ranged["Body"].read() == bodies[0][5:10]
    assert "ChecksumSHA256" not in ranged


def test_the_parts_of_a_whole_checksum_are_told_apart(client: Any) -> None:
    """A CRC of the whole is joined from those of the parts, and a part still has its own."""
    bodies = [os.urandom(PART_BYTES), b"tail"]
    upload = {"Bucket": "lake", "Key": "whole"}
    kind = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    upload["UploadId"] = client.create_multipart_upload(**upload, **kind)["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        put = client.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        parts.append({"PartNumber": number, "ETag": put["ETag"], "ChecksumCRC32": put["ChecksumCRC32"]})
    done = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert done["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"".join(bodies)).to_bytes(4, "big")).decode()
    part = client.get_object(Bucket="lake", Key="whole", PartNumber=2)
    assert part["Body"].read() == b"tail"
    assert part["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"tail").to_bytes(4, "big")).decode()


def test_how_a_body_travels_is_not_kept(client: Any) -> None:
    """aws-chunked is taken off by the door; a reader that was told of it would wait for chunks."""
    client.put_object(Bucket="lake", Key="packed", Body=b"x", ContentEncoding="aws-chunked, gzip")
    assert client.head_object(Bucket="lake", Key="packed")["ContentEncoding"] == "gzip"
