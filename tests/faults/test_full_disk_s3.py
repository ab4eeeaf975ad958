"""A disk without room costs the S3 plane a request, which is answered 503: nothing acknowledged is lost, nothing that
was refused leaves anything behind, and with room again all is as before."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from choosing import Choose
from failing_calls import DISK_CALLS, failing
from one_user import until
from s3_plane import S3Plane, running_s3
from small_disk import SmallDisk, small_disk

PAGES = range(24)
CALLS_MAX = 12
BUCKET = "lake"


@dataclass
class Shelf:
    """A plane with one bucket, what it acknowledged so far, and what may be there as well: asked for, and refused."""

    plane: S3Plane
    s3: Any
    kept: dict[str, bytes] = field(default_factory=dict)
    asked: dict[str, bytes | None] = field(default_factory=dict)

    def put(self, key: str, size: int) -> None:
        body = hashlib.sha256(f"{key}{len(self.kept)}{size}".encode()).digest() * (size // 32)
        self.asked[key] = body
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        self.kept[key] = body

    def multipart(self, key: str) -> None:
        to, body = {"Bucket": BUCKET, "Key": key}, key.encode() * 20_000
        upload = self.s3.create_multipart_upload(**to)["UploadId"]
        part = self.s3.upload_part(**to, UploadId=upload, PartNumber=1, Body=body)
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        self.asked[key] = body
        self.s3.complete_multipart_upload(**to, UploadId=upload, MultipartUpload={"Parts": parts})
        self.kept[key] = body

    def delete(self, key: str) -> None:
        self.asked[key] = None
        self.s3.delete_object(Bucket=BUCKET, Key=key)
        self.kept.pop(key, None)

    def tidy(self) -> None:
        """As a client does that gave up: aborts its uploads, and has no second bucket."""
        if any(bucket["Name"] == "pond" for bucket in self.s3.list_buckets()["Buckets"]):
            self.s3.delete_bucket(Bucket="pond")
        for upload in self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self.s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])

    def body(self, key: str) -> bytes | None:
        try:
            return bytes(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None

    def check(self, what: str) -> None:
        """All that was acknowledged is there; of what was refused all or nothing; and nothing else, on disk neither."""
        for key in {*self.kept, *self.asked}:
            there = self.body(key)
            allowed = [self.kept.get(key), *([self.asked[key]] if key in self.asked else [])]
            assert there in allowed, f"{what}: {key} holds {there and len(there)} bytes of something else"
            self.kept = {**self.kept, key: there} if there is not None else self.kept
            if there is None:
                self.kept.pop(key, None)
        self.asked.clear()
        until(lambda: not self.orphans(), f"{what}: files that nobody names to be gone")

    def orphans(self) -> list[str]:
        """Files of blobs that the index does not name, and what is still arriving."""
        data = self.plane.folder / "s3"
        with sqlite3.connect(data / "index.db") as db:
            named = {f"{row[0]:08x}" for row in db.execute("SELECT id FROM blobs WHERE data IS NULL")}
        there = {path.name for path in (data / "blobs").glob("*/*")}
        return sorted(there - named) + sorted(path.name for path in (data / "incoming").iterdir())


DEEDS: dict[str, Callable[[Shelf], None]] = {
    "put small": lambda shelf: shelf.put("small", 3_200),
    "put middling": lambda shelf: shelf.put("middling", 200_000),
    "put large": lambda shelf: shelf.put("large", 3 * 2**20),
    "put over another": lambda shelf: shelf.put("old", 64_000),
    "multipart": lambda shelf: shelf.multipart("parts"),
    "delete": lambda shelf: shelf.delete("old"),
    "make a bucket": lambda shelf: shelf.s3.create_bucket(Bucket="pond"),
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shelf, SmallDisk]]:
    with small_disk(tmp_path_factory.mktemp("s3") / "disk") as disk, running_s3(disk.path / "plane") as plane:
        made = Shelf(plane, plane.client(read_timeout=20, connect_timeout=5))
        made.s3.create_bucket(Bucket=BUCKET)
        made.put("first", 20_000)
        yield made, disk
        disk.leave()


def tried(deed: Callable[[Shelf], None], shelf: Shelf, what: str) -> bool:
    """Whether the deed was acknowledged. It may be refused in S3's words, and in no other way."""
    code = ""
    try:
        deed(shelf)
    except ClientError as e:
        code = f"{e.response['ResponseMetadata']['HTTPStatusCode']} {e.response['Error']['Code']}"
    assert code in ("", "503 ServiceUnavailable"), f"{what}: {code}"
    return not code


@pytest.mark.parametrize("name", DEEDS)
def test_nothing_is_lost_or_left_where_the_disk_is_full(
    shelf: tuple[Shelf, SmallDisk], choose: Choose, name: str
) -> None:
    """With room for no page, for one, for two: each write in turn is the first that finds none."""
    plane, disk = shelf
    plane.put("old", 48_000)
    outcomes = []
    for pages in choose(PAGES, 6):
        disk.leave(pages)
        outcomes.append(tried(DEEDS[name], plane, f"{name}, {pages} pages left"))
        disk.leave()
        plane.tidy()
        plane.put("old", 48_000)
        plane.check(f"{name}, {pages} pages left")
    assert not outcomes[0] or name in ("delete", "make a bucket"), "the first must find no room"
    assert tried(DEEDS[name], plane, name)


@pytest.mark.parametrize("name", DEEDS)
def test_nothing_is_lost_or_left_where_the_disk_refuses_one_call(
    shelf: tuple[Shelf, SmallDisk], tmp_path: Path, choose: Choose, name: str
) -> None:
    """A disk that is full says so anywhere: at a sync, at a rename, at the index's own writes."""
    plane, _ = shelf
    plane.put("old", 48_000)
    for call in (DISK_CALLS[index] for index in choose(range(len(DISK_CALLS)), 3)):
        for n in choose(range(1, CALLS_MAX), 2):
            with failing(plane.plane.pids, tmp_path / "strace.log", call, "ENOSPC", f"{n}") as injected:
                tried(DEEDS[name], plane, f"{name}, {call} {n}")
            plane.tidy()
            plane.put("old", 48_000)
            plane.check(f"{name}, {call} {n}")
            if not injected.calls:
                break
