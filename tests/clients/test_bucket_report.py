"""`weyr bucket report`: beside a running plane, on a stopped one, and what it promises is what the sweeper does."""

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from s3_plane import S3Plane, running_s3

WEYR = Path(sys.executable).with_name("weyr")
DAY_MS = 86_400_000


def report(s3: S3Plane, *words: str, status: int = 0) -> Any:
    command = [str(WEYR), "bucket", "report", *words, "--data", str(s3.folder / "s3")]
    said = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == status, said.stderr
    return json.loads(said.stdout)["buckets"] if status == 0 else said.stderr


def make_older(s3: S3Plane, days: int) -> None:
    """As if everything had been there for so long already."""
    with sqlite3.connect(s3.folder / "s3" / "index.db", timeout=20) as db:
        db.execute("UPDATE objects SET modified_ms = modified_ms - ?", (days * DAY_MS,))
        db.execute("UPDATE history SET modified_ms = modified_ms - ?1, ended_ms = ended_ms - ?1", (days * DAY_MS,))
        db.execute("UPDATE uploads SET created_ms = created_ms - ?", (days * DAY_MS,))
    db.close()


def filled(s3: S3Plane) -> None:
    client = s3.client()
    client.create_bucket(Bucket="lake")
    client.create_bucket(Bucket="kept")
    client.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    for number in range(5):
        client.put_object(Bucket="lake", Key=f"checkpoints/{number}", Body=b"c" * 1_000_000)
        client.put_object(Bucket="kept", Key="one", Body=bytes([number]) * 1000)
    client.put_object(Bucket="lake", Key="data/a", Body=b"d" * 500)
    upload = client.create_multipart_upload(Bucket="lake", Key="cut")["UploadId"]
    client.upload_part(Bucket="lake", Key="cut", UploadId=upload, PartNumber=1, Body=b"p" * 300_000)


def test_what_a_rule_would_save_is_what_the_sweeper_then_frees(tmp_path: Path) -> None:
    """The promise is held against the deed, in bytes."""
    with running_s3(tmp_path, arguments=["--sweep-every-s", "0.2"]) as s3:
        filled(s3)
        make_older(s3, days=40)
        s3.client().put_object(Bucket="lake", Key="checkpoints/new", Body=b"n" * 100)
        (before,) = report(s3, "lake", "--if", "prefix=checkpoints/ expire_after=7d", "--if", "abort_uploads_after=1d")

        checkpoints, uploads = before["rules"]
        assert (checkpoints["objects"]["count"], uploads["uploads"]["count"]) == (5, 1)
        promised = checkpoints["objects"]["size_bytes"] + uploads["uploads"]["size_bytes"]
        assert promised == 5_300_000
        assert checkpoints["saved_micros_per_month"] == 5_000_000 * 23_000 // 2**30
        rules: list[dict[str, Any]] = [
            {"ID": "a", "Filter": {"Prefix": "checkpoints/"}, "Status": "Enabled", "Expiration": {"Days": 7}},
            {
                "ID": "b",
                "Filter": {},
                "Status": "Enabled",
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
        ]
        s3.client().put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration={"Rules": rules})
        held = before["current"]["size_bytes"] + before["uploads"]["size_bytes"]
        deadline = time.monotonic() + 30
        while (left := s3.ask("GET", "/buckets/lake")[1]["size_bytes"]) != held - promised:
            assert time.monotonic() < deadline, (left, held, promised)
            time.sleep(0.05)


def test_it_tells_of_every_bucket_and_suggests_what_is_surely_too_much(tmp_path: Path) -> None:
    """Old checkpoints, old versions and uploads that nobody goes on with; never data only because it is old."""
    with running_s3(tmp_path) as s3:
        filled(s3)
        make_older(s3, days=40)
        s3.stop()  # nothing needs to run

        kept, lake = report(s3)

        assert (kept["bucket"], kept["versions"]["count"], kept["current"]["count"]) == ("kept", 4, 1)
        assert [(rule["rule"], rule["versions"]["count"]) for rule in kept["suggestions"]] == [
            ("noncurrent_expire_after=30d", 4)
        ]
        assert {rule["rule"] for rule in lake["suggestions"]} == {
            "prefix=checkpoints/ expire_after=30d", "abort_uploads_after=7d",
        }  # fmt: skip
        assert lake["by_prefix"]["checkpoints/"] == {"count": 5, "size_bytes": 5_000_000}
        assert lake["duplicates"] == {"count": 4, "size_bytes": 4_000_000}
        assert lake["by_age"] == {"90d": {"count": 6, "size_bytes": 5_000_500}}
        assert "There is no bucket" in report(s3, "lak", status=1)
        assert "--if" in report(s3, "lake", "--if", "prefix=x", status=2)
        (s3.folder / "s3").rename(tmp_path / "gone")
        assert "No buckets to look through" in report(s3, status=1)
