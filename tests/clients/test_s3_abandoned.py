"""Ten thousand uploads that nobody finished: no start waits for them, they come in pages, and a rule ends them."""

import itertools
import time
from contextlib import ExitStack
from pathlib import Path

from s3_plane import S3Plane, running_s3
from s3_shelf import leaks
from s3_wire import received, request

UPLOADS = 10_000
WITH_PARTS = 250
PART = b"p" * 20_000
BATCH = 50
START_S_MAX = 90.0
RULE = {"ID": "tidy", "Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}


def test_ten_thousand_abandoned_uploads_are_carried_and_cleared_away(tmp_path: Path) -> None:
    """Clients that crash leave their uploads; buckets of years have thousands of them."""
    with running_s3(tmp_path, arguments=["--day-s", "1", "--sweep-every-s", "0.2"]) as s3:
        client = s3.client()
        client.create_bucket(Bucket="lake")
        begin(s3)
        uploads = [(entry["Key"], entry["UploadId"]) for page in pages(client) for entry in page["Uploads"]]
        assert [key for key, _ in uploads] == [f"k{n:05}" for n in range(UPLOADS)]
        for key, upload in uploads[:: UPLOADS // WITH_PARTS]:
            client.upload_part(Bucket="lake", Key=key, UploadId=upload, PartNumber=1, Body=PART)
        assert occupied(tmp_path) >= WITH_PARTS

        s3.stop()
        began = time.monotonic()
        s3.start()

        assert time.monotonic() - began < START_S_MAX
        first = client.list_multipart_uploads(Bucket="lake", MaxUploads=10, KeyMarker="k05000")
        assert [entry["Key"] for entry in first["Uploads"]] == [f"k{n:05}" for n in range(5001, 5011)]

        client.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration={"Rules": [RULE]})

        deadline = time.monotonic() + 60
        while "Uploads" in client.list_multipart_uploads(Bucket="lake", MaxUploads=1):
            assert time.monotonic() < deadline, "the abandoned uploads stay"
            time.sleep(0.1)
        assert not leaks(s3)
        assert occupied(tmp_path) == 0
        client.delete_bucket(Bucket="lake")


def begin(s3: S3Plane) -> None:
    """Begins all of them, one on each of some connections at once."""
    numbers = iter(range(UPLOADS))
    with ExitStack() as stack:
        connections = [stack.enter_context(s3.connection()) for _ in range(BATCH)]
        while batch := list(itertools.islice(numbers, BATCH)):
            asked = list(zip(connections, batch, strict=False))
            for connection, n in asked:
                connection.sendall(request(s3, "POST", f"/lake/k{n:05}?uploads="))
            assert {answer.status for connection, _ in asked for answer in received(connection)} == {200}


def pages(client: object) -> list[dict[str, list[dict[str, str]]]]:
    paginator = client.get_paginator("list_multipart_uploads")  # type: ignore[attr-defined]  # boto3 has no types
    return list(paginator.paginate(Bucket="lake"))


def occupied(folder: Path) -> int:
    """How many blobs have a file."""
    return sum(1 for _ in (folder / "s3" / "blobs").glob("*/*"))
