"""The AWS CLI, unmodified: make, copy, sync, list, presign, remove."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_plane import S3Plane, running_s3

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        yield plane


def aws(s3: S3Plane, *arguments: str) -> str:
    command = [str(AWS), "s3", *arguments]
    done = subprocess.run(command, env=s3.environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_a_folder_goes_up_and_comes_back(s3: S3Plane, tmp_path: Path) -> None:
    """`sync` both ways moves what differs and nothing else; a large file goes in parts."""
    there, back = tmp_path / "there", tmp_path / "back"
    for name, size in {"a.txt": 5, "deep/er/b c.bin": 20_000, "deep/ü.bin": 300_000, "large.bin": 18 * 2**20}.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(os.urandom(size))
    aws(s3, "mb", "s3://lake")

    aws(s3, "sync", str(there), "s3://lake/data")
    assert aws(s3, "sync", str(there), "s3://lake/data") == "", "a second sync has nothing to do"
    aws(s3, "sync", "s3://lake/data", str(back))

    files = sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(back) for path in back.rglob("*") if path.is_file())
    assert all((there / name).read_bytes() == (back / name).read_bytes() for name in files)
    assert "Total Objects: 4" in aws(s3, "ls", "--recursive", "--summarize", "s3://lake")


def test_a_thousand_files_go_up_change_and_come_back(s3: S3Plane, tmp_path: Path) -> None:
    """Both ways; what was removed on one side is removed on the other when `--delete` says so."""
    there, back = tmp_path / "there", tmp_path / "back"
    for number in range(1000):
        file = there / f"{number % 10}" / f"{number:04}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number))
    aws(s3, "mb", "s3://thousand")

    assert aws(s3, "sync", "--no-progress", str(there), "s3://thousand").count("upload: ") == 1000
    assert aws(s3, "sync", "--no-progress", "s3://thousand", str(back)).count("download: ") == 1000

    names = sorted(path.relative_to(there) for path in there.rglob("*.json"))
    assert names == sorted(path.relative_to(back) for path in back.rglob("*.json"))
    assert all((there / name).read_bytes() == (back / name).read_bytes() for name in names)
    (back / "0" / "0010.json").unlink()
    (back / "1" / "0001.json").write_bytes(b"changed and longer")
    said = aws(s3, "sync", "--no-progress", "--delete", str(back), "s3://thousand").splitlines()
    assert sorted(line.split(":")[0] for line in said) == ["delete", "upload"]
    aws(s3, "sync", "--no-progress", "--delete", "s3://thousand", str(there))
    assert (there / "1" / "0001.json").read_bytes() == b"changed and longer"
    assert not (there / "0" / "0010.json").exists()
    assert aws(s3, "rm", "--recursive", "s3://thousand/9/").count("delete: ") == 100
    assert "Total Objects: 899" in aws(s3, "ls", "--recursive", "--summarize", "s3://thousand")
    aws(s3, "rb", "--force", "s3://thousand")
    assert "thousand" not in aws(s3, "ls")


def test_files_are_copied_presigned_and_removed(s3: S3Plane, tmp_path: Path) -> None:
    """The rest of the usual life."""
    file = tmp_path / "f"
    file.write_bytes(b"content")
    client = s3.client()
    client.create_bucket(Bucket="pond")
    aws(s3, "cp", str(file), "s3://pond/f")
    aws(s3, "mv", "s3://pond/f", "s3://pond/g")
    with urllib.request.urlopen(aws(s3, "presign", "s3://pond/g").strip(), timeout=20) as response:
        assert response.read() == b"content"
    aws(s3, "rm", "s3://pond/g")
    aws(s3, "rb", "s3://pond")
    assert "pond" not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
