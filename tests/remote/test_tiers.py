"""Old objects go to a tier elsewhere and are read as before; nothing is lost on the way, and nothing left behind."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from remote_places import place
from test_s3_serve import USERS, Served, served

from weyr.gateway.s3.remote.place import Place

MB = 2**20
WAIT_S = 120.0
LARGE = random.Random(40).randbytes(40 * MB) + b"tail"
NOW = {"Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": [{"Days": 0, "StorageClass": "COLD"}]}


def cold(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"Rules": [{"ID": f"r{n}", **rule} for n, rule in enumerate(rules or (NOW,))]}


@contextmanager
def door(folder: Path, far: Place, *arguments: str) -> Iterator[Served]:
    """A door with the tier COLD, whose days take a second."""
    keys = {f"WEYR_REMOTE_COLD_{name.upper()}": value for name, value in far.keys}
    line = [*USERS, f"--tier=COLD={far.given}", "--lifecycle-day=1s", *arguments]
    with served(folder / "near", *line, **keys) as near:
        yield near


def until(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def class_of(s3: Any, key: str, **version: str) -> str:
    return str(s3.head_object(Bucket="lake", Key=key, **version).get("StorageClass", "STANDARD"))


def wait_for_cold(s3: Any, *keys: str) -> None:
    until(lambda: all(class_of(s3, key) == "COLD" for key in keys), f"{keys} are not at their tier")


def rows(folder: Path, sql: str) -> list[Any]:
    db = sqlite3.connect(folder / "near" / "index.db")
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["folder", "weyr", "moto"])
def test_an_object_moves_and_is_read_as_before(kind: str, tmp_path: Path) -> None:
    """Whole, in ranges and by parts; the disk here has its room back, and lists say where it is."""
    with place(kind, tmp_path) as far, door(tmp_path, far) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key="large", Body=LARGE, Metadata={"colour": "green"})
        s3.put_object(Bucket="lake", Key="closed", Body=LARGE[: 9 * MB], ServerSideEncryption="AES256")
        upload = {"Bucket": "lake", "Key": "parts"}
        upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
        pieces = [LARGE[: 5 * MB], LARGE[5 * MB : 12 * MB]]
        tags = [s3.upload_part(**upload, PartNumber=n, Body=piece)["ETag"] for n, piece in enumerate(pieces, 1)]
        parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        s3.put_object(Bucket="lake", Key="small", Body=b"stays")
        before = {key: s3.head_object(Bucket="lake", Key=key)["ETag"] for key in ("large", "closed", "parts")}

        s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold())
        wait_for_cold(s3, *before)
        until(lambda: not files_in(tmp_path / "near" / "blobs"), "the blobs are still here")

        for key, body in (("large", LARGE), ("closed", LARGE[: 9 * MB]), ("parts", LARGE[: 12 * MB])):
            got = s3.get_object(Bucket="lake", Key=key)
            assert (got["Body"].read(), got["ETag"]) == (body, before[key])
            start = 5 * MB - 3
            ranged = s3.get_object(Bucket="lake", Key=key, Range=f"bytes={start}-{start + 9}")["Body"].read()
            assert ranged == body[start : start + 10]
        assert s3.get_object(Bucket="lake", Key="parts", PartNumber=2)["Body"].read() == pieces[1]
        assert s3.head_object(Bucket="lake", Key="large")["Metadata"] == {"colour": "green"}
        listed = s3.list_objects_v2(Bucket="lake")["Contents"]
        assert {entry["Key"]: entry["StorageClass"] for entry in listed} == {
            **dict.fromkeys(before, "COLD"),
            "small": "STANDARD",
        }
        assert s3.list_object_versions(Bucket="lake")["Versions"][0]["StorageClass"] == "COLD"


def test_what_nobody_names_any_more_goes_from_the_tier(tmp_path: Path) -> None:
    """Deleted, overwritten, or one of two copies: the tier keeps what some object needs and no more."""
    with place("folder", tmp_path) as far, door(tmp_path, far) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        for key in ("deleted", "replaced", "copied"):
            s3.put_object(Bucket="lake", Key=key, Body=LARGE[: 2 * MB])
        s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold())
        wait_for_cold(s3, "deleted", "replaced", "copied")
        s3.delete_bucket_lifecycle(Bucket="lake")
        assert len(files_in(tmp_path / "far")) == 3

        s3.delete_object(Bucket="lake", Key="deleted")
        s3.put_object(Bucket="lake", Key="replaced", Body=b"new")
        s3.copy_object(Bucket="lake", Key="copy", CopySource="lake/copied")
        s3.delete_object(Bucket="lake", Key="copied")
        until(lambda: len(files_in(tmp_path / "far")) == 1, "the tier keeps what nobody names")
        assert s3.get_object(Bucket="lake", Key="copy")["Body"].read() == LARGE[: 2 * MB]
        assert s3.get_object(Bucket="lake", Key="replaced")["Body"].read() == b"new"
        s3.delete_object(Bucket="lake", Key="copy")
        until(lambda: not files_in(tmp_path / "far"), "the last one is still there")
        kept = "SELECT 1 FROM away UNION ALL SELECT 1 FROM removals UNION ALL SELECT 1 FROM moves"
        until(lambda: not rows(tmp_path, kept), "the index remembers what is gone")


def test_old_versions_move_and_the_newest_stay(tmp_path: Path) -> None:
    """A rule of versions that were replaced moves those, but for the newest that it keeps."""
    rule = {
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionTransitions": [
            {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1, "StorageClass": "COLD"},
        ],
    }
    with place("folder", tmp_path) as far, door(tmp_path, far) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        s3.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
        bodies = [bytes([n]) * MB for n in range(3)]
        versions = [s3.put_object(Bucket="lake", Key="key", Body=body)["VersionId"] for body in bodies]
        s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold(rule))
        until(lambda: class_of(s3, "key", VersionId=versions[0]) == "COLD", "the oldest did not move")

        assert [class_of(s3, "key", VersionId=version) for version in versions] == ["COLD", "STANDARD", "STANDARD"]
        got = s3.get_object(Bucket="lake", Key="key", VersionId=versions[0])["Body"].read()
        assert got == bodies[0]
        s3.delete_object(Bucket="lake", Key="key", VersionId=versions[0])
        until(lambda: not files_in(tmp_path / "far"), "the version is still at the tier")


def test_a_class_that_is_no_tier_is_refused(tmp_path: Path) -> None:
    """A rule that could never be carried out is no rule."""
    with place("folder", tmp_path) as far, door(tmp_path, far) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        for name in ("GLACIER", "STANDARD"):
            rule = NOW | {"Transitions": [{"Days": 1, "StorageClass": name}]}
            with pytest.raises(ClientError) as caught:
                s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold(rule))
            assert caught.value.response["Error"]["Code"] == "InvalidStorageClass"
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket="lake", Key="a", Body=b"", StorageClass="GLACIER")
        assert caught.value.response["Error"]["Code"] == "InvalidStorageClass"


def test_a_silent_tier_is_503_and_never_an_absence(tmp_path: Path) -> None:
    """A backup job that takes silence for absence would delete the other copy too."""
    with place("weyr", tmp_path) as far, door(tmp_path, far, "--cache-size=0") as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key="key", Body=LARGE[: 3 * MB])
        s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold())
        wait_for_cold(s3, "key")
    with door(tmp_path, far, "--cache-size=0") as near:  # the peer is gone
        s3 = near.client("ann")
        assert class_of(s3, "key") == "COLD"
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket="lake", Key="key")
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
        s3.delete_object(Bucket="lake", Key="key")  # the tier is told when it is back
        assert len(rows(tmp_path, "SELECT 1 FROM removals")) == 1


def test_other_bytes_at_the_tier_are_never_given_out(tmp_path: Path) -> None:
    """A tier that lost or mixed up its bytes is found out by the digests that stay here."""
    with place("folder", tmp_path) as far, door(tmp_path, far) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key="key", Body=LARGE[: 3 * MB])
        s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold())
        wait_for_cold(s3, "key")
        (file,) = files_in(tmp_path / "far")
        data = bytearray(file.read_bytes())
        data[MB] ^= 1
        file.write_bytes(data)

        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket="lake", Key="key")
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
