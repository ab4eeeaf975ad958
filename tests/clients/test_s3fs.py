"""s3fs, unmodified: files in buckets as pandas, Dask and every user of fsspec open them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs
from s3_plane import ADMIN, S3Plane, running_s3

MIB = 2**20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        yield plane


@pytest.fixture
def files(s3: S3Plane) -> Any:
    # A filesystem that s3fs keeps for the next caller would outlive its event loop.
    return s3fs.S3FileSystem(key=ADMIN[0], secret=ADMIN[1], endpoint_url=s3.url, skip_instance_cache=True)


def test_files_are_written_read_in_ranges_and_listed(files: Any) -> None:
    """A file larger than a block goes in parts; a seek reads what is asked for and no more."""
    files.mkdir("lake")
    content = os.urandom(12 * MIB)
    with files.open("lake/dir/large.bin", "wb", block_size=5 * MIB) as file:
        file.write(content)
    with files.open("lake/dir/large.bin", "rb") as file:
        file.seek(7 * MIB)
        assert file.read(1000) == content[7 * MIB : 7 * MIB + 1000]
    assert files.cat_file("lake/dir/large.bin", start=-10) == content[-10:]
    files.pipe({f"lake/dir/{number}.txt": str(number).encode() for number in range(20)})
    assert files.cat("lake/dir/7.txt") == b"7"
    assert len(files.ls("lake/dir")) == 21
    assert files.glob("lake/dir/1*.txt") == [f"lake/dir/1{rest}.txt" for rest in ("", *range(10))]
    assert files.info("lake/dir/large.bin")["size"] == len(content)
    assert files.isdir("lake/dir")
    assert not files.exists("lake/dir/missing")


def test_files_are_copied_moved_and_removed_with_their_folder(files: Any, tmp_path: Path) -> None:
    files.mkdir("pond")
    (tmp_path / "up" / "deep").mkdir(parents=True)
    (tmp_path / "up" / "deep" / "a.txt").write_text("a")
    files.put(str(tmp_path / "up"), "pond/up", recursive=True)
    files.copy("pond/up/deep/a.txt", "pond/copy.txt")
    files.mv("pond/copy.txt", "pond/moved.txt")
    files.get("pond/", str(tmp_path / "down"), recursive=True)
    assert (tmp_path / "down" / "up" / "deep" / "a.txt").read_text() == "a"
    assert sorted(files.find("pond")) == ["pond/moved.txt", "pond/up/deep/a.txt"]
    files.setxattr("pond/moved.txt", copy_kwargs={"MetadataDirective": "REPLACE"}, colour="blue")
    assert files.metadata("pond/moved.txt", refresh=True)["colour"] == "blue"
    files.rm("pond", recursive=True)
    files.invalidate_cache()
    assert not files.exists("pond")


def test_one_of_two_who_create_a_file_wins(files: Any) -> None:
    """`mode="xb"` is a conditional PUT."""
    files.mkdir("once")
    with files.open("once/lock", "xb") as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), files.open("once/lock", "xb") as file:
        file.write(b"second")
    assert files.cat("once/lock") == b"first"


def test_a_url_is_enough_where_the_environment_says_who(s3: S3Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pandas opens `s3://…`: the endpoint and the keys are the SDK's own variables."""
    s3.client().create_bucket(Bucket="tables")
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    with files.open("s3://tables/a.csv", "wt", newline="") as file:
        file.write("a,b\n1,2\n")
    with files.open("s3://tables/a.csv", "rt") as file:
        assert file.read() == "a,b\n1,2\n"
