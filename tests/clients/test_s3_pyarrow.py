"""pyarrow's S3FileSystem, unmodified: the AWS SDK for C++, with which Arrow, Ray and Hugging Face read Parquet."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSelector, FileType, S3FileSystem
from s3_plane import ADMIN, S3Plane, running_s3

ROWS = 100_000


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        yield plane


@pytest.fixture(scope="module")
def files(s3: S3Plane) -> Any:
    endpoint = s3.url.removeprefix("http://")
    return S3FileSystem(
        access_key=ADMIN[0],
        secret_key=ADMIN[1],
        endpoint_override=endpoint,
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )


def table() -> Any:
    years = pa.array([2020 + number % 5 for number in range(ROWS)], pa.int32())
    return pa.table({"year": years, "number": pa.array(range(ROWS)), "name": [f"n{i % 97}" for i in range(ROWS)]})


def test_a_partitioned_dataset_is_written_and_read_by_filter(files: Any) -> None:
    """The reader lists, reads footers by range, and then only the columns and files that the filter needs."""
    files.create_dir("lake")
    whole = table()
    ds.write_dataset(
        whole, "lake/numbers", filesystem=files, format="parquet", partitioning=["year"], max_rows_per_group=5000
    )
    dataset = ds.dataset("lake/numbers", filesystem=files, format="parquet", partitioning=["year"])
    assert len(dataset.files) == 5
    found = dataset.to_table(filter=(pc.field("year") == 2021) & (pc.field("number") < 1000), columns=["number"])
    assert sorted(found["number"].to_pylist()) == [n for n in range(1000) if n % 5 == 1]
    again = dataset.to_table().select(whole.column_names).sort_by("number")
    assert again.cast(whole.schema).equals(whole)


def test_a_large_file_goes_in_parts_and_comes_back_in_pieces(files: Any) -> None:
    files.create_dir("pond")
    with (
        files.open_output_stream("pond/large.parquet", metadata={"Content-Type": "application/parquet"}) as out,
        pq.ParquetWriter(out, pa.schema([("x", pa.binary())]), compression="none") as writer,
    ):
        for number in range(12):
            writer.write_table(pa.table({"x": pa.array([bytes([number]) * 2**20])}))
    assert files.get_file_info("pond/large.parquet").size > 12 * 2**20
    with files.open_input_file("pond/large.parquet") as file:
        assert pq.ParquetFile(file).read_row_group(7)["x"][0].as_py() == b"\7" * 2**20
    assert files.open_input_stream("pond/large.parquet").metadata()["Content-Type"] == b"application/parquet"


def test_folders_are_listed_moved_and_removed(files: Any) -> None:
    """Folders that S3 does not have: empty objects whose keys end in a slash."""
    files.create_dir("tree/a/b")
    with files.open_output_stream("tree/a/b/f") as out:
        out.write(b"x")
    files.copy_file("tree/a/b/f", "tree/a/g")
    files.move("tree/a/g", "tree/h")
    found = files.get_file_info(FileSelector("tree", recursive=True))
    assert {(info.path, info.type) for info in found} == {
        ("tree/a", FileType.Directory),
        ("tree/a/b", FileType.Directory),
        ("tree/a/b/f", FileType.File),
        ("tree/h", FileType.File),
    }
    files.delete_dir("tree/a")
    assert [info.path for info in files.get_file_info(FileSelector("tree", recursive=True))] == ["tree/h"]
    files.delete_dir("tree")
    assert files.get_file_info("tree").type == FileType.NotFound
