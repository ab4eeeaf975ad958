"""MinIO's client for Python, unmodified, as those have it who leave MinIO."""

import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from minio import Minio
from minio.commonconfig import CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig
from s3_plane import ADMIN, S3Plane, running_s3

MIB = 2**20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        yield plane


@pytest.fixture
def client(s3: S3Plane) -> Any:
    return Minio(s3.url.removeprefix("http://"), ADMIN[0], ADMIN[1], secure=False)


def test_the_usual_life_of_a_bucket(client: Any, tmp_path: Path) -> None:
    """Parts, streams of unknown length, copies, tags, versions, presigned addresses, and removal of all."""
    client.make_bucket("lake")
    client.set_bucket_versioning("lake", VersioningConfig("Enabled"))
    content = os.urandom(12 * MIB)
    (tmp_path / "file").write_bytes(content)
    tags = Tags.new_object_tags()
    tags["team"] = "ml"
    client.fput_object("lake", "large", str(tmp_path / "file"), part_size=5 * MIB, tags=tags, metadata={"by": "ann"})
    client.put_object("lake", "stream", io.BytesIO(content), -1, part_size=5 * MIB)
    client.copy_object("lake", "dir/copy", CopySource("lake", "large"))
    found = client.stat_object("lake", "large")
    assert (found.size, found.metadata["x-amz-meta-by"]) == (len(content), "ann")
    assert client.get_object_tags("lake", "large") == {"team": "ml"}
    answer = client.get_object("lake", "stream", offset=7 * MIB, length=100)
    assert answer.read() == content[7 * MIB : 7 * MIB + 100]
    answer.close()
    answer.release_conn()
    assert sorted(o.object_name for o in client.list_objects("lake")) == ["dir/", "large", "stream"]
    url = client.presigned_get_object("lake", "dir/copy", expires=timedelta(minutes=1))
    assert requests.get(url, timeout=20).content == content
    versions = [
        (o.object_name, o.version_id) for o in client.list_objects("lake", recursive=True, include_version=True)
    ]
    assert len(versions) == 3
    assert list(client.remove_objects("lake", [DeleteObject(*version) for version in versions])) == []
    client.remove_bucket("lake")
    assert not client.bucket_exists("lake")


def test_what_is_not_there_is_said_in_its_words(client: Any) -> None:
    with pytest.raises(S3Error) as refused:
        client.stat_object("missing", "key")
    assert refused.value.code in ("NoSuchBucket", "NoSuchKey")
