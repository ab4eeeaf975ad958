"""DuckDB, unmodified: its own S3 client reads and writes Parquet where the data lies.

The client is DuckDB's httpfs extension, which it would download; the wheel of the same extension brings it.
"""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import duckdb
import pytest
from s3_plane import ADMIN, S3Plane, running_s3

HTTPFS = files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


@pytest.fixture
def db(s3: S3Plane) -> Iterator[Any]:
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.execute(f"LOAD '{HTTPFS}'")
        connection.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{ADMIN[0]}', SECRET '{ADMIN[1]}', REGION 'us-east-1', "
            f"ENDPOINT '{s3.url.removeprefix('http://')}', URL_STYLE 'path', USE_SSL false)"
        )
        yield connection


def test_a_table_goes_out_in_parts_and_is_asked_where_it_lies(db: Any, s3: S3Plane) -> None:
    """Written as one upload in parts; a question about a few rows reads a few ranges."""
    db.execute(
        "COPY (SELECT i, md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS h FROM range(400_000) t(i)) "
        "TO 's3://lake/one.parquet' (ROW_GROUP_SIZE 20_000)"
    )
    size = s3.client().head_object(Bucket="lake", Key="one.parquet")["ContentLength"]
    assert size > 10 * 2**20
    assert db.sql("SELECT count(*), sum(i) FROM 's3://lake/one.parquet'").fetchone() == (400_000, 79_999_800_000)
    asked = s3.ask("GET", "/stats")[1]["bytes_out"]
    assert db.sql("SELECT i FROM 's3://lake/one.parquet' WHERE i BETWEEN 5 AND 7").fetchall() == [(5,), (6,), (7,)]
    assert s3.ask("GET", "/stats")[1]["bytes_out"] - asked < size / 2


def test_many_files_are_written_by_partition_and_found_by_pattern(db: Any, s3: S3Plane) -> None:
    """Globs are lists with a prefix; partitions are read only where the question needs them."""
    db.execute(
        "COPY (SELECT i % 4 AS part, i FROM range(1000) t(i)) TO 's3://lake/by part' (FORMAT parquet, "
        "PARTITION_BY part)"
    )
    keys = [o["Key"] for o in s3.client().list_objects_v2(Bucket="lake", Prefix="by part/")["Contents"]]
    assert {key.split("/")[1] for key in keys} == {"part=0", "part=1", "part=2", "part=3"}
    found = db.sql("SELECT count(*) FROM read_parquet('s3://lake/by part/*/*.parquet') WHERE part = 3").fetchone()
    assert found == (250,)
    assert len(db.sql("SELECT file FROM glob('s3://lake/by part/**')").fetchall()) == len(keys)


def test_text_files_are_read_and_what_is_not_there_is_said(db: Any, s3: S3Plane) -> None:
    db.execute("COPY (VALUES (1, 'a'), (2, 'b')) TO 's3://lake/t.csv.gz' (HEADER false)")
    assert db.sql("SELECT * FROM 's3://lake/t.csv.gz'").fetchall() == [(1, "a"), (2, "b")]
    with pytest.raises(duckdb.HTTPException, match="404"):
        db.sql("SELECT * FROM 's3://lake/missing.parquet'")
