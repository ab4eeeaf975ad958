"""What the bill is made from: requests by class and bytes by where they went, of each bucket, kept across kills."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3_plane import S3Plane, running_s3

STRANGER: tuple[str, tuple[str, list[str]]] = ("WEYRSTRANGER", ("stranger-secret-stranger", []))
MIB = 2**20


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Plane]:
    with running_s3(tmp_path, dict([STRANGER])) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


def used(s3: S3Plane) -> dict[str, int]:
    found: dict[str, int] = s3.ask("GET", "/buckets/lake")[1]["used"]
    return found


def until_used(s3: S3Plane, **expected: int) -> None:
    """It counts at once and tells within a second or so."""
    deadline = time.monotonic() + 20
    while (found := used(s3)) != {"writes": 0, "reads": 0, "local_bytes": 0, "far_bytes": 0, **expected}:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_each_request_counts_in_its_class(s3: S3Plane) -> None:
    """Writes and lists cost twelve times a read, deletes nothing, and bytes only where they leave."""
    client = s3.client()
    client.put_object(Bucket="lake", Key="a", Body=b"x" * 3 * MIB)
    client.copy_object(Bucket="lake", Key="b", CopySource="lake/a")
    client.list_objects_v2(Bucket="lake")
    upload = client.create_multipart_upload(Bucket="lake", Key="c")["UploadId"]
    client.upload_part(Bucket="lake", Key="c", UploadId=upload, PartNumber=1, Body=b"part")
    client.abort_multipart_upload(Bucket="lake", Key="c", UploadId=upload)
    client.head_object(Bucket="lake", Key="a")
    client.get_object(Bucket="lake", Key="a")["Body"].read()
    client.get_object(Bucket="lake", Key="b", Range="bytes=0-99")["Body"].read()
    client.delete_object(Bucket="lake", Key="a")
    client.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": "b"}]})

    deadline = time.monotonic() + 20
    while (found := used(s3))["writes"] < 5 or found["reads"] < 3:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)

    assert (found["writes"], found["reads"], found["far_bytes"]) == (5, 3, 0)
    assert 3 * MIB + 100 < found["local_bytes"] < 3 * MIB + 100 + 2_000, "the objects and one list"


def test_who_is_not_let_in_costs_nothing(s3: S3Plane) -> None:
    """Nobody can run up another's bill by asking; what was not there is still an answer."""
    stranger, client = s3.client(STRANGER[0]), s3.client()
    for call in (stranger.get_object, stranger.head_object, client.get_object):
        with pytest.raises(ClientError):
            call(Bucket="lake", Key="gone")

    until_used(s3, reads=1, local_bytes=used(s3)["local_bytes"])


def test_a_stop_loses_nothing_and_a_kill_at_most_a_second(s3: S3Plane) -> None:
    """What was told once is never told smaller; the bill only grows."""
    client = s3.client()
    for _ in range(10):
        client.put_object(Bucket="lake", Key="a", Body=b"x")
    s3.stop()
    s3.start()
    assert used(s3)["writes"] == 10

    client.put_object(Bucket="lake", Key="a", Body=b"x")
    until_used(s3, writes=11)
    s3.stop(signal.SIGKILL)
    s3.start()
    assert used(s3)["writes"] == 11


def test_a_download_that_breaks_off_counts_as_far_as_it_went(s3: S3Plane) -> None:
    """Who reads the first page of a large object has not taken all of it."""
    client: Any = s3.client()
    client.put_object(Bucket="lake", Key="large", Body=b"x" * 64 * MIB)
    body = client.get_object(Bucket="lake", Key="large")["Body"]
    body.read(1)
    body.close()

    deadline = time.monotonic() + 20
    while not (found := used(s3))["reads"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found["local_bytes"] < 32 * MIB
