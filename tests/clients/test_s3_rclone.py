"""rclone, unmodified, as Debian has it: the tool with which buckets are moved between clouds."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_plane import ADMIN, S3Plane, running_s3

MIB = 2**20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        yield plane


def rclone(s3: S3Plane, *arguments: str, text: bytes = b"") -> bytes:
    remote = {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_WEYR_TYPE": "s3",
        "RCLONE_CONFIG_WEYR_PROVIDER": "Other",
        "RCLONE_CONFIG_WEYR_ENDPOINT": s3.url,
        "RCLONE_CONFIG_WEYR_ACCESS_KEY_ID": ADMIN[0],
        "RCLONE_CONFIG_WEYR_SECRET_ACCESS_KEY": ADMIN[1],
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }
    # What the machine says of AWS is not about this remote; Debian's rclone does not start with a bundle of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | remote
    done = subprocess.run(
        ["rclone", *arguments], env=environment, input=text, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout


def listed(s3: S3Plane, path: str, *flags: str) -> dict[str, Any]:
    return {entry["Path"]: entry for entry in json.loads(rclone(s3, "lsjson", "-R", *flags, path))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "there"
    files = {"a.txt": 5, "empty": 0, "deep/er/b c.bin": 20_000, "deep/ü%20+.bin": 300_000, "large.bin": 23 * MIB}
    for name, size in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.urandom(size))
    return root


def test_a_folder_is_synced_checked_and_comes_back(s3: S3Plane, folder: Path, tmp_path: Path) -> None:
    """Times and checksums are kept, a large file goes in parts, and a second run has nothing to do."""
    parts = ("--s3-upload-cutoff", "10Mi", "--s3-chunk-size", "5Mi")
    rclone(s3, "sync", str(folder), "weyr:lake/data", *parts)
    rclone(s3, "check", str(folder), "weyr:lake/data", "--download")
    assert s3.client().head_object(Bucket="lake", Key="data/large.bin")["ETag"].endswith('-5"')
    found = listed(s3, "weyr:lake/data", "--hash")
    assert found["deep/ü%20+.bin"]["Size"] == 300_000
    assert found["a.txt"]["Hashes"].keys() == {"md5"}
    before = s3.ask("GET", "/stats")[1]["bytes_in"]
    rclone(s3, "sync", str(folder), "weyr:lake/data")
    assert s3.ask("GET", "/stats")[1]["bytes_in"] - before < 20_000, "a second sync sends no file"
    (folder / "a.txt").unlink()
    rclone(s3, "sync", str(folder), "weyr:lake/data")
    rclone(s3, "sync", "weyr:lake/data", str(tmp_path / "back"))
    rclone(s3, "check", str(folder), str(tmp_path / "back"), "--download")
    assert not (tmp_path / "back" / "a.txt").exists()


def test_ranges_copies_and_streams(s3: S3Plane) -> None:
    """`cat` of a piece, `rcat` of a stream whose size nobody knows, copies that never leave the server."""
    content = os.urandom(7 * MIB)
    rclone(s3, "rcat", "weyr:pond/stream", "--streaming-upload-cutoff", "1Mi", text=content)
    assert rclone(s3, "cat", "weyr:pond/stream", "--offset", "1000", "--count", "50") == content[1000:1050]
    assert rclone(s3, "cat", "weyr:pond/stream", "--tail", "10") == content[-10:]
    sent = s3.ask("GET", "/stats")[1]["bytes_out"]
    rclone(s3, "copyto", "weyr:pond/stream", "weyr:pond/copy")
    rclone(s3, "moveto", "weyr:pond/copy", "weyr:pond/dir/moved")
    rclone(s3, "copyto", "weyr:pond/stream", "weyr:pond/parts", "--s3-copy-cutoff", "5Mi", "--s3-chunk-size", "5Mi")
    assert s3.ask("GET", "/stats")[1]["bytes_out"] - sent < MIB, "the server copies by itself"
    assert set(listed(s3, "weyr:pond", "--files-only")) == {"stream", "dir/moved", "parts"}
    assert rclone(s3, "cat", "weyr:pond/parts") == rclone(s3, "cat", "weyr:pond/dir/moved") == content


def test_buckets_are_made_listed_and_purged(s3: S3Plane) -> None:
    rclone(s3, "mkdir", "weyr:brook")
    rclone(s3, "rcat", "weyr:brook/a/b", text=b"x")
    assert b" brook" in rclone(s3, "lsd", "weyr:")
    assert json.loads(rclone(s3, "size", "--json", "weyr:brook"))["count"] == 1
    link = rclone(s3, "link", "--expire", "1h", "weyr:brook/a/b").decode()
    assert link.startswith(f"{s3.url}/brook/a/b?")
    rclone(s3, "purge", "weyr:brook")
    assert b" brook" not in rclone(s3, "lsd", "weyr:")
